"""Two or more finished runs side by side: what changed, how surely, and for the better or the worse.

`pairing` pairs the items and tells how effects changed; `build` judges that and puts the rest beside it, and `outputs`
writes it out.
"""
