"""Made-up mail of a bank's back office, the same for the same seed."""
