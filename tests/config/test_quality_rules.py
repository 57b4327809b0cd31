"""``quality:``: which rules it stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.config.loader import load_config
from modelwatch.config.quality_rules import QUALITY_CHECKS
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import BaselineKind, Rule

RULE = "{name: r, kind: k, runbook: 'https://x.example', metric: a, tiers: {warning: {above: 1}}}"
REFERENCE = "measure: {files: log, time: t, reference: ref.npz}, "


def load(folder: Path, quality: str, measure: str = REFERENCE, defaults: str = "{}") -> Model:
    (folder / "modelwatch.yml").write_text(
        f"version: 1\ndefaults: {defaults}\n"
        f"models: [{{name: m, table: {{path: x}}, {measure}{quality}rules: [{RULE}]}}]\n"
    )
    return load_config(folder / "modelwatch.yml", {}).models[0]


def of_quality(model: Model) -> dict[str, Rule]:
    return {rule.name: rule for rule in model.rules[1:]}


def test_on_is_every_check(tmp_path: Path) -> None:
    rules = of_quality(load(tmp_path, "quality: on, "))
    assert list(rules) == [f"quality-{name}" for name in QUALITY_CHECKS]
    assert {rule.kind for rule in rules.values()} == {"data-quality"}
    assert all(rule.tiers and rule.window == 2 * 86_400 for rule in rules.values())
    assert of_quality(load(tmp_path, "")) == of_quality(load(tmp_path, "quality: off, ")) == {}


def test_without_a_reference_the_weeks_before_are_one(tmp_path: Path) -> None:
    rules = of_quality(load(tmp_path, "quality: on, ", "measure: {files: log, time: t}, "))
    assert set(QUALITY_CHECKS) - {name.removeprefix("quality-") for name in rules} == {
        "format",
        "range",
        "new",
        "vanished",
    }
    assert rules["quality-missing"].baseline.kind is BaselineKind.SEASONAL
    assert rules["quality-missing"].metric.text == "quality/feature=*/missing_rate"


def test_a_check_may_be_off_or_otherwise(tmp_path: Path) -> None:
    stated = "quality: {vanished: off, every: 6h, missing: {every: 1d, tiers: {error: {above: 30%, do: []}}}}, "
    rules = of_quality(load(tmp_path, stated))
    assert "quality-vanished" not in rules
    assert [rule.every for rule in rules.values()] == [86_400.0, *[21_600.0] * 10]
    (tier,) = rules["quality-missing"].tiers
    assert (str(tier.severity), tier.limits[0].value, tier.do) == ("error", 0.3, ())
    assert rules["quality-missing"].metric.text == "quality/feature=*/missing_excess"


def test_defaults_of_all_models_are_added_to(tmp_path: Path) -> None:
    rules = of_quality(load(tmp_path, "quality: {type: off}, ", defaults="{quality: {missing: off, range: off}}"))
    assert not {"quality-missing", "quality-range", "quality-type"} & set(rules)


def test_limits_follow_the_window_that_is_measured(tmp_path: Path) -> None:
    rules = of_quality(load(tmp_path, "quality: on, ", REFERENCE.replace("time: t", "time: t, window: 6h")))
    assert [tier.limits[0].value for tier in rules["quality-freshness"].tiers] == [2700.0, 10_800.0]
    assert rules["quality-volume"].window == 12 * 3600


@pytest.mark.parametrize(("one", "other"), [("on", "{missing: off}"), ("on", "{missing: {for: 3}}")])
def test_the_digest_of_the_configuration_takes_it_in(one: str, other: str, tmp_path: Path) -> None:
    digests = set()
    for quality in (one, other):
        load(tmp_path, f"quality: {quality}, ")
        digests.add(load_config(tmp_path / "modelwatch.yml", {}).digest)
    assert len(digests) == 2


def test_only_what_every_log_has_must_exist(tmp_path: Path) -> None:
    rules = of_quality(load(tmp_path, "quality: {missing: {every: 1d}, format: {every: 1d}}, "))
    assert {name for name, rule in rules.items() if not rule.optional} == {
        "quality-missing",
        "quality-volume",
        "quality-freshness",
    }
