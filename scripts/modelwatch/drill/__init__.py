"""Drills: a degradation is made on purpose, and the chain that should answer it is verified link by link."""
