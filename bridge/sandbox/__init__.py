"""A local server of the platform's HTTP API over SQLite; an annex that shares nothing with the rest of bridge (D1)."""
