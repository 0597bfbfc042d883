"""What the relay's pages and the terminal's pages share: the server, headers, static files."""
