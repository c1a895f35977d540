"""Carries the results of re:infer triggers onto Kafka."""

__version__ = "0.1.0"
