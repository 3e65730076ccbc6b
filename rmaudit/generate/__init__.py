"""Makes the items of the shipped suites from source texts, word lists and a seed.

Source texts (``probes/sources/``) and words (``probes/words/``) are data; one file in `suites` says for each suite
how they become items. Seed 0 gives the items that ship, byte for byte; any other seed gives items that no model
can have been tuned to.
"""
