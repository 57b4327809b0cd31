"""Drift statistics of counts over shared bins: how far a window has moved from a reference, and whether by chance.

``binned_statistics`` compares the shares of bins, ``cdf_statistics`` the distribution functions. ``p_values`` and
``null_distribution`` say what chance alone gives; ``methods`` names every method.
"""
