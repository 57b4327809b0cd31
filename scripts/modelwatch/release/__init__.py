"""Releases: the registry of versions, the moves that change who serves, and the gate before a promotion."""
