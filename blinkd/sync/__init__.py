"""What terminal and relay say to each other, and the terminal's side of it."""
