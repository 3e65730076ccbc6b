"""Builders of the shipped probe folders: ``python -m builders.probes.<suite> --sources DIR``."""
