"""Scorers with known, planted biases, each a file with ``score(conversations)``.

Every one adds its planted effect to the same quiet noise: a hash of the whole conversation, turned into a
standard normal number, so that rewards look alive and the noise is the same each time.
"""
