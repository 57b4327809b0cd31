"""``modelwatch.yml`` -> model: every problem at once, with its place and what to do about it."""
