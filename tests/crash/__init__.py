"""The crash matrix: every outbound request of an evaluation killed and failed, and what the next evaluations make of it."""
