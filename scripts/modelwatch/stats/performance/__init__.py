"""How well a model did: metrics with their intervals and counts, from what can be added up.

Confusion tables, counts by score (``scores``) and exact sums (``regression``) merge over partitions and days. What
needs rows (``ranks``, ``custom``) is computed on them.
"""
