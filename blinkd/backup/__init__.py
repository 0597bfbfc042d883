"""Back-ups of a terminal: everything of its state folder in one encrypted file, and the way back."""
