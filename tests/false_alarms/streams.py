"""Streams of 1,000 to 20,000 points for rules with ``anomaly``: what they look like, and what can happen to them.

Constants may be chosen on development streams. Held-out streams are of other kinds, with other accidents and seeds:
nothing is chosen on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from modelwatch.stats.arrays import Floats, Ints
from modelwatch.timeutil import DAY, HOUR, MINUTE

START = 19_000 * DAY
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Clock:
    """The points of a stream: how far apart (seconds), and how many."""

    step: float
    count: int

    @property
    def day(self) -> int:
        """Points a day."""
        return round(DAY / self.step)

    @property
    def times(self) -> Floats:
        return START + self.step * np.arange(self.count, dtype=np.float64)

    def cycle(self, period: float = DAY) -> Floats:
        """The phase of each point in a period of so many seconds."""
        return 2 * np.pi * (self.times - START) / period

    def is_weekend(self) -> Floats:
        return ((self.times - START) // DAY % 7 >= 5).astype(np.float64)


Stream = tuple[Clock, Callable[[Rng, Clock], Floats]]
Accident = Callable[[Rng, Floats, int, Clock], Floats]


def correlated(rng: Rng, count: int, correlation: float) -> Floats:
    """Noise of variance 1 with an autocorrelation of first order."""
    noise: Floats = rng.standard_normal(count) * np.sqrt(1 - correlation**2)
    noise[0] /= np.sqrt(1 - correlation**2)
    for row in range(1, count):
        noise[row] += correlation * noise[row - 1]
    return noise


def bumps(rng: Rng, count: int, rate: float, length: int, height: Callable[[], float]) -> Floats:
    """Bursts that fade, at random times: ``rate`` a point."""
    values = np.zeros(count)
    for begin in np.flatnonzero(rng.random(count) < rate):
        fade = np.exp(-np.arange(length) / max(length / 3, 1))
        values[begin : begin + length] += height() * fade[: count - begin]
    return values


def _processor(rng: Rng, clock: Clock) -> Floats:
    load = 30 + 12 * np.sin(clock.cycle()) + 3 * correlated(rng, clock.count, 0.9)
    job = np.where(np.arange(clock.count) % clock.day // 3 == 10, 25 + 4 * rng.standard_normal(clock.count), 0.0)
    return np.clip(load + job + bumps(rng, clock.count, 1 / 400, 3, lambda: rng.gamma(2, 4)), 0, 100)


def _idle(rng: Rng, clock: Clock) -> Floats:
    noise = np.abs(0.08 * rng.standard_normal(clock.count))
    return np.round(0.1 + noise + bumps(rng, clock.count, 1 / 150, 2, lambda: 0.3 + rng.pareto(3)), 3)


def _network(rng: Rng, clock: Clock) -> Floats:
    return np.exp(12 + 0.8 * correlated(rng, clock.count, 0.7) + 0.5 * np.sin(clock.cycle()))


def _traffic(rng: Rng, clock: Clock) -> Floats:
    rush = np.exp(-((clock.times / HOUR % 24 - 8) ** 2) / 3) + 0.8 * np.exp(
        -((clock.times / HOUR % 24 - 17.5) ** 2) / 5
    )
    level = 4 + 22 * rush * (1 - 0.6 * clock.is_weekend())
    return np.maximum(level * np.exp(0.25 * correlated(rng, clock.count, 0.6)), 0)


def _clicks(rng: Rng, clock: Clock) -> Floats:
    return (
        np.exp(0.3 * rng.standard_normal(clock.count))
        * rng.gamma(4, 0.25, clock.count)
        * (1 + 0.2 * np.sin(clock.cycle()))
    )


def _machine(rng: Rng, clock: Clock) -> Floats:
    slow = np.cumsum(rng.standard_normal(clock.count)) * 0.05
    slow -= np.convolve(slow, np.ones(2 * clock.day) / (2 * clock.day), "same")
    return 85 + 2 * slow + 1.5 * correlated(rng, clock.count, 0.97) + 1.5 * np.sin(clock.cycle(1.7 * DAY))


def _mentions(rng: Rng, clock: Clock) -> Floats:
    level = 12 * (1.2 + np.sin(clock.cycle())) * np.exp(0.3 * correlated(rng, clock.count, 0.98))
    burst = bumps(rng, clock.count, 1 / 500, 12, lambda: 20 * rng.pareto(2.5))
    return rng.poisson(level * rng.gamma(3, 1 / 3, clock.count) + burst).astype(np.float64)


def _writes(rng: Rng, clock: Clock) -> Floats:
    busy = np.repeat(rng.random(clock.count // 12 + 1) < 0.08, 12)[: clock.count]
    return np.where(busy, 1e6 * rng.gamma(2, 1, clock.count), 0.0)


def _regimes(rng: Rng, clock: Clock) -> Floats:
    level = np.zeros(clock.count)
    begin, now = 0, 50.0
    while begin < clock.count:
        until = begin + int(rng.exponential(2 * clock.day)) + clock.day // 4
        level[begin:until], begin, now = now, until, 50 + 8 * rng.standard_normal()
    return level + rng.standard_normal(clock.count)


def _seasonal(rng: Rng, clock: Clock) -> Floats:
    wave = np.sin(clock.cycle()) + 0.5 * np.sin(2 * clock.cycle() + 1)
    return 20 + 10 * wave + rng.standard_normal(clock.count)


FIVE, TEN, HALF, HOURLY = (
    Clock(5 * MINUTE, 4032),
    Clock(10 * MINUTE, 4000),
    Clock(HALF_HOUR := 30 * MINUTE, 3000),
    Clock(HOUR, 1600),
)

DEVELOPMENT: Mapping[str, Stream] = {
    "processor": (FIVE, _processor),
    "idle processor": (FIVE, _idle),
    "network": (FIVE, _network),
    "road traffic": (TEN, _traffic),
    "cost of clicks": (HOURLY, _clicks),
    "machine temperature": (Clock(5 * MINUTE, 12_000), _machine),
    "mentions": (Clock(5 * MINUTE, 10_000), _mentions),
    "disk writes": (FIVE, _writes),
    "regimes": (FIVE, _regimes),
    "daily pattern": (HALF, _seasonal),
}


def _latency(rng: Rng, clock: Clock) -> Floats:
    slow = 0.25 * correlated(rng, clock.count, 0.95) + 0.35 * np.sin(clock.cycle()) - 0.2 * clock.is_weekend()
    return 120 * np.exp(slow + 0.1 * rng.standard_t(4, clock.count))


def _rides(rng: Rng, clock: Clock) -> Floats:
    hour = clock.times / HOUR % 24
    night = clock.is_weekend() * np.exp(-((hour - 1) ** 2) / 6)
    day = np.clip(np.sin((hour - 5) / 24 * 2 * np.pi), -0.7, 1) + 0.5 * np.exp(-((hour - 19) ** 2) / 8)
    level = 14_000 + 8_000 * day + 6_000 * night
    return np.maximum(level * (1 + 0.05 * correlated(rng, clock.count, 0.8)), 0).round()


def _office(rng: Rng, clock: Clock) -> Floats:
    hour = clock.times / HOUR % 24
    used = np.where((hour >= 7) & (hour < 19), 1.0, 0.0) * (1 - clock.is_weekend())
    season = 2.5 * np.sin(clock.cycle(120 * DAY))
    return 68 + season + 2 * used + 1.2 * correlated(rng, clock.count, 0.93)


def _queue(rng: Rng, clock: Clock) -> Floats:
    arrive = rng.poisson(9 * (1 + 0.4 * np.sin(clock.cycle())))
    depth = np.zeros(clock.count)
    for row in range(1, clock.count):
        depth[row] = max(0.0, depth[row - 1] + arrive[row] - rng.poisson(12))
    return depth


def _orders(rng: Rng, clock: Clock) -> Floats:
    growth = np.exp(0.004 * (clock.times - START) / DAY)
    level = 40 * growth * (1.1 + np.sin(clock.cycle())) * (1 - 0.35 * clock.is_weekend())
    return rng.poisson(level * rng.gamma(20, 1 / 20, clock.count)).astype(np.float64)


def _errors(rng: Rng, clock: Clock) -> Floats:
    return rng.poisson(0.03 + bumps(rng, clock.count, 1 / 300, 6, lambda: rng.gamma(1, 1))).astype(np.float64)


def _collector(rng: Rng, clock: Clock) -> Floats:
    rate = np.abs(1 + 0.1 * rng.standard_normal(clock.count))
    full, memory = 0.0, np.zeros(clock.count)
    for row in range(clock.count):
        full = 0.0 if full > 40 + 2 * rng.standard_normal() else full + rate[row]
        memory[row] = 200 + 8 * full
    return memory + 2 * rng.standard_normal(clock.count)


def _switch(rng: Rng, clock: Clock) -> Floats:
    flips = np.cumsum(rng.random(clock.count) < 1 / 40) % 2
    return np.round(15 + 45 * flips + 1.5 * correlated(rng, clock.count, 0.5), 1)


def _bounded(rng: Rng, clock: Clock) -> Floats:
    return np.clip(96 + 3 * np.sin(clock.cycle()) + 2.5 * correlated(rng, clock.count, 0.8), 0, 100).round(1)


def _steady(rng: Rng, clock: Clock) -> Floats:
    return 40 + 0.5 * rng.standard_normal(clock.count) + 20 * (np.arange(clock.count) % (clock.day // 2) < 2)


HELD_OUT: Mapping[str, Stream] = {
    "latency": (FIVE, _latency),
    "rides": (Clock(HALF_HOUR, 8000), _rides),
    "office temperature": (Clock(HOUR, 6000), _office),
    "queue": (FIVE, _queue),
    "orders": (Clock(15 * MINUTE, 5000), _orders),
    "errors": (FIVE, _errors),
    "memory": (FIVE, _collector),
    "two states": (TEN, _switch),
    "availability": (Clock(HOUR, 1200), _bounded),
    "a job twice a day": (Clock(5 * MINUTE, 18_000), _steady),
}


def _within(values: Floats, at: int, length: int) -> Floats:
    """1 from ``at`` for ``length`` points, else 0."""
    rows = np.arange(len(values))
    return ((rows >= at) & (rows < at + length)).astype(np.float64)


def _spread(values: Floats) -> float:
    """Of the middle of the values, as far as they have one; else of all."""
    low, high = np.quantile(values, [0.1, 0.9])
    return float((high - low) / 2.56) or float(values.std()) or 1.0


def _size(rng: Rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _side(rng: Rng) -> float:
    return 1.0 if rng.random() < 0.7 else -1.0


def _spike(rng: Rng, values: Floats, at: int, clock: Clock) -> Floats:
    reach = float(np.abs(values - np.median(values)).max())
    return values + _side(rng) * _size(rng, 0.8, 3) * reach * _within(values, at, int(rng.integers(1, 4)))


def _to_zero(rng: Rng, values: Floats, at: int, clock: Clock) -> Floats:
    return values * (1 - _within(values, at, max(2, int(clock.day * rng.uniform(0.05, 0.4)))))


def _shift(rng: Rng, values: Floats, at: int, clock: Clock) -> Floats:
    return values + _side(rng) * _size(rng, 2, 6) * _spread(values) * _within(values, at, len(values))


def _ramp(rng: Rng, values: Floats, at: int, clock: Clock) -> Floats:
    length = clock.day * rng.uniform(0.5, 1.5)
    share = np.clip((np.arange(len(values)) - at) / length, 0, 1) * _within(values, at, int(3 * clock.day))
    return values + _side(rng) * _size(rng, 3, 8) * _spread(values) * share


def _restless(rng: Rng, values: Floats, at: int, clock: Clock) -> Floats:
    noise = _size(rng, 2, 5) * _spread(values) * rng.standard_normal(len(values))
    return values + noise * _within(values, at, max(6, int(clock.day * rng.uniform(0.25, 1))))


def _missing_pattern(rng: Rng, values: Floats, at: int, clock: Clock) -> Floats:
    length = int(clock.day * rng.uniform(0.5, 1))
    drawn = rng.choice(values[max(0, at - clock.day) : at], len(values))
    return np.where(_within(values, at, length) > 0, drawn, values)


def _taller(rng: Rng, values: Floats, at: int, clock: Clock) -> Floats:
    middle = np.median(values)
    return values + (values - middle) * (_size(rng, 1.8, 4) - 1) * _within(values, at, clock.day)


def _late(rng: Rng, values: Floats, at: int, clock: Clock) -> Floats:
    moved = np.roll(values, clock.day // 4)
    return np.where(_within(values, at, clock.day) > 0, moved, values)


def _calm(rng: Rng, values: Floats, at: int, clock: Clock) -> Floats:
    length = max(4, clock.day // 8)
    smooth = np.convolve(values, np.ones(length) / length, "same")
    return np.where(_within(values, at, clock.day) > 0, smooth, values)


def _slower(rng: Rng, values: Floats, at: int, clock: Clock) -> Floats:
    past = np.maximum(at - clock.day + (np.arange(len(values)) - at) * 0.6, 0).astype(np.int64)
    return np.where(_within(values, at, int(1.5 * clock.day)) > 0, values[np.minimum(past, len(values) - 1)], values)


DEVELOPMENT_ACCIDENTS: Mapping[str, Accident] = {
    "spike": _spike,
    "to zero": _to_zero,
    "shift": _shift,
    "ramp": _ramp,
    "restless": _restless,
    "missing pattern": _missing_pattern,
    "taller": _taller,
    "late": _late,
    "calm": _calm,
    "slower": _slower,
}


def _burst(rng: Rng, values: Floats, at: int, clock: Clock) -> Floats:
    length = max(4, int(clock.day * rng.uniform(0.05, 0.3)))
    fade = np.exp(-np.maximum(np.arange(len(values)) - at, 0) / length)
    return values + _size(rng, 3, 10) * _spread(values) * fade * _within(values, at, 4 * length)


def _frozen(rng: Rng, values: Floats, at: int, clock: Clock) -> Floats:
    return np.where(_within(values, at, int(clock.day * rng.uniform(0.5, 1.5))) > 0, values[at - 1], values)


def _faster(rng: Rng, values: Floats, at: int, clock: Clock) -> Floats:
    rows = np.arange(len(values))
    later = np.minimum(at - clock.day + (rows - at) * 2 % clock.day, len(values) - 1)
    return np.where(_within(values, at, clock.day) > 0, values[np.maximum(later, 0)], values)


def _upside_down(rng: Rng, values: Floats, at: int, clock: Clock) -> Floats:
    low, high = np.quantile(values, [0.02, 0.98])
    return np.where(_within(values, at, clock.day // 2) > 0, low + high - values, values)


def _smaller(rng: Rng, values: Floats, at: int, clock: Clock) -> Floats:
    middle = np.median(values)
    return values - (values - middle) * rng.uniform(0.6, 0.95) * _within(values, at, int(1.5 * clock.day))


def _crash(rng: Rng, values: Floats, at: int, clock: Clock) -> Floats:
    length = int(0.6 * clock.day)
    sag = np.clip((np.arange(len(values)) - at) / length, 0, 1) * _size(rng, 1.5, 4) * _spread(values)
    fall = _within(values, at + length, max(3, clock.day // 8)) * _size(rng, 4, 12) * _spread(values)
    return values - sag * _within(values, at, length) - fall


def _flapping(rng: Rng, values: Floats, at: int, clock: Clock) -> Floats:
    off = np.arange(len(values)) // max(1, clock.day // 96) % 2 * _within(values, at, max(6, clock.day // 3))
    return np.where(off > 0, values.min(), values)


HELD_OUT_ACCIDENTS: Mapping[str, Accident] = {
    "burst": _burst,
    "frozen": _frozen,
    "faster": _faster,
    "upside down": _upside_down,
    "smaller": _smaller,
    "crash": _crash,
    "flapping": _flapping,
}


PATTERNED = frozenset(DEVELOPMENT.keys() | HELD_OUT.keys()) - {
    "idle processor",
    "cost of clicks",
    "machine temperature",
    "disk writes",
    "regimes",
    "errors",
    "two states",
}
"""Streams that a clock drives."""
OF_PATTERNS = frozenset(("missing pattern", "late", "slower", "faster", "upside down"))
"""Accidents that nobody can see where there is no pattern."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """A stream with what happened to it."""

    name: str
    times: Floats
    values: Floats
    begins: Ints
    """Rows at which an accident begins, ascending."""
    accidents: tuple[str, ...]


def draw_stream(streams: Mapping[str, Stream], accidents: Mapping[str, Accident], name: str, seed: int) -> Labelled:
    """No, one, two or three accidents, after the first fifth of the stream."""
    rng = np.random.default_rng([seed, *name.encode()])
    clock, draw = streams[name]
    values = draw(rng, clock)
    count = (1, 2, 1, 3, 0)[seed % 5]
    parts = np.linspace(0.2, 0.97, count + 1) * clock.count
    begins = np.array(
        [rng.uniform(parts[k], 0.2 * parts[k] + 0.8 * parts[k + 1]) for k in range(count)], dtype=np.int64
    )
    visible = sorted(accidents.keys() - (frozenset() if name in PATTERNED else OF_PATTERNS))
    kinds: list[str] = rng.choice(visible, count, replace=False).tolist() if count else []
    for at, kind in zip(begins.tolist(), kinds, strict=True):
        values = accidents[kind](rng, values, at, clock)
    return Labelled(name, clock.times, values, begins, tuple(kinds))
