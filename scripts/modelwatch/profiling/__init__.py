"""Measure prediction logs: profiles, the metrics derived from them, and their storage in W&B."""
