"""The screen about the terminal itself."""
