"""What the relay's API and the terminal's own pages share: the server, its patience, headers, and static files."""
