"""The same job by several means, measured side by side: see tests/bench/README.md."""
