"""Real servers for benches and tests: each in a folder and on ports of its own, ended by whoever started it."""
