"""The disclosure list as data: what should be known about a model, and what an audit can say about it."""
