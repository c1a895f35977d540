"""Which deliveries were acked, kept in Redis."""
