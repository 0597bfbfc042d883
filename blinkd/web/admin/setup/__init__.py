"""The first run: from a one-time code to a punch that was seen."""
