"""The terminal's own pages, in a process of their own: kiosk and administration."""
