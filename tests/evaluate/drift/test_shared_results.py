"""Rules that share their bins say what each of them says alone."""

from __future__ import annotations

from array import array

import numpy as np

from modelwatch.evaluate.drift.references import SharedResults
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import BaselineEntry, BaselineKind, BaselineSpec, Limit, LimitKind, Rule, Tier
from modelwatch.model.series import Histograms, PulledSeries
from modelwatch.model.severity import Severity
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.wandb_histogram import to_histogram
from modelwatch.timeutil import DAY, HOUR

DAYS = 20
METHODS = ("psi", "jensen_shannon", "chi_square", "ks", "wasserstein")
Bins = tuple["array[float]", "array[float]"]


def numbers(random: np.random.Generator, shift: float) -> Bins:
    counts, edges = np.histogram(random.normal(shift, 1.0, 700), bins=np.linspace(-8, 8, 65))
    return array("d", edges), array("d", counts)


def cities(random: np.random.Generator, shift: float) -> Bins:
    counts = random.multinomial(700, np.array([5, 4 + 3 * shift, 3, 2, 1]) / (15 + 3 * shift))
    made = to_histogram(CategoricalProfile.of({f"city {place}": int(count) for place, count in enumerate(counts)}))
    assert made is not None
    return array("d", made[0]), array("d", made[1])


def feature(name: str, label: str, seed: int) -> tuple[Histograms, BaselineEntry]:
    """Half of its days are shifted."""
    random, make = np.random.default_rng(seed), cities if name.endswith("categories") else numbers
    rows = [make(random, 0.3 * (day >= DAYS // 2)) for day in range(DAYS)]
    edges, counts = make(random, 0.0)
    labels = (("features", label),)
    times = array("d", [DAY * (1 + day) for day in range(DAYS)])
    columns = tuple(row[0] for row in rows), tuple(row[1] for row in rows)
    series = Histograms(name, labels, times, *columns, (), array("i", [-1] * DAYS))
    return series, BaselineEntry(name, labels, 0.0, n=700.0, edges=tuple(edges), counts=tuple(counts))


def rules(entries: tuple[BaselineEntry, ...]) -> list[Rule]:
    """Each method over two windows, against two references; with and without a budget of false alarms."""
    file = BaselineSpec(BaselineKind.FILE, path="train.json", entries=entries)
    rolling = BaselineSpec(BaselineKind.ROLLING, length=7 * DAY)
    limits = (Limit(LimitKind.ABOVE, 0.1),)
    return [
        Rule(
            f"{method} {window} {budget}",
            "drift",
            KeyPattern(f"features/*/{method}"),
            (Tier(Severity.WARNING, limits, ("issue",), false_alarms=budget),),
            window=window,
            every=12 * HOUR,
            baseline=rolling,
            also=(file,),
        )
        for method in METHODS
        for window in (DAY, 3 * DAY)
        for budget in (None, 90 * DAY)
    ]


def test_rules_say_together_what_each_says_alone() -> None:
    names = (("features", "age"), ("features", "income"), ("features/categories", "city"))
    features, entries = zip(*(feature(name, label, seed) for seed, (name, label) in enumerate(names)), strict=True)
    now, pull = DAY * DAYS, PulledSeries("m", (), histograms=tuple(features))
    together = rules(entries)
    found = evaluate_model(Model("m", tuple(together), history=DAYS * DAY), pull, now)
    alone = [evaluate_model(Model("m", (rule,), history=DAYS * DAY), pull, now) for rule in rules(entries)]
    assert len(found.tracks) == len(together) * len(features)
    assert [repr(track) for track in found.tracks] == [repr(track) for one in alone for track in one.tracks]
    assert {track.finding(-1).outcome.value for track in found.tracks} >= {"ok", "breach"}


def test_what_finds_no_room_is_computed_again() -> None:
    shared, calls = SharedResults(room=10), list[str]()

    def compute(name: str) -> str:
        calls.append(name)
        return name

    for name, size in (("a", 8), ("b", 3), ("a", 8), ("b", 3), ("c", 2), ("c", 2)):
        assert shared.get(name, lambda name=name: compute(name), lambda _, size=size: size) == name  # type: ignore[misc]
    assert calls == ["a", "b", "b", "c"]
