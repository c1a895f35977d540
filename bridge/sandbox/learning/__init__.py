"""Models: features of text, training, prediction, and their form on disk; pure computation, no state."""
