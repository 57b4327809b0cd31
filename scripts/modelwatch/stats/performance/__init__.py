"""How well a model did: metrics with their intervals and counts, from what can be added up.

Confusion tables, counts by score (``probabilistic``) and exact sums (``regression``) merge over partitions and days.
Metrics that need rows (``ranking``, ``custom``) are computed from them.
"""
