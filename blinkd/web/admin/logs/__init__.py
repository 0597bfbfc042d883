"""The screens about punches and scan attempts."""
