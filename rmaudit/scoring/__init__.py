"""From conversations to rewards: what to score in which batches, and the engine that does it."""
