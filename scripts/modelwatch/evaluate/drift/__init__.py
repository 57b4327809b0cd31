"""Drift: the distribution of a feature against a reference, window by window."""
