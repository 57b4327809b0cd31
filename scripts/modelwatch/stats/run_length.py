"""How many points a control chart takes on average to signal (its average run length, ARL), computed, not simulated.

Points are independent and normal, ``shift`` standard deviations above the centre line; ``sides`` as in
``control_charts``. EWMA and CUSUM by integral equations (Crowder 1987, Technometrics 29:401-407; Goel and Wu 1971,
Technometrics 13:221-230) on Gauss-Legendre nodes; run rules by the Markov chain of their zones (Champ and Woodall 1987,
Technometrics 29:393-399).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from .arrays import Floats, Ints
from .control_charts import ewma_deviation

_NODES = 64
_FAR = 8.0
"""Standard deviations after which nothing is left."""
_FARTHEST = 100.0
"""No limit lies beyond this."""
_MIN_STEPS, _MAX_STEPS = 32, 100_000
Sides = tuple[float, ...]
BOTH: Sides = (1.0, -1.0)
UP: Sides = (1.0,)
DOWN: Sides = (-1.0,)


def _density(x: Floats) -> Floats:
    result: Floats = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return result


def _above(x: float) -> float:
    """P(Z > x)."""
    return math.erfc(x / math.sqrt(2)) / 2


@lru_cache(maxsize=1)
def _legendre() -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return nodes, weights


def _nodes(low: float, high: float) -> tuple[Floats, Floats]:
    """Places and weights of the Gauss-Legendre rule on an interval."""
    nodes, weights = _legendre()
    half = (high - low) / 2
    return low + half * (nodes + 1), half * weights


def shewhart_run_length(limit: float, sides: Sides = BOTH, shift: float = 0.0) -> float:
    """Mean number of points until one lies beyond ``limit``."""
    chance = sum(_above(limit - side * shift) for side in sides)
    return 1 / chance if chance > 0 else math.inf


def cusum_run_length(
    limit: float, allowance: float, sides: Sides = BOTH, shift: float = 0.0, head_start: float = 0.0
) -> float:
    """Mean number of points until a CUSUM reaches ``limit``; ``head_start`` as a share of it.

    Two sides by Kemp's identity, with head starts as in the appendix of Lucas and Crosier (1982).
    """
    lengths = [_one_sided_cusum(limit, allowance, side * shift, head_start) for side in sides]
    if len(sides) == 1:
        return lengths[0][1]
    (up, up_started), (down, down_started) = lengths
    return (up_started * down + down_started * up - up * down) / (up + down)


def _one_sided_cusum(limit: float, allowance: float, shift: float, head_start: float) -> tuple[float, float]:
    """Run lengths from 0 and from the head start: ``A(u) = 1 + A(0) P(Z < -u) + integral of A(x) f(x - u)``."""
    places, weights = _nodes(0.0, limit)
    from_places = np.concatenate([[0.0], places])
    drift = allowance - shift
    step = weights * _density(places + drift - from_places[:, None])
    to_zero = np.array([_above(place - drift) for place in from_places])
    matrix = np.eye(_NODES + 1) - np.column_stack([to_zero, step])
    lengths = np.linalg.solve(matrix, np.ones(_NODES + 1))
    begin = head_start * limit
    at_start = 1 + lengths[0] * _above(begin - drift) + weights * _density(places + drift - begin) @ lengths[1:]
    return float(lengths[0]), float(at_start)


def ewma_run_length(
    limit: float, smoothing: float, sides: Sides = BOTH, shift: float = 0.0, *, steady: bool = False
) -> float:
    """Mean number of points until the average lies beyond ``limit`` of its own standard deviations.

    ``steady``: limits as wide from the first point on as they become in the end, as in published tables.
    """
    final = math.sqrt(smoothing / (2 - smoothing))
    settled = 0 if steady else math.ceil(math.log(1e-6) / (2 * math.log1p(-smoothing))) if smoothing < 1 else 0
    edges = limit * ewma_deviation(settled, smoothing)
    places, density = np.zeros(1), np.ones(1)  # density times weight: everything starts at 0
    total = 0.0
    for edge in edges.tolist():
        total += float(density.sum())
        low, high = _inside(edge, limit, final, sides, shift)
        reached, weights = _nodes(low, high)
        density = weights * (_ewma_step(reached, places, smoothing, shift) @ density)
        places = reached
    low, high = _inside(limit * final, limit, final, sides, shift)
    nodes, weights = _nodes(low, high)
    matrix = np.eye(_NODES) - _ewma_step(nodes, nodes, smoothing, shift).T * weights
    lengths = np.linalg.solve(matrix, np.ones(_NODES))
    onward = 1 + (weights * lengths) @ _ewma_step(nodes, places, smoothing, shift)
    return total + float(onward @ density)


def _inside(edge: float, limit: float, final: float, sides: Sides, shift: float) -> tuple[float, float]:
    """Between which bounds the average goes on, where a side without a limit ends far away."""
    far = final * max(_FAR, limit)
    low = -edge if -1.0 in sides else min(shift, 0.0) - far
    return low, edge if 1.0 in sides else max(shift, 0.0) + far


def _ewma_step(to: Floats, start: Floats, smoothing: float, shift: float) -> Floats:
    """Density of the next average at ``to`` (rows) from ``start`` (columns)."""
    move = (to[:, None] - (1 - smoothing) * start) / smoothing - shift
    return _density(move) / smoothing


def limit_for(run_length: float, arl: Callable[[float], float]) -> float:
    """The limit at which a chart's in-control run length, which ``arl`` gives, is ``run_length``; 3 digits behind the
    point."""

    def is_too_short(limit: float) -> bool:
        # Far out the equations are singular to rounding: every length is long enough there.
        length = arl(limit)
        return 0 < length < run_length

    low, high = 0.01, 4.0
    while is_too_short(high) and high < _FARTHEST:
        low, high = high, 1.5 * high
    while high - low > 5e-4:
        middle = (low + high) / 2
        low, high = (middle, high) if is_too_short(middle) else (low, middle)
    return high


@lru_cache(maxsize=1024)
def shewhart_limit(run_length: float, sides: Sides = BOTH) -> float:
    return limit_for(run_length, lambda limit: shewhart_run_length(limit, sides))


@lru_cache(maxsize=1024)
def cusum_limit(run_length: float, allowance: float, sides: Sides = BOTH, head_start: float = 0.0) -> float:
    return limit_for(run_length, lambda limit: cusum_run_length(limit, allowance, sides, head_start=head_start))


@lru_cache(maxsize=1024)
def ewma_limit(run_length: float, smoothing: float, sides: Sides = BOTH) -> float:
    return limit_for(run_length, lambda limit: ewma_run_length(limit, smoothing, sides))


@lru_cache(maxsize=256)
def western_electric_run_length(rules: tuple[int, ...], sides: Sides = BOTH, shift: float = 0.0) -> float:
    """Exact; 91.75 for all four on both sides (Champ and Woodall 1987, table 1)."""
    names = {1: "beyond", 2: "two of three", 3: "four of five", 4: "eight"}
    return _zone_run_length(frozenset(names[rule] for rule in rules), sides, shift)


@lru_cache(maxsize=256)
def nelson_run_length(rules: tuple[int, ...], sides: Sides = BOTH, shift: float = 0.0) -> float:
    """Rules about zones exactly; with rules 3 and 4, about order, both rates are added, which takes the two
    kinds as independent."""
    names = {1: "beyond", 2: "nine", 5: "two of three", 6: "four of five", 7: "within", 8: "outside"}
    zones = frozenset(names[rule] for rule in rules if rule in names)
    order = frozenset(rule for rule in rules if rule in (3, 4))
    rate = 1 / _zone_run_length(zones, sides, shift) if zones else 0.0
    rate += 1 / _order_run_length(order, sides) if order else 0.0
    return 1 / rate if rate else math.inf


_SAME_SIDE = {"eight": 8, "nine": 9}
_State = tuple[int, int, int, tuple[int, ...], tuple[int, ...]]
"""Length of the run on one side (signed), of those within and outside 1 sigma; the side of the newest 2 points that
lie beyond 2 sigma and of the newest 4 beyond 1 (0: not beyond)."""


def _zone_run_length(rules: frozenset[str], sides: Sides, shift: float) -> float:
    zones = [side * zone for side in (-1, 1) for zone in (1, 2, 3, 4)]
    chances = np.array([_zone_chance(zone, shift) for zone in zones])
    start: _State = (0, 0, 0, (), ())
    index, queue, moves = {start: 0}, [start], []
    for state in queue:
        row = []
        for zone in zones:
            reached = _next_state(state, zone, rules, sides)
            if reached is not None and reached not in index:
                index[reached] = len(queue)
                queue.append(reached)
            row.append(-1 if reached is None else index[reached])
        moves.append(row)
    count = len(queue)
    target: Ints = np.array(moves)
    target[target < 0] = count
    mass = np.zeros(count)
    mass[0] = 1.0

    def step(mass: Floats) -> Floats:
        return np.bincount(target.ravel(), (mass[:, None] * chances).ravel(), count + 1)[:count].astype(np.float64)

    return _sum_of_survival(mass, step)


def _zone_chance(zone: int, shift: float) -> float:
    """Chance of 0 to 1, 1 to 2, 2 to 3 or beyond 3 standard deviations on one side."""
    side = 1 if zone > 0 else -1
    near = _above(abs(zone) - 1 - side * shift)
    return near - (_above(abs(zone) - side * shift) if abs(zone) < 4 else 0.0)


def _next_state(state: _State, zone: int, rules: frozenset[str], sides: Sides) -> _State | None:
    """Only what some rule looks at is remembered; ``None``: a signal."""
    run, within, outside, last_two, last_four = state
    side, size = (1 if zone > 0 else -1), abs(zone)
    alerts = float(side) in sides
    run = side * min(abs(run) + 1 if run * side > 0 else 1, 9) if rules & _SAME_SIDE.keys() else 0
    within = within + 1 if size == 1 and "within" in rules else 0
    outside = outside + 1 if size > 1 and "outside" in rules else 0
    two, four = (side if size > 2 else 0), (side if size > 1 else 0)
    signal = (
        ("beyond" in rules and size > 3 and alerts)
        or any(name in rules and abs(run) >= length and alerts for name, length in _SAME_SIDE.items())
        or within >= 15
        or outside >= 8
        or ("two of three" in rules and two != 0 and alerts and two in last_two)
        or ("four of five" in rules and four != 0 and alerts and last_four.count(four) >= 3)
    )
    if signal:
        return None
    if not alerts:
        two = four = 0
        run = 0 if rules & _SAME_SIDE.keys() else run
    return (
        run,
        within,
        outside,
        (*last_two, two)[-2:] if "two of three" in rules else (),
        (*last_four, four)[-4:] if "four of five" in rules else (),
    )


def _sum_of_survival(mass: Floats, step: Callable[[Floats], Floats]) -> float:
    """Sum of the chances to be without a signal after 0, 1, ... points; from where they fall geometrically, in closed
    form."""
    total, alive, rate = 0.0, float(mass.sum()), 1.0
    for count in range(_MAX_STEPS):
        total += alive
        mass = step(mass)
        left = float(mass.sum())
        before, rate, alive = rate, left / alive if alive > 0 else 0.0, left
        if alive < 1e-15 or (count > _MIN_STEPS and abs(rate - before) < 1e-13):
            break
    return total + alive / (1 - rate) if rate < 1 else math.inf


_CELLS = 128


def _order_run_length(rules: frozenset[int], sides: Sides) -> float:
    """Of Nelson's rules 3 and 4, which look at which of two neighbours is larger: for any continuous distribution.

    Values are uniform, in equal cells, half of each of which lies below and half above its own values. A state is the
    direction of the newest step, and how many steps went its way (3) or alternated (4).
    """
    trend, alternation = (5 if 3 in rules else 0), (13 if 4 in rules else 0)
    states = [(d, same, 1) for d in (1, -1) for same in range(1, 6)] + [
        (d, 1, a) for d in (1, -1) for a in range(2, 14)
    ]
    place = {state: row for row, state in enumerate(states)}
    mass = np.zeros((len(states) + 1, _CELLS))
    mass[-1] = 1 / _CELLS

    def step(mass: Floats) -> Floats:
        moved = np.zeros_like(mass)
        below = (np.cumsum(mass, axis=1) - mass / 2) / _CELLS
        above = mass.sum(axis=1, keepdims=True) / _CELLS - below
        for direction, chance in ((1, below), (-1, above)):
            for row, (last, same, turns) in enumerate([*states, (0, 0, 0)]):
                count = same + 1 if direction == last else 1
                run = turns + 1 if last == -direction else 1
                if trend and count >= trend and float(direction) in sides:
                    continue
                if alternation and run >= alternation:
                    continue
                moved[place[(direction, min(count, 5), min(run, 13) if count == 1 else 1)]] += chance[row]
        return moved

    # The first step of all sees one point, which no rule can judge.
    return _sum_of_survival(mass, step) + 1
