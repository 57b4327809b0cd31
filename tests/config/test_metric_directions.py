"""The good direction of each key that ``measure`` publishes, where limits do not say it: all keys, from the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.config.loader import load_config
from modelwatch.config.measured_metrics import LABEL_METRICS
from modelwatch.config.metric_directions import metric_direction
from modelwatch.config.proposals import LoggedKeys, propose
from modelwatch.errors import UserError
from modelwatch.model.keys import KeyPattern
from modelwatch.model.prediction_log import ESTIMABLE_METRICS, ESTIMATE_CHECK, ESTIMATED, METRICS
from modelwatch.model.rule import Direction
from modelwatch.profiling.annotations import AGREEING_SHARE, AGREEMENT, ANNOTATOR_ERROR
from modelwatch.profiling.label_timing import QUANTILES
from modelwatch.profiling.output_metrics import LATENCY_QUANTILES

LOWER_METRICS = {"mae", "mae_by_value", "rmse", "mape", "log_loss", "brier"}
LOWER = {
    *(f"{head}/{name}" for head in ("eval", "weighted", ESTIMATED) for name in LOWER_METRICS),
    *(f"{ESTIMATE_CHECK}/{name}" for name in ESTIMABLE_METRICS),
    *("calibration/ece", "calibration/brier", "calibration/reliability", "errors/rate", "cost/mean", "cost/sum"),
    *("labels/changed_share", "labels/suspicious_share", "labels/missing_share", "labels/maturity_days"),
    *("labels/delay_days", ANNOTATOR_ERROR, *(f"labels/delay_days/{name}" for name in QUANTILES)),
    *(f"latency/{name}" for name in LATENCY_QUANTILES),
}
NEITHER = {
    *(f"{head}/{name}" for head in ("eval", "weighted", ESTIMATED) for name in ("bias", "confusion", "n", "shift_auc")),
    *(f"calibration/{name}" for name in ("slope", "intercept", "uncertainty", "n", "bin=1/observed")),
    *(f"predictions/{name}" for name in ("confidence", "entropy", "positive_rate", "score/p50", "n")),
    *("labels/class_share", "labels/rows", "labels/predictions", "labels/class=yes/class_share", "throughput"),
    *("cost/n", "errors/n", "latency/n", "eval/accuracy_n", "labels/agreement_n", "own/accuracy", "accuracy"),
}
HIGHER = {
    *(f"{head}/{name}" for head in ("eval", "weighted") for name in METRICS),
    *(f"{ESTIMATED}/{name}" for name in ESTIMABLE_METRICS),
    *(f"labels/{name}" for name in LABEL_METRICS),
    *("calibration/resolution", AGREEMENT, AGREEING_SHARE, "eval/region=*/accuracy", "labels/annotator=*/agreement"),
} - LOWER - NEITHER  # fmt: skip
CONFIG = """
version: 1
models:
  - name: churn
    wandb: {entity: acme, project: churn}
    github: {repository: acme/churn}
    rules: [{name: moved, kind: calibration, metric: "%s", baseline: {rolling: 28d}, tiers: {error: {%s}}}]
"""


@pytest.mark.parametrize(
    ("keys", "direction"),
    [(HIGHER, Direction.HIGHER), (LOWER, Direction.LOWER), (NEITHER, None)],
    ids=["higher", "lower", "neither"],
)
def test_the_good_direction_of_each_key(keys: set[str], direction: Direction | None) -> None:
    assert len(keys) > 20
    assert {key: metric_direction(KeyPattern(key)) for key in keys} == dict.fromkeys(keys, direction)


@pytest.mark.parametrize("limit", ["sigma: 4", "chart: ewma"])
@pytest.mark.parametrize("key", ["eval/accuracy", "eval/rmse", "labels/agreement", "latency/p95", "calibration/ece"])
def test_a_limit_that_takes_no_side_takes_that_of_the_key(key: str, limit: str, tmp_path: Path) -> None:
    (tmp_path / "modelwatch.yml").write_text(CONFIG % (key, limit))
    (rule,) = load_config(tmp_path / "modelwatch.yml", {}).models[0].rules
    assert rule.better is metric_direction(KeyPattern(key)) is not None


@pytest.mark.parametrize("limit", ["sigma: 4", "chart: ewma"])
@pytest.mark.parametrize("key", ["predictions/confidence", "calibration/slope", "throughput", "own/figure"])
def test_where_no_direction_is_good_by_itself_it_has_to_be_stated(key: str, limit: str, tmp_path: Path) -> None:
    (tmp_path / "modelwatch.yml").write_text(CONFIG % (key, limit))
    with pytest.raises(UserError, match=r"does not say which direction is worse(?s:.*)`above` or `below`"):
        load_config(tmp_path / "modelwatch.yml", {})


def test_init_proposes_no_limit_in_the_good_direction() -> None:
    """And none for a metric without one, such as how far an estimate was off by its own margin."""
    sides = {"drop": Direction.HIGHER, "rise": Direction.LOWER, "above": Direction.LOWER}
    for key in sorted(HIGHER | LOWER | NEITHER):
        for rule in propose(LoggedKeys(frozenset({key}), frozenset(), {})).rules:
            if rule.metric and key not in ("own/accuracy", "accuracy"):
                assert sides[rule.family.limit] is metric_direction(KeyPattern(key)), key
                assert not key.startswith(ESTIMATE_CHECK)
