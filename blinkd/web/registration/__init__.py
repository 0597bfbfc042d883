"""Registering people before the terminal's camera: whoever sits at the page, what they typed, and what was seen so far."""
