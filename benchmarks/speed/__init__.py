"""Scoring speed beside RewardBench, transformers, vLLM and the machine's own matrix products: `python -m benchmarks.speed`."""
