"""The benchmarks that can be read: one module each, found by its name. A module says ``BENCHMARK``."""
