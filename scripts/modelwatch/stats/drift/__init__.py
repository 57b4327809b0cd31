"""Drift: how far a current sample has moved from a reference, by how much, and whether chance could have done it.

``counts`` holds the statistics of two rows of counts over shared bins, ``ordered`` those of two distribution functions,
``samples`` and ``binned`` the two ways to get there: from raw columns and from profiles. ``measures`` is the way in.

Missing values, infinities and values of another type are left out here and told: they are data quality, never drift.
"""
