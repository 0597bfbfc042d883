"""The page on the terminal's display."""
