"""Findings into alerts, alerts into groups. Pure: imports the model only."""
