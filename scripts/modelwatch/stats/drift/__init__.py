"""Drift statistics of counts over shared bins: how far a window has moved from a reference, and whether by chance."""
