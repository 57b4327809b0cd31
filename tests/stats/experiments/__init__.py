"""The numerics of A/B experiments."""
