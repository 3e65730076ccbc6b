"""One file per output format, each ``render(report) -> bytes``."""
