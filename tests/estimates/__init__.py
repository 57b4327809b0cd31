"""Worlds whose truth is known, to hold estimated performance against what is realized."""
