"""The command line: one file per command. Parses arguments and prints; everything else is done elsewhere."""
