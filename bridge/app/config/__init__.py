"""The configuration file: YAML in, frozen settings or every mistake with its line out (D9)."""

from bridge.app.config.load import load_config

__all__ = ["load_config"]
