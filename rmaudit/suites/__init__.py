"""Reads probe folders, builds items, and turns rewards into findings. One file per design."""
