"""A comparison in each format; every one is made from the same `Comparison`."""
