"""Whether units were shared out among the arms as planned: a test that holds at every look (sample-ratio mismatch).

The sequential multinomial test of Lindon and Malek (2022, "Anytime-valid inference for multinomial count data",
NeurIPS): the Bayes factor of a Dirichlet distribution around the planned shares against these shares. It is 1 on
average where they hold, at any time, so that 1 over the largest one so far is a p-value at all looks together.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Floats

CONCENTRATION = 1000.0
"""Of the Dirichlet distribution, in units: shares that are off by about three points are expected. Less gives more
power against gross errors, which need none."""
SRM_ALPHA = 0.001
"""From this p-value on shares differ from the plan. Small, because nothing else can be trusted then."""


def log_bayes_factor(counts: Floats, shares: Floats, concentration: float = CONCENTRATION) -> Floats:
    """``counts``: units ``(..., arms)`` so far; ``shares``: planned, positive, with the sum 1."""
    from scipy.special import gammaln

    prior = concentration * shares
    total = counts.sum(axis=-1)
    factor = gammaln(prior + counts).sum(axis=-1) - gammaln(prior).sum() - counts @ np.log(shares)
    return np.asarray(factor + gammaln(concentration) - gammaln(concentration + total))


def sample_ratio_p(counts: Floats, shares: Floats) -> Floats:
    """The p-value at each look, all looks up to it together. ``counts``: ``(..., looks, arms)`` up to each look."""
    strongest = np.maximum.accumulate(log_bayes_factor(counts, shares), axis=-1)
    return np.exp(-np.maximum(strongest, 0.0))
