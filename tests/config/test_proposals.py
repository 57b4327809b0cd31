"""Which rules are proposed for which keys: whatever is proposed loads, and every choice has a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.config.loader import load_config
from modelwatch.config.proposals import LoggedKeys, Proposal, choose_tag, propose
from modelwatch.config.templates import render_starter_files
from modelwatch.model.monitored_model import Model

from .making import write

HISTOGRAM = {"_type": "histogram", "bins": [0, 1], "values": [1]}


def load(folder: Path, proposal: Proposal) -> Model:
    files = render_starter_files(model="m", entity="e", project="p", repository="a/b", owner="@ada", proposal=proposal)
    (model,) = load_config(write(folder, files["modelwatch.yml"]), {}, require_secrets=False).models
    return model


def proposed(*keys: str, config: frozenset[str] = frozenset(), **more: object) -> Proposal:
    return propose(LoggedKeys(frozenset(keys), config, more))


@pytest.mark.parametrize(
    ("keys", "rules"),
    [
        (("accuracy", "n"), [("accuracy", "accuracy-drop", "n", "", ())]),
        (("eval/acc", "eval/acc_n", "eval/n"), [("acc", "accuracy-drop", "eval/acc_n", "", ())]),
        (("p/auc", "p/n", "p/rarer_n"), [("auc", "accuracy-drop", "p/rarer_n", "auc", ())]),
        (("p/f1", "p/n"), [("f1", "accuracy-drop", "p/n", "normal", ())]),
        (("p/eu/f1", "p/na/f1", "p/f1"), [("f1", "accuracy-drop", "", "normal", ("p/*/f1",))]),
        (("serve/latency_p95",), [("latency-p95", "latency", "", "normal", ())]),
        (("serve/error_rate", "serve/n"), [("error-rate", "error-rate", "serve/n", "", ())]),
        (("errors/rate", "errors/n"), [("errors-rate", "error-rate", "errors/n", "", ())]),
        (
            ("calibration/ece", "calibration/n", "calibration/region=eu/ece"),
            [("ece", "calibration", "calibration/n", "normal", ("calibration/region=*/ece",))],
        ),
        (
            ("latency/p99", "features/age/p95", "predictions/score/p50"),
            [("p99", "latency", "", "normal", ())],
        ),
        (("eval/ndcg@10",), [("ndcg-10", "accuracy-drop", "", "normal", ())]),
        (
            ("a/accuracy", "b/accuracy"),
            [("accuracy", "accuracy-drop", "", "normal", ()), ("b-accuracy", "accuracy-drop", "", "normal", ())],
        ),
        (("train/accuracy", "val/loss", "loss"), []),
    ],
)
def test_metrics_by_name(
    tmp_path: Path, keys: tuple[str, ...], rules: list[tuple[str, str, str, str, tuple[str, ...]]]
) -> None:
    found = proposed(*keys)
    assert [(r.name, r.family.kind, r.weight, r.interval, r.segments) for r in found.rules] == rules
    if rules:
        assert [rule.name for rule in load(tmp_path, found).rules] == [rule[0] for rule in rules]


def test_segments_are_patterns_of_the_same_metric() -> None:
    (rule,) = proposed(
        "eval/accuracy", "eval/n", "eval/region=eu/accuracy", "eval/region=eu/n", "eval/plan=a/region=eu/accuracy"
    ).rules
    assert rule.segments == ("eval/plan=*/region=*/accuracy", "eval/region=*/accuracy")


def test_features_get_one_rule_for_each_group(tmp_path: Path) -> None:
    found = propose(
        LoggedKeys(
            frozenset({"features/age", "features/plan/categories", "drift/x/ks", "drift/x/n", "loss"}),
            frozenset(),
            {"features/age": HISTOGRAM, "features/plan/categories": HISTOGRAM, "loss": 1.0},
        )
    )
    assert [(rule.drift, rule.method) for rule in found.rules] == [("drift/*", "ks"), ("features/*", "psi")]
    assert [rule.kind for rule in load(tmp_path, found).rules] == ["data-drift", "data-drift"]
    assert found.reasons[-1] == "not watched: loss"


def test_version_and_time(tmp_path: Path) -> None:
    found = proposed("accuracy", "event_time", config=frozenset({"lr", "Model-Version"}), event_time=1.79e9)
    assert (found.version, found.time) == ("Model-Version", "event_time")
    source = load(tmp_path, found).wandb
    assert source is not None
    assert (source.version, source.time) == ("Model-Version", "event_time")
    assert proposed("accuracy", "time", time=12.0).time == ""
    assert proposed("accuracy", "time", time=1.79e12).time == ""


@pytest.mark.parametrize(
    ("tags", "tag"), [((), ""), (("sweep",), ""), (("Prod", "sweep"), "Prod"), (("live", "production"), "production")]
)
def test_the_tag_of_production(tags: tuple[str, ...], tag: str) -> None:
    assert choose_tag(tags) == tag


def test_a_tag_that_looks_like_a_segment_is_pointed_out() -> None:
    found = propose(LoggedKeys(frozenset({"accuracy"}), frozenset(), tags=frozenset({"region:eu"})))
    assert "segments are read from keys, such as eval/region=eu/accuracy" in found.reasons[-1]


PARTS = st.sampled_from(
    [
        "eval",
        "prod",
        "region=eu",
        "region=a%2Fb",
        "accuracy",
        "auc",
        "n",
        "rarer_n",
        "mae",
        "psi",
        "age",
        "p95",
        "a b",
        "x: y",
        "é",
        "*",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.frozensets(st.lists(PARTS, min_size=1, max_size=4).map("/".join), max_size=12))
def test_whatever_is_proposed_loads(tmp_path_factory: pytest.TempPathFactory, keys: frozenset[str]) -> None:
    found = proposed(*keys)
    if not found.rules:
        return
    model = load(tmp_path_factory.mktemp("proposed"), found)
    assert len({rule.name for rule in model.rules}) == len(found.rules)
    for rule in found.rules:
        assert any(reason.startswith(f"rule {rule.name}: ") for reason in found.reasons)


def test_rules_are_proposed_for_mature_windows() -> None:
    """A log whose labels have not come yet has its metrics under ``young/``: rules are for what they become."""
    keys = {"young/accuracy", "young/n", "young/region=eu/accuracy", "young/class=yes/class_share", "young/coverage"}
    keys |= {"weighted/accuracy", "young/weighted/auc", "labels/predictions/psi", "labels/predictions/n"}
    (rule,) = propose(LoggedKeys(frozenset(keys), frozenset())).rules
    assert (rule.metric, rule.weight, rule.segments) == ("eval/accuracy", "eval/n", ("eval/region=*/accuracy",))
