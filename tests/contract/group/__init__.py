"""The ports of the group: bulletin, control topic, membership."""
