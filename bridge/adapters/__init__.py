"""Floor 2: one neighbour each, strangers to each other and to the engine."""
