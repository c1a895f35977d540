"""The admin HTTP API (design section 8)."""
