"""How well a model did: metrics from labels and predictions, each with its interval and its count.

What can be added up is kept as sums or counts (``confusion``, ``regression``), so that partitions and days merge; what
needs an order (``scores``) is computed on sorted rows.
"""
