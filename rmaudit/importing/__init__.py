"""Turns a user's copy of a published benchmark into a suite: the same texts and labels, measured like any other."""
