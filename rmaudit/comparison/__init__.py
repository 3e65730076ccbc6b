"""Two or more finished runs side by side: what changed, how surely, and for the better or the worse.

`rmaudit.compare` pairs the items; here the changes are judged, the facts around them collected, and both written out.
"""
