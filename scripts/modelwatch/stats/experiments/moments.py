"""Means, co-moments and extremes of the units of an arm: mergeable, so that days and partitions add up in any order.

Merged by the pairwise update of Chan, Golub and LeVeque (1983, The American Statistician 37:242-247), which loses no
digits where values are large and differ little.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..arrays import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Of ``k`` columns; any leading axes, such as looks or simulated experiments."""

    n: Floats
    """Units; ``(...)``."""
    mean: Floats
    """``(..., k)``; 0 without units."""
    scatter: Floats
    """Sums of products of deviations from the mean; ``(..., k, k)``."""
    low: Floats
    """The smallest value of each column, ``(..., k)``; infinite without units."""
    high: Floats

    @classmethod
    def of(cls, values: Floats) -> Moments:
        """Of ``(..., units, k)`` finite values, the units of each place together."""
        count = values.shape[-2]
        if not count:
            return cls.empty(values.shape[-1], values.shape[:-2])
        mean = values.mean(axis=-2)
        deviations = values - mean[..., None, :]
        scatter = np.swapaxes(deviations, -1, -2) @ deviations
        n = np.full(values.shape[:-2], float(count))
        return cls(n, mean, scatter, values.min(axis=-2), values.max(axis=-2))

    @classmethod
    def empty(cls, columns: int, shape: tuple[int, ...] = ()) -> Moments:
        return cls(
            np.zeros(shape),
            np.zeros((*shape, columns)),
            np.zeros((*shape, columns, columns)),
            np.full((*shape, columns), np.inf),
            np.full((*shape, columns), -np.inf),
        )

    @classmethod
    def by_group(cls, values: Floats, groups: Ints, count: int) -> Moments:
        """Of ``(units, k)`` values, those of each of ``count`` groups together: one leading axis. A unit whose group is
        negative counts in none."""
        columns = values.shape[1]
        values, groups = values[groups >= 0], groups[groups >= 0]
        order = np.argsort(groups, kind="stable")
        values, groups = values[order], groups[order]
        n = np.bincount(groups, minlength=count).astype(np.float64)
        if not len(values):
            return cls.empty(columns, (count,))
        filled = np.flatnonzero(n)
        begins = np.concatenate([[0], np.cumsum(n[filled])[:-1]]).astype(np.int64)
        found = cls.empty(columns, (count,))
        found.mean[filled] = np.add.reduceat(values, begins) / n[filled, None]
        deviations = values - found.mean[groups]
        products = deviations[:, :, None] * deviations[:, None, :]
        found.scatter[filled] = np.add.reduceat(products, begins)
        found.low[filled] = np.minimum.reduceat(values, begins)
        found.high[filled] = np.maximum.reduceat(values, begins)
        return cls(n, found.mean, found.scatter, found.low, found.high)

    def merge(self, other: Moments) -> Moments:
        """Both together, place by place."""
        n = self.n + other.n
        share = np.divide(other.n, n, out=np.zeros_like(n), where=n > 0)
        gap = other.mean - self.mean
        between = (self.n * share)[..., None, None] * gap[..., :, None] * gap[..., None, :]
        return Moments(
            n,
            self.mean + share[..., None] * gap,
            self.scatter + other.scatter + between,
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
        )

    def __getitem__(self, place: int | slice) -> Moments:
        """One place, or some, of the first leading axis."""
        return Moments(self.n[place], self.mean[place], self.scatter[place], self.low[place], self.high[place])

    def at_second_axis(self, place: int) -> Moments:
        """One place of the second leading axis, such as an arm."""
        return Moments(
            self.n[:, place], self.mean[:, place], self.scatter[:, place], self.low[:, place], self.high[:, place]
        )

    def accumulate(self) -> Moments:
        """Along the first leading axis the moments of everything up to each place, such as up to each day."""
        return stack(list(self._running()))

    def _running(self) -> Iterator[Moments]:
        current = Moments.empty(self.mean.shape[-1], self.n.shape[1:])
        for place in range(len(self.n)):
            current = current.merge(self[place])
            yield current

    def covariance(self) -> Floats:
        """``(..., k, k)``, unbiased; NaN with fewer than two units."""
        with np.errstate(divide="ignore", invalid="ignore"):
            divisor = np.where(self.n > 1, self.n - 1, np.nan)
            covariance: Floats = self.scatter / divisor[..., None, None]
        return covariance


def stack(parts: list[Moments]) -> Moments:
    """Several moments of one shape, with a leading axis more."""
    return Moments(
        np.stack([part.n for part in parts]),
        np.stack([part.mean for part in parts]),
        np.stack([part.scatter for part in parts]),
        np.stack([part.low for part in parts]),
        np.stack([part.high for part in parts]),
    )
