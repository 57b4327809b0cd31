"""The tables of the cases, made by small formulas; seeded, so that they come out the same every time."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from math import nan, pi, sin
from pathlib import Path
from random import Random

from modelwatch.model.keys import key_of

HERE = Path(__file__).parent
HOUR = 3600.0
END = 1_795_176_000.0
"""2026-11-20 12:00 UTC; hour 0 below, and hour -1 is 11:00."""

Row = dict[str, float | int | str]
Rows = Callable[[Random], Iterator[tuple[float, Row]]]
"""Gives (hour before the end, as a negative number; cells)."""
MAKERS: dict[str, Rows] = {}


def case(name: str) -> Callable[[Rows], Rows]:
    def keep(rows: Rows) -> Rows:
        MAKERS[name] = rows
        return rows

    return keep


def make_all() -> None:
    for name, rows in MAKERS.items():
        write(HERE / name / "series.csv", list(rows(Random(name))))


def write(path: Path, rows: list[tuple[float, Row]]) -> None:
    columns = list(dict.fromkeys(column for _, row in rows for column in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["time", *columns])
        for hour, row in rows:
            time = datetime.fromtimestamp(END + hour * HOUR, UTC).strftime("%Y-%m-%dT%H:%MZ")
            writer.writerow([time, *(cell(row.get(column, "")) for column in columns)])


def cell(value: float | int | str) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) and value == value else str(value)


def hours(days: float) -> range:
    """The hours of so many days up to the end."""
    return range(-round(days * 24) + 1, 1)


def share(random: Random, p: float, n: int) -> float:
    """A share of ``n`` trials that succeed with ``p``; the normal approximation will do."""
    return min(1.0, max(0.0, random.gauss(p, (p * (1 - p) / n) ** 0.5)))


def accuracy(random: Random, p: float, n: int = 2000) -> Row:
    return {"eval/accuracy": share(random, p, n), "eval/n": n}


@case("healthy")
def _healthy(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(10):
        yield hour, {"version": "v6", **accuracy(random, 0.92), "serve/latency_ms": random.gauss(120, 8)}


@case("derived-warning")
def _derived(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(10):
        yield hour, {"version": "v6", **accuracy(random, 0.92 if hour < -30 else 0.834)}


@case("critical-drop")
def _critical(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(10):
        bad = hour > -30
        yield hour, {"version": "v7" if bad else "v6", **accuracy(random, 0.78 if bad else 0.92)}


@case("segment-drop")
def _segment(random: Random) -> Iterator[tuple[float, Row]]:
    shares = {"apac": (200, 0.915), "eu": (700, 0.925), "latam": (100, 0.91), "na": (1000, 0.92)}
    for hour in hours(10):
        row: Row = {"version": "v6"}
        right = 0.0
        for region, (n, p) in shares.items():
            bad = region == "latam" and hour > -40
            row[f"eval/region={region}/accuracy"] = found = share(random, 0.80 if bad else p, n)
            row[f"eval/region={region}/n"] = n
            right += found * n
        yield hour, row | {"eval/accuracy": right / 2000, "eval/n": 2000}


@case("latency-above")
def _latency(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(4):
        for part in (0.75, 0.5, 0.25, 0.0):
            slow = hour > -5
            yield hour - part, {"serve/latency_ms": random.lognormvariate(0, 0.3) * (310 if slow else 110)}


@case("ratio")
def _ratio(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(5):
        requests = round(5000 * (1 + 0.5 * sin(hour / 24 * 2 * pi)))
        errors = round(requests * share(random, 0.004 if hour < -8 else 0.031, requests))
        yield hour, {"serve/errors": errors, "serve/requests": requests}


@case("seasonal")
def _seasonal(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(42):
        weekday = ((hour + 12) // 24 + 4) % 7  # the last one is a Friday
        level = 900 * (1 + 0.6 * sin((hour - 6) / 24 * 2 * pi)) * (0.5 if weekday >= 5 else 1)
        yield hour, {"business/orders": round(level * random.gauss(1, 0.03) * (0.7 if hour > -9 else 1))}


@case("slow-rot")
def _rot(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(80)[::3]:
        age = max(0.0, hour / 24 + 45)
        yield hour, {"version": "v6", **accuracy(random, 0.92 - 0.0011 * age, 6000)}


@case("version-change")
def _version(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(10):
        new = hour > -6
        yield hour, {"version": "v7" if new else "v6", **accuracy(random, 0.85 if new else 0.92)}


@case("undecided")
def _undecided(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(10):
        yield hour, {"version": "v6", **accuracy(random, 0.92 if hour < -12 else 0.90, 400 if hour < -12 else 12)}


@case("no-data")
def _no_data(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(10):
        if hour < -36:
            yield hour, {"version": "v6", **accuracy(random, 0.92)}


@case("improvement")
def _improvement(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(10):
        yield hour, {"version": "v6", **accuracy(random, 0.92 if hour < -20 else 0.999)}


@case("silenced")
def _silenced(random: Random) -> Iterator[tuple[float, Row]]:
    yield from MAKERS["critical-drop"](random)


@case("inhibited")
def _inhibited(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(6):
        broken = hour > -10
        row: Row = {"data/null_rate": random.uniform(0.18, 0.22) if broken else random.uniform(0, 0.01)}
        yield hour, row | {"features/age/psi": abs(random.gauss(0.4 if broken else 0.03, 0.01))}


@case("drift-sugar")
def _drift(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(6)[::6]:
        row: Row = {f"features/{name}/psi": abs(random.gauss(0.03, 0.01)) for name in ("age", "tenure")}
        row["features/income/psi"] = random.gauss(0.03 if hour < -48 else 0.31, 0.01)
        yield hour, row | {"features/plan/psi": random.gauss(0.13, 0.004)}


@case("drift-across")
def _across(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(6)[::6]:
        late = hour > -30
        row: Row = {f"features/{name}/psi": abs(random.gauss(0.03, 0.01)) for name in ("age", "plan", "region")}
        row["features/income/psi"] = random.gauss(0.31 if late else 0.03, 0.01)
        row["features/tenure/psi"] = random.gauss(0.17 if late else 0.03, 0.01)
        row["features/bio/classifier_auc"] = random.gauss(0.66 if late else 0.5, 0.005)
        yield hour, row | {"features/bio/n": 900}


@case("override")
def _override(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(10):
        new = hour > -48
        yield hour, {"version": "v7-canary" if new else "v6", **accuracy(random, 0.88 if new else 0.92)}


@case("pending")
def _pending(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(10):
        yield hour, {"version": "v6", **accuracy(random, 0.92 if hour < 0 else 0.55)}


@case("late-and-nan")
def _late(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(10):
        row: Row = {"version": "v6", **accuracy(random, 0.92 if hour < -30 else 0.85)}
        if hour % 7 == 0:
            row["eval/accuracy"] = nan if hour % 2 else "inf"
        yield hour, row
    for hour in (30, 31, 32):
        yield hour, {"version": "v6", **accuracy(random, 0.1)}


@case("recovering")
def _recovering(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(10):
        bad = -40 < hour <= -9
        yield hour, {"version": "v6", **accuracy(random, 0.84 if bad else 0.92)}


@case("recovered")
def _recovered(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(10):
        bad = -60 < hour <= -24
        yield hour, {"version": "v6" if hour <= -60 or hour > -24 else "v7", **accuracy(random, 0.84 if bad else 0.92)}


@case("worse")
def _worse(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(10):
        level = 0.92 if hour < -40 else 0.89 if hour < -10 else 0.85
        yield hour, {"version": "v6", **accuracy(random, level)}


@case("segment-gone")
def _gone(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(10):
        row: Row = {"version": "v6", **accuracy(random, 0.92)}
        for region in ("eu", "na"):
            if region == "na" or hour < -100:
                row |= {f"eval/region={region}/accuracy": share(random, 0.92, 1000), f"eval/region={region}/n": 1000}
        yield hour, row


HOSTILE = (
    "@acme/sre [click](https://evil.example)",
    "<img src=x onerror=alert(1)>",
    "|cell| `code` ``` fence",
    "--><script>",
    "\u202eright to left \u200b",
    "/modelwatch silence 30d",
)


@case("hostile-labels")
def _hostile(random: Random) -> Iterator[tuple[float, Row]]:
    for hour in hours(6):
        row: Row = {"version": "v6` @acme #1 ::error::"}
        for place, label in enumerate(HOSTILE):
            level = 0.92 if hour < -10 else 0.70 + place / 100
            row[key_of("eval/accuracy", (("plan", label),))] = share(random, level, 900)
            row[key_of("eval/n", (("plan", label),))] = 900
        yield hour, row | {"eval/accuracy": 0.9, "eval/n": 5400}
