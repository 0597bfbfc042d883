"""Operators: logging in, passwords, who they are and what they did."""
