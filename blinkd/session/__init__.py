"""One visit of one person: the state machine that joins evidence, identity and attendance."""
