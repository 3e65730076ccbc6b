"""From a checkpoint on disk, an endpoint or a callable to a `RewardModel`. One file per family."""
