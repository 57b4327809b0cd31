"""The issue of a group: what becomes of it, how it is changed, and its text."""
