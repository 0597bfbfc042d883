"""Frame sources: cameras, streams and recordings behind one Protocol."""
