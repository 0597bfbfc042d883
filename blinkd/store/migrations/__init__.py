"""The schema history as numbered files; a released one is never edited."""
