"""The relay over HTTP: what the mobile app of the origin speaks, authenticated, and sealed records beside it."""
