"""How well a model did: metrics with their intervals and counts, wherever possible from what can be added up."""
