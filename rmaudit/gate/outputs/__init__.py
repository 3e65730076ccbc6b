"""What a decision becomes for people and for the tools of a pipeline: one file a format, each pure."""
