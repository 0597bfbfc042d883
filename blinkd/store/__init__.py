"""SQLite: schema history as numbered files, and one repository per aggregate."""
