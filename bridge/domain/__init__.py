"""Floor 0: what is true whatever the neighbours do. Pure: no await, no clock, no log, no third party."""
