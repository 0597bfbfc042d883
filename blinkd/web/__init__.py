"""The terminal's own pages: kiosk and admin."""
