"""Scripts that build what ships: the demo model, the panel and the probe suites. Not part of the package."""
