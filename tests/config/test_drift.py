"""Rules about drift: usual limits, several references, profiles, one number across features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelwatch.config.loader import load_config
from modelwatch.errors import ConfigError
from modelwatch.model.drift import DEFAULT_LIMITS, MIN_EFFECT
from modelwatch.model.monitored_model import Config
from modelwatch.model.rule import BaselineEntry, BaselineKind, FeatureAggregation, LimitKind, Rule
from modelwatch.stats.profile.binning import choose_edges
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.codec import to_bytes
from modelwatch.stats.profile.numeric import NumericProfile
from modelwatch.stats.profile.table import ColumnProfile, Profile, ProfileKey, TableProfile
from modelwatch.step_files import write_baselines

from .making import ENV, MODEL, load, messages, write


def text(keys: str, drift: str = "features/*") -> str:
    """A configuration with one rule about drift; ``keys`` in flow style, after ``drift``."""
    model = "".join(f"    {line}\n" for line in MODEL.splitlines())
    rule = f'      - {{name: r, drift: "{drift}", {keys}}}\n'
    return f"version: 1\nmodels:\n  -\n{model}    rules:\n{rule}"


def drift(folder: Path, keys: str, feature: str = "features/*") -> Rule:
    return load(folder, text(keys, feature)).models[0].rules[0]


def problems(folder: Path, keys: str, feature: str = "features/*") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text(keys, feature))
    assert all(str(folder) in str(problem) for problem in caught.value.problems)
    return messages(caught.value)


def profile(folder: Path, name: str = "train.npz") -> Path:
    values = np.arange(500.0)
    columns: dict[str, ColumnProfile] = {
        "age": NumericProfile.of(values, choose_edges(values)),
        "plan": CategoricalProfile.of({"free": 3}),
    }
    path = folder / name
    path.write_bytes(to_bytes(Profile({ProfileKey(): TableProfile(500, columns)})))
    return path


def limits(rule: Rule) -> list[tuple[str, float]]:
    assert all(limit.form is LimitKind.ABOVE for tier in rule.tiers for limit in tier.limits)
    return [(str(tier.severity), tier.limits[0].value) for tier in rule.tiers]


def test_tiers_without_a_limit_have_the_usual_ones_of_the_method(tmp_path: Path) -> None:
    rule = drift(tmp_path, "method: psi, tiers: {error: {do: [issue, retrain]}, warning: {do: [issue]}}")
    assert limits(rule) == [("warning", 0.1), ("error", 0.25)]
    assert rule.tiers[1].do == ("issue", "retrain")


@pytest.mark.parametrize("method", list(DEFAULT_LIMITS))
def test_the_mildest_tier_s_limit_is_the_least_effect_that_matters(tmp_path: Path, method: str) -> None:
    rule = drift(tmp_path, f"method: {method}, tiers: {{info: {{}}, warning: {{}}, error: {{}}}}")
    assert limits(rule)[0] == ("info", MIN_EFFECT[method])
    assert [value for _, value in limits(rule)] == list(DEFAULT_LIMITS[method])


def test_a_limit_given_stays_and_the_others_must_lie_further_out(tmp_path: Path) -> None:
    rule = drift(tmp_path, "method: ks, tiers: {warning: {do: [issue]}, error: {above: 0.4}}")
    assert limits(rule) == [("warning", 0.1), ("error", 0.4)]
    told = problems(tmp_path, "method: psi, tiers: {warning: {above: 0.3}, error: {do: [issue]}}")
    assert told == ["`above` of `error` must be higher than that of `warning`."]


def test_a_lone_critical_tier_at_its_usual_limit_has_no_warning_below_it(tmp_path: Path) -> None:
    rule = drift(tmp_path, "method: psi, tiers: {critical: {do: [page]}}")
    assert limits(rule) == [("critical", 0.1)]


def test_a_fourth_tier_and_an_unknown_measure_need_limits(tmp_path: Path) -> None:
    four = "method: psi, tiers: {info: {}, warning: {}, error: {}, critical: {}}"
    assert "this tier has no limit" in problems(tmp_path, four)[0]
    assert "this tier has no limit" in problems(tmp_path, "method: energy, tiers: {warning: {}}")[0]


def test_overrides_have_the_usual_limits_too(tmp_path: Path) -> None:
    rule = drift(tmp_path, "method: psi, tiers: {warning: {}}, overrides: {v7: {error: {do: []}}}")
    assert rule.overrides[0].tiers[0].limits[0].value == 0.1


def test_several_references_in_their_order(tmp_path: Path) -> None:
    profile(tmp_path)
    rule = drift(tmp_path, "method: psi, baseline: [{file: train.npz}, {rolling: 28d}], tiers: {warning: {}}")
    assert (rule.baseline.kind, rule.baseline.path) == (BaselineKind.FILE, "train.npz")
    assert rule.baseline.place == str(tmp_path / "train.npz")
    assert [spec.kind for spec in rule.also] == [BaselineKind.ROLLING]


def test_another_profile_or_another_setting_is_another_digest(tmp_path: Path) -> None:
    path = profile(tmp_path)
    keys = "method: psi, baseline: {file: train.npz}, tiers: {warning: {}}"
    first = drift(tmp_path, keys).digest
    assert drift(tmp_path, keys).digest == first
    path.write_bytes(to_bytes(Profile({ProfileKey(): TableProfile(1, {"age": CategoricalProfile.of({"x": 1})})})))
    digests = {first, drift(tmp_path, keys).digest}
    digests |= {drift(tmp_path, f"{keys}, {more}").digest for more in ("false_alarms: 2%", "across: share")}
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "the baseline file train.npz does not exist."),
        (b"", "the baseline file train.npz is no profile: `modelwatch baseline capture --from-table` writes one."),
        (b"PK\x03\x04 broken", "the baseline file train.npz is no profile"),
    ],
)
def test_a_profile_that_cannot_be_used_is_told_at_its_place(tmp_path: Path, content: bytes | None, told: str) -> None:
    if content is not None:
        (tmp_path / "train.npz").write_bytes(content)
    keys = "method: psi, baseline: {file: train.npz}, tiers: {warning: {}}"
    assert problems(tmp_path, keys)[0].startswith(told)
    assert any("train.npz" in warning for warning in relaxed(tmp_path, keys).warnings)


def relaxed(folder: Path, keys: str) -> Config:
    return load_config(write(folder, text(keys)), ENV, require_baselines=False)


def test_a_rule_about_one_feature_needs_its_column(tmp_path: Path) -> None:
    profile(tmp_path)
    keys = "method: psi, baseline: {file: train.npz}, tiers: {warning: {}}"
    assert drift(tmp_path, keys, "features/plan").baseline.profile
    assert problems(tmp_path, keys, "features/agee") == ["the profile train.npz has no column agee."]


def test_a_baseline_file_gives_the_histograms_of_the_features(tmp_path: Path) -> None:
    entry = BaselineEntry("features", (("features", "age"),), 1.0, edges=(0.0, 1.0), counts=(5.0,))
    write_baselines(tmp_path / "b.json", (entry, BaselineEntry("eval/f1", (), 0.5)))
    rule = drift(tmp_path, "method: psi, baseline: {file: b.json}, tiers: {warning: {}}")
    assert rule.baseline.entries == (entry,)
    assert rule.baseline.profile == ""


def test_one_number_for_all_features(tmp_path: Path) -> None:
    keys = "method: psi, across: share, false_alarms: 5%, tiers: {warning: {above: 30%}}"
    keys += ", importances: {tenure: 0.4, age: 2}"
    rule = drift(tmp_path, keys)
    assert rule.across is FeatureAggregation.SHARE
    assert rule.importances == (("age", 2.0), ("tenure", 0.4))
    assert rule.false_alarms == 0.05
    assert limits(drift(tmp_path, "method: ks, across: share, tiers: {warning: {}, error: {}}")) == [
        ("warning", 0.3),
        ("error", 0.5),
    ]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("method: psi, importances: {a: 1}, tiers: {warning: {}}", "`importances` needs `across: share`"),
        ("method: psi, across: share, importances: {a: 0}, tiers: {warning: {}}", "all importances are 0."),
        ("method: psi, across: share, tiers: {warning: {above: 30}}", "is never above 30."),
        ("method: psy, across: share, tiers: {warning: {above: 30%}}", "`across` needs a method"),
        ("method: psi, false_alarms: 3, tiers: {warning: {}}", "`3` without `%` is 300 %."),
        ("method: psi, across: mean, tiers: {warning: {above: 30%}}", "`mean` is not"),
        ("method: psi, baseline: [], tiers: {warning: {}}", "the list is empty; it needs at least one entry."),
        ("method: psi, baseline: [{value: 1}, {rolling: 7d}], tiers: {warning: {}}", "remove `value`"),
    ],
)
def test_what_does_not_fit_together_is_told(tmp_path: Path, keys: str, told: str) -> None:
    assert any(told in message for message in problems(tmp_path, keys))


def test_other_rules_take_none_of_it(tmp_path: Path) -> None:
    profile(tmp_path)
    keys = "kind: latency, metric: m, false_alarms: 1%, across: share, baseline: [{file: train.npz}, {rolling: 7d}]"
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text("X").replace('drift: "features/*", X', keys + ", tiers: {warning: {drop: 2%}}"))
    told = messages(caught.value)
    for part in (
        "`false_alarms` without `drift` is a mapping",
        "`across` belongs",
        "several baselines",
        "the profile train.npz has no value of m",
    ):
        assert any(part in message for message in told), part


@pytest.mark.parametrize("method", DEFAULT_LIMITS)
def test_the_count_of_a_measure_of_drift_stands_beside_it(tmp_path: Path, method: str) -> None:
    assert drift(tmp_path, f"method: {method}, tiers: {{warning: {{}}}}").weight == "features/n"
    assert drift(tmp_path, f"method: {method}, tiers: {{warning: {{}}}}", "features/bio").weight == "features/bio/n"
    assert drift(tmp_path, f"method: {method}, weight: rows, tiers: {{warning: {{}}}}").weight == "rows"
