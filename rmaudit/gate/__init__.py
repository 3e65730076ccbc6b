"""From a saved run and a policy to a verdict that a pipeline can trust. Needs no model."""
