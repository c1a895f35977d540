"""Floor 2: all control flow. Awaits ports only."""
