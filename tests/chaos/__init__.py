"""Chaos: evaluations under random faults, kills, each other and strangers' comments, and what has to be true after."""
