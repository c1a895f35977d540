"""The broker: the publisher on the data path, the state topic, the checks of what was promised."""
