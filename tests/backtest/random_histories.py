"""Random models and what they logged, for the comparison of replays with live evaluations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from modelwatch.config.loader import load_config
from modelwatch.model.monitored_model import Config
from modelwatch.model.release import Move, MoveState, MoveVerb, Registry, Version
from modelwatch.timeutil import DAY, HOUR

START = 20_000 * DAY
REGIONS = ("eu", "us", "na")
Row = dict[str, Any]

ISSUE, PAGE = "do: [issue]", "do: [issue, page]"
WEEK = "baseline: {rolling: 7d}"
RULES = {
    "accuracy": f"""kind: accuracy-drop, metric: eval/accuracy, weight: eval/n, {WEEK}, window: WINDOW,
        segments: "eval/region=*/accuracy", tiers: {{warning: {{drop: 2%, {ISSUE}}},
        error: {{drop: 4%, do: [issue, page, retrain]}}, critical: {{drop: 9%, do: [issue, page, rollback]}}}}""",
    "static": f"""kind: accuracy-drop, metric: eval/accuracy, weight: eval/n, better: higher, window: WINDOW,
        tiers: {{warning: {{below: 90%, {ISSUE}}}, error: {{below: 86%, {PAGE}}}}}""",
    "latency": f"""kind: latency, metric: ops/latency, better: lower, {WEEK}, window: WINDOW,
        tiers: {{warning: {{rise: 15%, {ISSUE}}}, error: {{rise: 35%, {PAGE}}}}}""",
    "tail": f"""kind: latency, metric: ops/latency, aggregate: p95, better: lower, {WEEK}, window: 1d,
        tiers: {{warning: {{rise: 15%, {ISSUE}}}}}""",
    "spread": f"""kind: latency, metric: ops/latency, better: lower, {WEEK}, window: WINDOW,
        tiers: {{warning: {{sigma: 4, {ISSUE}}}}}""",
    "chart": f"""kind: calibration, metric: eval/ece, better: lower, {WEEK}, window: WINDOW,
        tiers: {{warning: {{chart: {{cusum: {{shift: 1.5}}}}, {ISSUE}}}, error: {{chart: shewhart, {PAGE}}}}}""",
    "orders": f"""kind: business-metric, metric: business/orders, anomaly: {{memory: 4w}}, better: higher,
        window: WINDOW, tiers: {{warning: {{{ISSUE}}}, error: {{{PAGE}}}}}""",
    "psi": f"""kind: data-drift, metric: drift/feature=age/psi, window: 1d, every: 6h,
        tiers: {{warning: {{above: 0.2, {ISSUE}}}}}""",
    "histogram": f"""kind: data-drift, drift: "features/*", method: psi, window: 1d, every: 12h, {WEEK},
        tiers: {{warning: {{above: 0.2, {ISSUE}}}}}""",
    "volume": f"""kind: data-quality, metric: data/rows, aggregate: sum, better: higher, {WEEK}, window: 6h,
        tiers: {{warning: {{drop: 40%, {ISSUE}}}}}""",
    "loose": f"""kind: error-rate, metric: ops/errors, better: lower, window: WINDOW, for: 2,
        tiers: {{warning: {{above: 6%, {ISSUE}}}}}""",
}
"""By name, of every family of detectors."""


@dataclass(frozen=True)
class RandomHistory:
    """What models logged: rows as W&B has them, by model."""

    config: Config
    rows: dict[str, list[Row]]
    end: float
    registries: dict[str, Registry]
    """Of models with a release."""


def random_history(seed: int, folder: Path, days: int = 42) -> RandomHistory:
    """The same for each seed. ``folder``: where the configuration is written."""
    random = np.random.default_rng(seed)
    names = ["churn", "ranking"][: 1 + (random.random() < 0.35)]
    text = ["version: 1", "models:"]
    for name in names:
        text += _model(name, names, random)
    (folder / "modelwatch.yml").write_text("\n".join(text) + "\n", "utf-8")
    config = load_config(folder / "modelwatch.yml", {"PAGES": "k" * 32, "TOKEN": "t" * 20})
    incidents = [_incident(random, days) for _ in range(int(random.integers(1, 5)))]
    rows = {name: sorted(_rows(random, days, incidents), key=lambda row: row["_timestamp"]) for name in names}
    released = [model.name for model in config.models if model.release is not None]
    registries = {name: _registry(name, rows[name], random, days) for name in released}
    return RandomHistory(config, rows, START + days * DAY, registries)


def _registry(name: str, rows: list[Row], random: np.random.Generator, days: int) -> Registry:
    """The moves behind what was served, a canary before the second version, and others at random."""
    moves: list[Move] = []

    def move(verb: MoveVerb, target: str, source: str, time: float) -> None:
        failed = random.random() < 0.25
        state = MoveState.FAILED if failed else MoveState.DONE
        before = (("production", source), ("previous", "")) if verb is not MoveVerb.CANARY else (("canary", ""),)
        key = f"{verb}-{len(moves)}"
        own = Move(key, verb, name, source, target, "because", "ana", time, before, state=state)
        moves.append(replace(own, ended=time + float(random.choice([60.0, 1200.0, 3 * HOUR]))))

    serving = ""
    for row in rows:
        version = row["model_version"]
        if version != serving:
            verb = MoveVerb.ROLLBACK if version == "v1" and serving else MoveVerb.PROMOTE
            if verb is MoveVerb.PROMOTE and serving and random.random() < 0.5:
                move(MoveVerb.CANARY, version, serving, row["_timestamp"] - 12 * HOUR)
            move(verb, version, serving, row["_timestamp"] - 600.0)
            serving = version
    for _ in range(int(random.integers(0, 3))):
        verb = MoveVerb(random.choice(["retrain", "rollback", "abort", "degrade"]))
        move(verb, "v1", "v2", START + random.uniform(0.5, 1) * days * DAY)
    versions = [Version("v1", (), "a", START - DAY), Version("v2", ("production",), "b", START + 5 * DAY)]
    return Registry(name, f"a/b/{name}", tuple(versions[::-1]), tuple(sorted(moves, key=lambda one: -one.at)))


def _model(name: str, names: list[str], random: np.random.Generator) -> Iterator[str]:
    event_time = ", time: at" if random.random() < 0.6 else ""
    token = ', token: "${TOKEN}"' if random.random() < 0.5 else ""
    yield f"  - name: {name}"
    yield f"    wandb: {{entity: a, project: {name}, version: model_version{event_time}}}"
    yield "    github: {repository: acme/models}"
    yield f'    pagerduty: {{routing_key: "${{PAGES}}"{token}}}'
    yield "    workflows: {retrain: {file: retrain.yml, mode: act}, rollback: {file: rollback.yml, mode: act}}"
    yield f"    history: {random.choice(['5d', '10d', '29d'])}"
    if len(names) > 1 and name == names[1]:
        yield f"    depends_on: [{names[0]}]"
    if random.random() < 0.4:
        yield f"    release: {{artifact: a/b/{name}}}"
    if random.random() < 0.3:
        yield "    calendar: {country: DE, history: 30d}"
    if random.random() < 0.3:
        yield '    hours: {days: [mon, fri], from: "08:00", to: "17:00"}'
    if random.random() < 0.25:
        yield "    false_alarms: off"
    if random.random() < 0.2:
        yield "    improvement: {do: [issue]}"
    yield "    rules:"
    chosen = random.choice(list(RULES), size=int(random.integers(3, 7)), replace=False)
    for rule in [each for each in RULES if each in chosen]:
        lag = f", lag: {random.choice(['1h', '2h'])}" if random.random() < 0.4 else ""
        yield f"      - {{name: {rule}, {RULES[rule].replace('WINDOW', random.choice(['6h', '12h', '1d']))}{lag}}}"


@dataclass(frozen=True)
class _Incident:
    first: float
    last: float
    size: float
    parts: tuple[str, ...]


def _incident(random: np.random.Generator, days: int) -> _Incident:
    first = random.uniform(0.45 * days, days)
    parts = ("whole", "eu", "latency", "ece", "orders", "drift", "rows", "errors", "gap")
    chosen = random.choice(parts, size=int(random.integers(1, 5)), replace=False)
    size = float(random.choice([0.3, 0.6, 1.0, 2.0]))
    return _Incident(first, first + random.uniform(0.2, 5), size, tuple(map(str, chosen)))


def _rows(random: np.random.Generator, days: int, incidents: list[_Incident]) -> Iterator[Row]:
    second = random.uniform(0.4, 0.9) * days if random.random() < 0.7 else np.inf
    back = second + random.uniform(0.5, 4) if random.random() < 0.6 else np.inf
    overlap = random.random() < 0.3
    comes, goes = sorted(random.uniform(0.3, 1.2, 2) * days)
    drift = 0.003 * (random.random() < 0.25)
    for hour in range(days * 24):
        day = hour / 24
        time = START + hour * HOUR + float(random.choice([0.0, 60.0, 1800.0]))

        def size(part: str, day: float = day) -> float:
            return sum(one.size for one in incidents if one.first < day < one.last and part in one.parts)

        if size("gap") or random.random() < 0.02:
            continue
        version = "v2" if second <= day < back else "v1"
        if overlap and second <= day < second + 0.5 and hour % 3 == 0:
            version = "v1"
        row: Row = {"model_version": version}
        accuracy = 0.93 - 0.05 * size("whole") - drift * max(0.0, day - days / 2)
        total = right = 0.0
        for region in REGIONS:
            if region == "na" and comes < day < goes:
                continue
            count = float(random.integers(50, 150))
            hits = float(random.binomial(int(count), min(1, max(0, accuracy - 0.08 * size("eu") * (region == "eu")))))
            row[f"eval/region={region}/accuracy"], row[f"eval/region={region}/n"] = hits / count, count
            total, right = total + count, right + hits
        row["eval/accuracy"], row["eval/n"] = right / total, total
        row["ops/latency"] = float(100 * np.exp(random.normal(0, 0.08)) * (1 + 0.4 * size("latency")))
        row["eval/ece"] = float(0.05 + abs(random.normal(0, 0.01)) + 0.04 * size("ece"))
        weekday = 1 + 0.3 * np.sin(2 * np.pi * day) + 0.2 * (int(day) % 7 < 5)
        row["business/orders"] = float(random.poisson(200 * weekday * max(0.1, 1 - 0.4 * size("orders"))))
        row["data/rows"] = float(random.poisson(1000) * max(0.0, 1 - 0.5 * size("rows")))
        row["ops/errors"] = float(random.beta(4, 96) + 0.04 * size("errors"))
        row["drift/feature=age/psi"] = float(abs(random.normal(0.05, 0.02)) + 0.2 * size("drift"))
        if hour % 6 == 0:
            sample = random.normal(0.8 * size("drift"), 1, 400)
            counts, edges = np.histogram(sample, bins=20, range=(-5, 5))
            row["features/age"] = {"_type": "histogram", "values": counts.tolist(), "bins": edges.tolist()}
        if random.random() < 0.01:
            row[str(random.choice(["ops/latency", "eval/ece", "eval/accuracy"]))] = float("nan")
        late = random.random()
        delay = 0.0 if late < 0.9 else float(random.uniform(0, 8) * HOUR)
        yield {**row, "at": time, "_timestamp": time + delay}
        if random.random() < 0.01:
            again = {**row, "eval/accuracy": row["eval/accuracy"] - 0.03, "ops/latency": row["ops/latency"] * 1.5}
            yield {**again, "at": time, "_timestamp": time + delay + float(random.uniform(1, 48) * HOUR)}
