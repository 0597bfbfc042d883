"""The screens about people."""
