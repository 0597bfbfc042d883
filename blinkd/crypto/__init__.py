"""Encryption: templates at rest."""
