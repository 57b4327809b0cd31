"""The release section."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.config.loader import load_config
from modelwatch.errors import ConfigError
from modelwatch.model.monitored_model import ReleaseSpec
from modelwatch.model.prediction_log import GATE_METRICS, RANKING_METRICS
from modelwatch.stats.paired.metrics import METRICS
from modelwatch.stats.paired.metrics import RANKING_METRICS as COMPARED_RANKING_METRICS

CONFIG = """\
version: 1
defaults:
  release: {{keep: 5, canary: {{length: 2h}}, deploy: ./deploy.sh}}
models:
  - name: churn
    table: {{path: m.csv}}
    release: {release}
    rules: [{{name: a, kind: latency, metric: a, tiers: {{critical: {{above: 1}}}}}}]
"""


def loaded(folder: Path, release: str) -> tuple[ReleaseSpec, str]:
    path = folder / "modelwatch.yml"
    path.write_text(CONFIG.format(release=release))
    config = load_config(path, {"HOOK": "https://hooks.example.com/0123456789", "NAME": "filled"})
    spec = config.models[0].release
    assert spec is not None
    return spec, config.digest


def test_defaults_are_merged_into_it(tmp_path: Path) -> None:
    spec, _ = loaded(tmp_path, "{artifact: acme/train/churn}")
    assert (spec.keep, spec.canary.length, spec.deploy, spec.type) == (5, 7200.0, "./deploy.sh", "model")


def test_a_command_is_left_to_the_shell(tmp_path: Path) -> None:
    spec, _ = loaded(tmp_path, "{artifact: acme/train/churn, deploy: './deploy ${NAME} ${MODELWATCH_VERSION:?}'}")
    assert spec.deploy == "./deploy ${NAME} ${MODELWATCH_VERSION:?}"


def test_it_counts_in_the_digest_and_the_webhook_by_its_name(tmp_path: Path) -> None:
    plain, first = loaded(tmp_path, "{artifact: acme/train/churn}")
    hooked, second = loaded(tmp_path, "{artifact: acme/train/churn, webhook: '${HOOK}'}")
    _, third = loaded(tmp_path, "{artifact: acme/train/churn, deploy: other}")
    assert len({first, second, third}) == 3
    assert plain.webhook is None
    assert hooked.webhook is not None
    assert "hooks.example.com" not in repr(hooked)


def test_a_model_needs_its_own_collection(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r":7:14: the release section needs `artifact`"):
        loaded(tmp_path, "{keep: 3}")


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        ("acuracy", "`acuracy` is not a metric for comparing versions. Did you mean `accuracy`?"),
        ("profit", "`profit` is not a metric for comparing versions"),
        ("mae_by_value", "`mae_by_value` weighs by value, and `measure` names no value column"),
        ("ndcg", "`ndcg` is for ranked lists, and `measure` names none"),
    ],
)
def test_the_gates_metric_is_one_that_it_knows(tmp_path: Path, metric: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        loaded(tmp_path, f"{{artifact: acme/train/churn, gate: {{metric: {metric}}}}}")


def test_a_metric_of_the_users_own_is_known_by_measure(tmp_path: Path) -> None:
    measure = (
        "{artifact: acme/train/churn, gate: {metric: profit}}\n    measure: {files: a, custom: {profit: own:profit}}"
    )
    spec, _ = loaded(tmp_path, measure)
    assert spec.gate.metric == "profit"


def test_the_metrics_of_the_gate_are_those_that_can_be_compared() -> None:
    assert set(GATE_METRICS) == set(METRICS)
    assert set(COMPARED_RANKING_METRICS) == set(RANKING_METRICS)
