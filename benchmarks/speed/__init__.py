"""Scoring speed beside RewardBench, transformers, vLLM and the machine's own matrix products.

Run it by ``python -m benchmarks.speed``.
"""
