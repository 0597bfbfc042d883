"""What sync carries, and what it costs: loads for the real broker, relays, database and terminals of a bench."""
