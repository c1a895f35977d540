"""What the sandbox keeps: tables in one SQLite file, and functions over a connection, one module a table."""
