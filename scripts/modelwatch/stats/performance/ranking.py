"""Metrics of ranked lists: NDCG and hit rate at a depth, one value a query."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Bools, Floats, Ints
from .estimate import Estimate, mean_estimate, proportion, undefined_estimate


def ranking_metrics(queries: ArrayLike, relevance: ArrayLike, scores: ArrayLike, k: int = 10) -> tuple[Estimate, ...]:
    """NDCG and hit rate among the ``k`` best-scored rows of every query.

    ``queries`` names the query of each row (numbers). Gains are the relevances themselves, discounted by
    ``log2(rank + 1)``; equal scores share the mean of their gains (McSherry and Najork 2008, as scikit-learn). A query
    without anything relevant has no NDCG and is left out of it, and is a miss for the hit rate. Rows with a relevance
    or a score that is no number are left out; negative relevance is refused.
    """
    q, gain, s = np.asarray(queries), np.asarray(relevance, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    is_usable = np.isfinite(gain) & ~np.isnan(s)
    q, gain, s = q[is_usable], gain[is_usable], s[is_usable]
    if (gain < 0).any():
        raise ValueError("a relevance is negative")
    if k < 1 or not len(q):
        return undefined_estimate("ndcg"), undefined_estimate("hit_rate")
    ndcg, hit = metrics_by_query(q, gain, s, k)
    known = ndcg[np.isfinite(ndcg)]
    average = (
        mean_estimate("ndcg", float(known.mean()), float(known.var()), len(known))
        if len(known)
        else undefined_estimate("ndcg")
    )
    return average, proportion("hit_rate", float(hit.sum()), float(len(hit)))


def metrics_by_query(queries: NDArray[Any], gain: Floats, score: Floats, k: int) -> tuple[Floats, Bools]:
    """NDCG of every query (NaN without anything relevant) and whether something relevant is among its ``k`` best;
    queries in ascending order. Rows are at least one, gains finite and not negative, scores no NaN."""
    names, query = np.unique(queries, return_inverse=True)
    order = np.lexsort((-score, query))
    actual = _dcg(query[order], _mean_gain_of_ties(query[order], score[order], gain[order]), len(names), k)
    ideal_order = np.lexsort((-gain, query))
    ideal = _dcg(query[ideal_order], gain[ideal_order], len(names), k)
    with np.errstate(divide="ignore", invalid="ignore"):
        ndcg = np.where(ideal > 0, actual / ideal, np.nan)
    hits = (_rank_in_query(query[order]) < k) & (gain[order] > 0)
    return ndcg, np.bincount(query[order], weights=hits, minlength=len(names)) > 0


def _rank_in_query(query: Ints) -> Ints:
    """Place within its query, from 0; queries stand together."""
    starts = np.flatnonzero(np.append(True, query[1:] != query[:-1]))
    sizes = np.diff(np.append(starts, len(query)))
    return np.arange(len(query)) - np.repeat(starts, sizes)


def _mean_gain_of_ties(query: Ints, score: Floats, gain: Floats) -> Floats:
    """Every gain replaced by the mean of those with the same query and score."""
    starts = np.flatnonzero(np.append(True, (query[1:] != query[:-1]) | (score[1:] != score[:-1])))
    sizes = np.diff(np.append(starts, len(query)))
    return np.asarray(np.repeat(np.add.reduceat(gain, starts) / sizes, sizes), dtype=np.float64)


def _dcg(query: Ints, gain: Floats, count: int, k: int) -> Floats:
    rank = _rank_in_query(query)
    worth = np.where(rank < k, gain / np.log2(rank + 2.0), 0.0)
    return np.asarray(np.bincount(query, weights=worth, minlength=count), dtype=np.float64)
