"""Drift rules judge the profiles that ``measure`` published: near the truth of the raw values, at a bounded price."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from modelwatch.errors import SourceError
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.drift import FeatureDrift
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model, WandbSpec
from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.model.rule import BaselineKind, BaselineSpec, Limit, LimitKind, Rule, Tier
from modelwatch.model.series import Histograms, PulledSeries
from modelwatch.model.severity import Severity
from modelwatch.series_jsonl import decode, encode
from modelwatch.sources.measured_profiles import MAX_ARTIFACTS, read_references, refine_histograms
from modelwatch.stats.profile.binning import choose_edges
from modelwatch.stats.profile.codec import to_bytes
from modelwatch.stats.profile.numeric import NumericProfile
from modelwatch.stats.profile.table import Profile, ProfileKey, TableProfile
from modelwatch.stats.profile.wandb_histogram import to_histogram
from modelwatch.timeutil import DAY, HOUR

Floats = NDArray[np.float64]
NOW = 20_000 * DAY
PATTERNS = tuple(map(KeyPattern, ("features/*", "features/*/histogram", "features/*/categories")))
RNG = np.random.default_rng(4)
REFERENCE = RNG.normal(50, 10, 20_000)
EDGES = choose_edges(REFERENCE)
SPECIFICATION = MeasureSpec(files="log.parquet", time="time")

NO_PROFILES = "drift is judged by the histograms in W&B's history, not by the profiles of `modelwatch measure`"


def values_of(days_ago: int) -> Floats:
    """The newest day moved, and 1 % of it lie 50 standard deviations away."""
    rng = np.random.default_rng(days_ago)
    values = rng.normal(53 if days_ago == 0 else 50, 10, 5000)
    if days_ago == 0:
        values[:50] = 550
    return np.asarray(values)


def profile(values: Floats) -> NumericProfile:
    return NumericProfile.of(values, EDGES)


def rule(method: str, place: Path) -> Rule:
    tiers = (Tier(Severity.WARNING, (Limit(LimitKind.ABOVE, 0.01),), ("issue",)),)
    reference = BaselineSpec(BaselineKind.FILE, path="train.npz", profile="some", place=str(place / "train.npz"))
    return Rule(method, "data-drift", KeyPattern(f"features/*/{method}"), tiers, every=DAY, baseline=reference)


def model(place: Path, *methods: str, spec: MeasureSpec = SPECIFICATION) -> Model:
    (place / "train.npz").write_bytes(to_bytes(Profile({ProfileKey(): TableProfile(1, {"age": profile(REFERENCE)})})))
    rules = tuple(rule(method, place) for method in methods)
    return Model("churn", rules, wandb=WandbSpec("acme", "churn"), measure=spec, history=2 * DAY)


def history(days: int = 10, every: float = DAY) -> Histograms:
    """As ``measure`` logs it."""
    rows = []
    for place in reversed(range(days)):
        histogram = to_histogram(profile(values_of(place)), profile(REFERENCE))
        assert histogram is not None
        rows.append(tuple(array("d", side.tobytes()) for side in histogram))
    times = array("d", [NOW - place * every for place in reversed(range(days))])
    edges, counts = zip(*rows, strict=True)
    return Histograms("features", (("features", "age"),), times, edges, counts, ("v1",), array("i", [0] * days))


def published(place: Path, days: int = 10) -> Callable[[str], Path]:
    """The artifacts' folders; every second day was measured in two partitions."""
    folders: dict[str, Path] = {}
    for ago in range(days):
        start, date = NOW - (ago + 1) * DAY, np.datetime64(int(NOW - (ago + 1) * DAY), "s").item()
        folder = place / f"{date:%Y%m%d}"
        folder.mkdir()
        parts = np.array_split(values_of(ago), 2) if ago % 2 else [values_of(ago)]
        for part, values in enumerate(parts):
            table = TableProfile(len(values), {"age": profile(values)})
            content = to_bytes(Profile({ProfileKey(start, "v1"): table}))
            (folder / (f"part-{part}.npz" if ago % 2 else "profile.npz")).write_bytes(content)
        folders[f"acme/churn/profile-measured-churn-{date:%Y%m%d}-v1:latest"] = folder
    return lambda artifact: fetch(folders, artifact)


def refine(
    watched: Model, patterns: Sequence[KeyPattern], histograms: tuple[Histograms, ...], fetch: Callable[[str], Path]
) -> tuple[tuple[Histograms, ...], tuple[str, ...]]:
    with ThreadPoolExecutor(2) as executor:
        return refine_histograms(watched, patterns, histograms, fetch, executor)


def fetch(folders: Mapping[str, Path], artifact: str) -> Path:
    if artifact not in folders:
        raise SourceError(f"there is no {artifact}.")
    return folders[artifact]


def newest(watched: Model, histograms: tuple[Histograms, ...]) -> dict[str, FeatureDrift]:
    references, _ = read_references(watched.rules, Path)
    pull = PulledSeries("churn", (), histograms=histograms, references=references)
    [pull] = decode(encode([pull], NOW), Path("series.jsonl"))
    return {track.rule.name: track.drifted[0] for track in evaluate_model(watched, pull, NOW).tracks}


def test_a_rule_over_measured_profiles_says_what_scipy_says_of_the_raw_values(tmp_path: Path) -> None:
    watched = model(tmp_path, "wasserstein", "ks", "cvm")
    histograms, notes = refine(watched, PATTERNS, (history(),), published(tmp_path))
    assert notes == ()
    found, coarse = newest(watched, histograms), newest(watched, (history(),))
    current = values_of(0)
    square = stats.cramervonmises_2samp(REFERENCE, current).statistic * (1 / len(REFERENCE) + 1 / len(current))
    truth = {
        "wasserstein": stats.wasserstein_distance(REFERENCE, current) / REFERENCE.std(),
        "ks": stats.ks_2samp(REFERENCE, current).statistic,
        "cvm": square,
    }
    for name, exact in truth.items():
        assert found[name].value == pytest.approx(exact, rel=0.02)
        assert found[name].exact
        assert found[name].against[0].sure
        assert found[name].against[0].off == 0
        assert coarse[name].value == pytest.approx(exact, rel=0.25)
        assert not coarse[name].exact


def test_windows_without_a_profile_keep_their_histograms_and_are_counted(tmp_path: Path) -> None:
    watched = model(tmp_path, "ks")
    histograms, notes = refine(watched, PATTERNS, (history(),), published(tmp_path, 8))
    (note,) = notes
    assert note.startswith("2 of 10 windows of 1 feature have no profile from `modelwatch measure`: they are judged by")
    assert not histograms[0].exact
    assert newest(watched, histograms)["ks"].value > 0.1


def test_without_the_key_of_the_version_a_note_says_why_no_profile_is_found(tmp_path: Path) -> None:
    watched = model(tmp_path, "ks", spec=MeasureSpec(files="log.parquet", time="time", version="version"))
    logged = (history(),)
    histograms, (note,) = refine(watched, PATTERNS, logged, published(tmp_path))
    assert histograms == logged
    assert "without `wandb: {version}`" in note


def test_a_profile_of_other_rows_than_the_history_s_is_not_judged(tmp_path: Path) -> None:
    one = history()
    counts = (*one.counts[:-1], array("d", [7 + count for count in one.counts[-1]]))
    other = Histograms(one.name, one.labels, one.times, one.edges, counts, one.versions, one.version_of)
    histograms, _ = refine(model(tmp_path, "ks"), PATTERNS, (other,), published(tmp_path))
    assert histograms[0].counts[-1] == counts[-1]
    assert len(histograms[0].counts[-2]) > 2000


def test_where_nothing_was_published_one_call_is_made_and_the_histograms_stay(tmp_path: Path) -> None:
    calls: list[str] = []

    def missing(artifact: str) -> Path:
        calls.append(artifact)
        raise SourceError(f"there is no {artifact}.")

    one = history()
    assert refine(model(tmp_path, "ks"), PATTERNS, (one,), missing) == (
        (one,),
        (f"{NO_PROFILES}: there is no {calls[0]}.",),
    )
    assert len(calls) == 1


def test_too_many_days_or_windows_are_judged_by_their_histograms(tmp_path: Path) -> None:
    watched = model(tmp_path, "ks")
    many = history(MAX_ARTIFACTS + 1)
    histograms, [note] = refine(watched, PATTERNS, (many,), published(tmp_path))
    assert histograms == (many,)
    assert f"they span {MAX_ARTIFACTS + 1} profiles" in note
    hourly = model(tmp_path, "ks", spec=MeasureSpec(files="log.parquet", time="time", window=HOUR))
    frequent = history(2100, HOUR)
    histograms, [note] = refine(hourly, PATTERNS, (frequent,), published_once(tmp_path))
    assert histograms == (frequent,)
    assert "too many" in note or "at most" in note


def published_once(place: Path) -> Callable[[str], Path]:
    folder = place / "hours"
    folder.mkdir()
    table = TableProfile(1, {"age": profile(values_of(0))})
    (folder / "profile.npz").write_bytes(to_bytes(Profile({ProfileKey(NOW - HOUR, "v1"): table})))
    return lambda _: folder


def test_a_log_that_was_not_measured_is_left_alone(tmp_path: Path) -> None:
    watched = Model("churn", (rule("ks", tmp_path),), wandb=WandbSpec("acme", "churn"))
    assert refine(watched, PATTERNS, (history(),), published(tmp_path))[1] == ()
