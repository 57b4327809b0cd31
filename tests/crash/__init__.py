"""The crash matrix: each outbound request of an evaluation killed and failed, and what the next ones make of it."""
