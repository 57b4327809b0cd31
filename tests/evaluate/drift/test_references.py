"""References of drift rules: captured profiles, histograms in baseline files, other versions, and several at once."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from modelwatch.evaluate.baseline_capture import capture_model
from modelwatch.evaluate.drift.logged_scores import _chance_limit
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.finding import Cause, ModelFindings, Outcome, Track
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import BaselineKind, BaselineSpec, FeatureAggregation, LimitKind, Rule
from modelwatch.model.series import Deployment, Histograms, PulledSeries
from modelwatch.sources.measured_profiles import read_references
from modelwatch.stats.profile.binning import choose_edges
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.codec import to_bytes
from modelwatch.stats.profile.numeric import NumericProfile
from modelwatch.stats.profile.table import ColumnProfile, Profile, ProfileKey, TableProfile
from modelwatch.stats.profile.wandb_histogram import to_histogram
from modelwatch.timeutil import DAY, HOUR

from ..making import NOW, rule, series, tier
from .comparing import compare_values

ROLLING = BaselineSpec(BaselineKind.ROLLING, length=7 * DAY)
DAYS = 18
Draw = Callable[[np.random.Generator, int], np.ndarray]


def numbers(mean: float = 0.0, size: int = 2000, seed: int = 0) -> NumericProfile:
    values = np.random.default_rng(seed).normal(mean, 1.0, size)
    return NumericProfile.of(values, choose_edges(np.random.default_rng(9).normal(size=20_000)))


def words(shares: Mapping[str, float], size: int = 2000, seed: int = 0) -> CategoricalProfile:
    drawn = np.random.default_rng(seed).multinomial(size, list(shares.values()))
    return CategoricalProfile.of({name: int(count) for name, count in zip(shares, drawn, strict=True) if count})


PLANS = {"free": 0.5, "basic": 0.3, "pro": 0.15, "team": 0.05}
REFERENCE: dict[str, ColumnProfile] = {"age": numbers(size=20_000, seed=1), "plan": words(PLANS, 20_000, 1)}


def written(folder: Path, columns: Mapping[str, ColumnProfile] = REFERENCE) -> BaselineSpec:
    """The file that ``baseline capture --from-table`` writes."""
    path = folder / "train.npz"
    path.write_bytes(to_bytes(Profile({ProfileKey(): TableProfile(1, dict(columns))})))
    return BaselineSpec(BaselineKind.FILE, path="train.npz", profile="some", place=str(path))


def history(name: str, day: Callable[[int], ColumnProfile], kind: str = "", versions: Sequence[str] = ()) -> Histograms:
    """A histogram a day for 18 days; ``day`` gets 0 for the newest. ``versions``: of each day, oldest first."""
    reference = REFERENCE.get(name)
    made = []
    for i in reversed(range(DAYS)):
        column = day(i)
        same = reference if type(reference) is type(column) else None
        histogram = to_histogram(column, same)
        assert histogram is not None
        made.append(histogram)
    known = tuple(dict.fromkeys(versions))
    return Histograms(
        f"features/{kind}" if kind else "features",
        (("features", name),),
        array("d", [NOW - i * DAY for i in reversed(range(DAYS))]),
        tuple(array("d", edges) for edges, _ in made),
        tuple(array("d", counts) for _, counts in made),
        known,
        array("i", [known.index(one) for one in versions] if versions else [-1] * DAYS),
    )


def asked(*baselines: BaselineSpec, method: str = "psi", above: float = 0.1, **more: object) -> Rule:
    first, *others = baselines
    return rule(
        tier("warning", LimitKind.ABOVE, above),
        metric=KeyPattern(f"features/*/{method}"),
        window=DAY,
        every=DAY,
        baseline=first,
        also=tuple(others),
        **more,
    )


def evaluated(a_rule: Rule, *features: Histograms, deployed: Sequence[Deployment] = ()) -> ModelFindings:
    references, _ = read_references([a_rule], Path)
    pull = PulledSeries("churn", (), tuple(deployed), histograms=features, references=references)
    return evaluate_model(Model("churn", (a_rule,), history=2 * DAY), pull, NOW)


def by_feature(found: ModelFindings) -> dict[str, Track]:
    return {dict(track.labels).get("features", ""): track for track in found.tracks}


def still(name: str = "age") -> Histograms:
    return history(name, lambda i: numbers(seed=i + 20))


def jumped(name: str = "age") -> Histograms:
    return history(name, lambda i: numbers(0.8 if i == 0 else 0.0, seed=i + 20))


def crept() -> Histograms:
    return history("age", lambda i: numbers(0.8, seed=i + 20))


@pytest.mark.parametrize("method", ["psi", "ks", "wasserstein", "tv", "cvm"])
def test_a_captured_profile_is_a_reference_without_any_loss(tmp_path: Path, method: str) -> None:
    spec = written(tmp_path)
    moved = by_feature(evaluated(asked(spec, method=method, above=0.005), jumped()))["age"]
    same = by_feature(evaluated(asked(spec, method=method, above=0.005), still()))["age"]
    assert moved.finding(-1).outcome is Outcome.BREACH
    assert moved.finding(-2).outcome is not Outcome.BREACH
    assert Outcome.BREACH not in {same.finding(i).outcome for i in range(same.grid.count)}
    (against,) = moved.drifted[0].against
    assert (against.kind, against.what, against.sure, against.off) == (BaselineKind.FILE, "train.npz", True, 0.0)


def test_other_bins_than_the_profile_s_are_bounded_and_told(tmp_path: Path) -> None:
    made = [np.histogram(np.random.default_rng(i).normal(size=2000), bins=64) for i in range(DAYS)]
    one = Histograms(
        "features",
        (("features", "age"),),
        array("d", [NOW - i * DAY for i in reversed(range(DAYS))]),
        tuple(array("d", edges) for _, edges in made),
        tuple(array("d", counts.astype(float)) for counts, _ in made),
        (),
        array("i", [-1] * DAYS),
    )
    track = by_feature(evaluated(asked(written(tmp_path)), one))["age"]
    assert track.finding(-1).outcome is Outcome.OK
    assert 0.0 < track.drifted[0].against[0].off < 0.1


def test_a_profile_that_cannot_be_read_leaves_features_undecided_and_is_told(tmp_path: Path) -> None:
    for content, told in ((None, "No such file"), (b"nonsense", "no profile")):
        spec = written(tmp_path)
        path = Path(spec.place)
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        a_rule = asked(spec)
        _, notes = read_references([a_rule], Path)
        assert "train.npz" in notes[0]
        assert told in notes[0]
        newest = by_feature(evaluated(a_rule, jumped()))["age"].finding(-1)
        assert (newest.outcome, newest.cause) == (Outcome.UNDECIDED, Cause.NO_BASELINE)


def test_a_feature_that_the_reference_lacks_is_undecided_and_told(tmp_path: Path) -> None:
    found = evaluated(asked(written(tmp_path)), jumped(), jumped("tenure"))
    assert by_feature(found)["tenure"].finding(-1).cause is Cause.NO_BASELINE
    assert by_feature(found)["age"].finding(-1).outcome is Outcome.BREACH
    assert any("train.npz has no histogram of tenure" in note for note in found.notes)


def test_a_feature_of_another_type_than_in_the_reference_is_told(tmp_path: Path) -> None:
    found = evaluated(asked(written(tmp_path, {"age": REFERENCE["plan"]})), jumped())
    assert by_feature(found)["age"].finding(-1).cause is Cause.NO_BASELINE
    assert any("holds age as another type" in note for note in found.notes)


def test_a_rule_about_one_feature_finds_its_column(tmp_path: Path) -> None:
    a_rule = rule(
        tier("warning", LimitKind.ABOVE, 0.1),
        metric=KeyPattern("features/age/psi"),
        window=DAY,
        baseline=written(tmp_path),
    )
    references, _ = read_references([a_rule], Path)
    assert [(one.name, one.labels) for one in references] == [("features/age", ())]


def test_a_baseline_file_captured_from_history_holds_the_histograms(tmp_path: Path) -> None:
    a_rule = asked(ROLLING)
    calm = history("plan", lambda i: words(PLANS, seed=i), "categories")
    pull = PulledSeries("churn", (), histograms=(still(), calm))
    model = Model("churn", (a_rule,))
    entries = capture_model(model, pull, NOW - 10 * DAY, NOW - 2 * DAY, version="", now=NOW)
    assert {entry.name for entry in entries} == {"features", "features/categories"}
    assert [entry.n for entry in entries] == [9 * 2000.0] * 2
    age, plan = entries
    assert age.value == pytest.approx(0.0, abs=0.1)
    assert plan.value == 4
    spec = BaselineSpec(BaselineKind.FILE, path="b.json", entries=entries)
    shifted = {"free": 0.3, "basic": 0.3, "pro": 0.15, "team": 0.25}
    other = history("plan", lambda i: words(PLANS if i else shifted, seed=i), "categories")
    found = by_feature(evaluated(asked(spec), jumped(), other))
    assert found["age"].finding(-1).outcome is Outcome.BREACH
    assert found["plan"].finding(-1).outcome is Outcome.BREACH
    quiet = by_feature(evaluated(asked(spec), still(), calm))
    assert {track.finding(-1).outcome for track in quiet.values()} == {Outcome.OK}


def test_a_captured_histogram_is_of_the_version_that_is_asked_for() -> None:
    versions = ["v6"] * 9 + ["v7"] * 9
    one = history("age", lambda i: numbers(0.0 if i >= 9 else 2.0, seed=i), versions=versions)
    pull = PulledSeries("churn", (), histograms=(one,))
    entries = capture_model(Model("churn", (asked(ROLLING),)), pull, 0.0, NOW, version="v6", now=NOW)
    assert entries[0].n == 9 * 2000
    assert entries[0].value == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("version", ["v6", "previous"])
def test_another_version_s_service_is_a_reference(version: str) -> None:
    versions = ["v6"] * 12 + ["v7"] * 6
    deployed = [Deployment("v6", NOW - 17 * DAY), Deployment("v7", NOW - 5 * DAY)]
    spec = BaselineSpec(BaselineKind.VERSION, version=version)
    one = history("age", lambda i: numbers(0.0 if i >= 6 else 0.8, seed=i), versions=versions)
    calm = history("tenure", lambda i: numbers(seed=i), versions=versions)
    found = by_feature(evaluated(asked(spec), one, calm, deployed=deployed))
    assert found["age"].finding(-1).outcome is Outcome.BREACH
    assert found["tenure"].finding(-1).outcome is Outcome.OK
    unknown = BaselineSpec(BaselineKind.VERSION, version="v5")
    nothing = by_feature(evaluated(asked(unknown), one, deployed=deployed))["age"].finding(-1)
    assert nothing.cause is Cause.NO_BASELINE


def test_creep_is_far_from_the_training_set_and_near_to_last_month(tmp_path: Path) -> None:
    static = written(tmp_path)
    assert by_feature(evaluated(asked(ROLLING), crept()))["age"].finding(-1).outcome is Outcome.OK
    track = by_feature(evaluated(asked(static, ROLLING), crept()))["age"]
    assert track.finding(-1).outcome is Outcome.BREACH
    (drifted,) = track.drifted
    far, near = drifted.against
    assert far.value is not None
    assert near.value is not None
    assert drifted.value == far.value > 0.3
    assert (far.sure, near.sure) == (True, False)
    assert near.value < 0.05


def test_of_several_references_a_missing_one_does_not_hide_the_other(tmp_path: Path) -> None:
    static = written(tmp_path, {"plan": REFERENCE["plan"]})
    track = by_feature(evaluated(asked(static, ROLLING), jumped()))["age"]
    assert track.finding(-1).outcome is Outcome.BREACH
    assert [side.value is None for side in track.drifted[0].against] == [True, False]


@pytest.mark.parametrize("method", ["psi", "chi2", "tv", "js", "ks", "wasserstein", "cvm"])
def test_categories_are_compared_one_by_one(tmp_path: Path, method: str) -> None:
    """The order of checksums says nothing, so measures of order give way to total variation, which is told."""
    shifted = {"free": 0.25, "basic": 0.3, "pro": 0.15, "team": 0.3}
    moved = history("plan", lambda i: words(PLANS if i else shifted, seed=i), "categories")
    calm = history("plan", lambda i: words(PLANS, seed=i), "categories")
    a_rule = asked(written(tmp_path), method=method, above=0.1 if method != "cvm" else 0.005)
    found = evaluated(a_rule, moved)
    assert by_feature(found)["plan"].finding(-1).outcome is Outcome.BREACH
    assert by_feature(evaluated(a_rule, calm))["plan"].finding(-1).outcome is Outcome.OK
    assert any("plan: categories have no order" in note for note in found.notes) is (
        method in ("ks", "wasserstein", "cvm")
    )
    if method in ("ks", "wasserstein"):
        assert found.tracks[0].finding(-1).value == pytest.approx(0.25, abs=0.03)
        assert found.tracks[0].drifted[0].method == "total_variation"


def test_categories_never_seen_before_are_drift_and_told(tmp_path: Path) -> None:
    new = {"free": 0.5, "basic": 0.3, "trial": 0.2}
    one = history("plan", lambda i: words(PLANS if i else new, seed=i), "categories")
    track = by_feature(evaluated(asked(written(tmp_path)), one))["plan"]
    assert track.finding(-1).outcome is Outcome.BREACH
    assert track.drifted[0].against[0].unseen == pytest.approx(0.2, abs=0.03)


def test_hundreds_of_rare_categories_are_no_drift(tmp_path: Path) -> None:
    many = {f"c{i}": 1 / 600 for i in range(600)}
    static = written(tmp_path, {"plan": words(many, 20_000, 5)})
    one = history("plan", lambda i: words(many, 1000, seed=i), "categories")
    for method in ("psi", "chi2", "js", "tv"):
        track = by_feature(evaluated(asked(static, ROLLING, method=method), one))["plan"]
        assert Outcome.BREACH not in {track.finding(i).outcome for i in range(track.grid.count)}


def test_one_number_for_all_features_is_the_share_that_drifted() -> None:
    features = [jumped(), jumped("tenure"), still("income"), still("visits")]
    a_rule = asked(ROLLING, above=0.3, across=FeatureAggregation.SHARE)
    (track,) = evaluated(a_rule, *features).tracks
    assert track.labels == ()
    newest = track.finding(-1)
    assert (newest.value, newest.n, newest.outcome) == (0.5, 4.0, Outcome.BREACH)
    assert track.finding(-2).outcome is Outcome.OK
    assert [one.feature for one in track.drifted] in (["age", "tenure"], ["tenure", "age"])
    assert track.drifted[0].value >= track.drifted[1].value


def test_the_share_weighs_features_by_their_importance() -> None:
    features = [jumped(), still("income"), jumped("tenure")]
    weights = (("age", 0.1), ("gone", 0.5), ("income", 0.3))
    found = evaluated(asked(ROLLING, above=0.3, across=FeatureAggregation.SHARE, importances=weights), *features)
    assert found.tracks[0].finding(-1).value == pytest.approx(0.25)
    assert any("tenure: without an importance" in note for note in found.notes)
    assert any("gone: has an importance and is not in the history" in note for note in found.notes)


def test_without_any_feature_that_can_be_judged_the_share_is_undecided() -> None:
    (track,) = evaluated(asked(BaselineSpec(), across=FeatureAggregation.SHARE), jumped()).tracks
    assert track.finding(-1).cause is Cause.TOO_FEW_FEATURES
    (nothing,) = evaluated(asked(ROLLING, across=FeatureAggregation.SHARE)).tracks
    assert nothing.finding(-1).outcome is Outcome.NO_DATA


def test_the_share_counts_measures_that_were_logged_too() -> None:
    a_rule = asked(ROLLING, above=0.3, across=FeatureAggregation.SHARE)
    scalar = series([(NOW - HOUR, 0.4)], name="features/psi", labels=(("features", "tenure"),))
    pull = PulledSeries("churn", (scalar,), histograms=(still(),))
    (track,) = evaluate_model(Model("churn", (a_rule,), history=2 * DAY), pull, NOW).tracks
    assert track.finding(-1).value == 0.5


def test_features_that_are_logged_do_not_hide_those_with_histograms() -> None:
    a_rule = asked(ROLLING)
    scalar = series([(NOW - HOUR, 0.4)], name="features/psi", labels=(("features", "tenure"),))
    pull = PulledSeries("churn", (scalar,), histograms=(jumped(),))
    found = evaluate_model(Model("churn", (a_rule,), history=2 * DAY), pull, NOW)
    assert {name: track.finding(-1).outcome for name, track in by_feature(found).items()} == {
        "age": Outcome.BREACH,
        "tenure": Outcome.BREACH,
    }


def test_a_lower_rate_of_false_alarms_asks_for_more() -> None:
    slightly = history("age", lambda i: numbers(0.33 if i == 0 else 0.0, size=200, seed=i + 3))
    loose = by_feature(evaluated(asked(ROLLING, above=0.05, false_alarms=0.05), slightly))["age"]
    strict = by_feature(evaluated(asked(ROLLING, above=0.05, false_alarms=1e-9), slightly))["age"]
    assert loose.finding(-1).outcome is Outcome.BREACH
    assert strict.finding(-1).cause is Cause.NOT_CLEARED


def logged(method: str, value: float, n: float | None, above: float) -> Track:
    a_rule = rule(tier("warning", LimitKind.ABOVE, above), metric=KeyPattern(f"features/*/{method}"), window=DAY)
    rows = [(NOW - HOUR, value)] if n is None else [(NOW - HOUR, value, n)]
    one = series(rows, name=f"features/{method}", labels=(("features", "text"),))
    (track,) = evaluate_model(Model("churn", (a_rule,), history=2 * DAY), PulledSeries("churn", (one,)), NOW).tracks
    return track


@pytest.mark.parametrize(
    ("method", "value", "n", "outcome"),
    [
        ("classifier_auc", 0.5, 5000, Outcome.OK),
        ("classifier_auc", 0.56, 200, Outcome.UNDECIDED),
        ("classifier_auc", 0.7, 50, Outcome.UNDECIDED),
        ("classifier_auc", 0.7, 2000, Outcome.BREACH),
        ("classifier_auc", 0.7, None, Outcome.BREACH),
        ("mmd", -0.001, 500, Outcome.OK),
        ("mmd", 0.012, 200, Outcome.UNDECIDED),
        ("mmd", 0.05, 500, Outcome.BREACH),
    ],
)
def test_embeddings_are_judged_by_their_measures(method: str, value: float, n: float | None, outcome: Outcome) -> None:
    newest = logged(method, value, n, 0.55 if method == "classifier_auc" else 0.01).finding(-1)
    assert newest.outcome is outcome
    assert (newest.low is None) is (n is None)
    if newest.low is not None and newest.high is not None:
        assert newest.low <= value <= newest.high


@pytest.mark.parametrize(
    ("method", "value", "n", "outcome"),
    [
        ("psi", 0.15, 100, Outcome.UNDECIDED),  # noise in most windows without any change
        ("psi", 0.45, 100, Outcome.UNDECIDED),
        ("psi", 0.55, 100, Outcome.BREACH),
        ("psi", 0.15, 1000, Outcome.BREACH),
        ("psi", 0.05, 100, Outcome.OK),
        ("psi", 2.0, 99, Outcome.UNDECIDED),
        ("psi", 0.15, None, Outcome.BREACH),
        ("js", 0.15, 100, Outcome.UNDECIDED),
        ("hellinger", 0.3, 200, Outcome.BREACH),
        ("tv", 0.15, 100, Outcome.UNDECIDED),
        ("chi_square", 0.15, 300, Outcome.UNDECIDED),
        ("chi_square", 0.15, 3000, Outcome.BREACH),
        ("ks", 0.15, 200, Outcome.UNDECIDED),
        ("ks", 0.15, 2000, Outcome.BREACH),
        ("wasserstein", 0.15, 100, Outcome.UNDECIDED),
        ("wasserstein", 0.15, 3000, Outcome.BREACH),
        ("cvm", 0.11, 2000, Outcome.BREACH),
    ],
)
def test_logged_scores_are_held_against_chance(method: str, value: float, n: float | None, outcome: Outcome) -> None:
    assert logged(method, value, n, 0.1).finding(-1).outcome is outcome


@pytest.mark.slow
def test_what_chance_gives_a_logged_score_is_what_it_gives_ours() -> None:
    """The value that 1 % of windows without change exceed, by our own statistics over ten bins."""
    rng = np.random.default_rng(8)
    for method in ("psi", "ks", "wasserstein", "total_variation", "chi_square", "cramer_von_mises", "hellinger"):
        found = [compare_values(method, *rng.normal(size=(2, 400))).effect[0] for _ in range(150)]
        limit = float(_chance_limit(method, 0.05, np.array([400.0]))[0])
        assert 0.005 < np.mean(np.array(found) > limit) < 0.11, method


def test_many_scores_of_few_rows_are_no_score_of_many() -> None:
    """The mean of 24 noisy scores is no nearer to 0 than each."""
    a_rule = rule(tier("warning", LimitKind.ABOVE, 0.1), metric=KeyPattern("features/*/psi"), window=DAY)
    rows = [(NOW - HOUR * hour - 60, 0.15, 100.0) for hour in range(24)]
    one = series(rows[::-1], name="features/psi", labels=(("features", "age"),))
    (track,) = evaluate_model(Model("churn", (a_rule,), history=2 * DAY), PulledSeries("churn", (one,)), NOW).tracks
    assert (track.finding(-1).n, track.finding(-1).outcome) == (2400, Outcome.UNDECIDED)
