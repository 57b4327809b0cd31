"""Advice on a configuration that loads."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy.stats import binomtest

from modelwatch.config.lint import lint_config, wilson_interval
from modelwatch.config.templates import render_starter_files
from modelwatch.errors import UserError
from modelwatch.model.rule import Limit, LimitKind

from .making import KEY, RULE, load, write

STARTER = render_starter_files(model="m", entity="e", project="p", repository="a/b", owner="@a")


def advice(folder: Path, *rules: str, owner: str = "'@a'", key: str = KEY) -> list[str]:
    text = f"""\
    version: 1
    models:
      - name: m
        owner: {owner}
        table: {{path: x}}
        pagerduty: {{routing_key: "${{K}}"}}
        rules: [{", ".join(rules or (RULE,))}]
    """
    return [
        told if isinstance(told, str) else str(told) for told in lint_config(load(folder, text, {"K": key}), folder)
    ]


@pytest.mark.parametrize(("project", "warned"), [("churn-prod", True), ("drilling", True), ("churn-drill", False)])
def test_the_alerts_of_a_model_in_production_are_no_drill(tmp_path: Path, project: str, warned: bool) -> None:
    text = f"""\
    version: 1
    models:
      - name: m
        drill: true
        owner: "@a"
        wandb: {{entity: e, project: {project}}}
        pagerduty: {{routing_key: "${{K}}"}}
        rules: [{RULE}]
    """
    found = [str(one) for one in lint_config(load(tmp_path, text, {"K": KEY}), tmp_path)]
    assert any("nobody acts on them" in one for one in found) == warned


def test_a_sound_configuration_needs_no_advice(tmp_path: Path) -> None:
    assert advice(tmp_path) == []


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("window: 24h, for: 20", []),
        ("window: 24h, hold: 40", ["`hold: 40` of r takes 40d where the metric is logged once in each window of 24h"]),
        ("window: 7d, for: 5", ["`for: 5` of r takes 35d where the metric is logged once in each window of 7d"]),
        ("window: 7d, for: 5, hold: 5", ["`for: 5` of r takes 35d", "`hold: 5` of r takes 35d"]),
        ("window: 1h, for: 48", []),
    ],
)
def test_a_history_that_a_rarely_logged_metric_does_not_fill(tmp_path: Path, keys: str, said: list[str]) -> None:
    rule = f"{{name: r, kind: latency, metric: m, {keys}, tiers: {{error: {{above: 1}}}}}}"
    found = [text for text in advice(tmp_path, rule) if "and `history` is 30d" in text]
    assert len(found) == len(said)
    assert all(part in text for part, text in zip(said, found, strict=True))


@pytest.mark.parametrize(
    ("mode", "people", "told"),
    [
        ("propose", "[]", ["nobody may approve it. List logins"]),
        ("propose", "[ada]", ["`/modelwatch approve` and other comments wait for the next evaluation"]),
        ("act", "[]", []),
        ("observe", "[]", []),
    ],
)
def test_proposals_that_nobody_may_approve(tmp_path: Path, mode: str, people: str, told: list[str]) -> None:
    write(tmp_path, STARTER[".github/workflows/retrain.yml"], ".github/workflows/retrain.yml")
    text = f"""\
    version: 1
    models:
      - name: m
        owner: "@a"
        table: {{path: x}}
        github: {{people: {people}}}
        workflows: {{retrain: {{file: retrain.yml, mode: {mode}}}}}
        rules: [{{name: r, kind: latency, metric: m, tiers: {{error: {{above: 1, do: [issue, retrain]}}}}}}]
    """
    found = lint_config(load(tmp_path, text, {}), tmp_path)
    assert [any(part in str(one) for one in found) for part in told] == [True] * len(told)
    assert len(found) == len(told)
    write(tmp_path, STARTER[".github/workflows/modelwatch-commands.yml"], ".github/workflows/answers.yaml")
    found = lint_config(load(tmp_path, text, {}), tmp_path)
    assert not any("wait for the next evaluation" in str(one) for one in found)


@pytest.mark.parametrize(
    ("workflow", "github", "most"),
    [
        ("file: x.yml", "", 19),
        ("file: x.yml", ", api_url: 'https://ghe.acme.example/api/v3'", 4),
        ("repository: a/c, event_type: x", "", 4),
    ],
)
def test_more_inputs_than_github_takes(tmp_path: Path, workflow: str, github: str, most: int) -> None:
    found = []
    for count in (most, most + 1) if most < 19 else (most,):
        inputs = ", ".join(f"i{number}: x" for number in range(count))
        text = f"""\
        version: 1
        models:
          - name: m
            owner: "@a"
            table: {{path: x}}
            github: {{repository: a/b, people: [ada]{github}}}
            workflows: {{train: {{{workflow}, inputs: {{{inputs}}}}}}}
            rules: [{RULE}]
        """
        found += [str(told) for told in lint_config(load(tmp_path, text, {}), tmp_path)]
    assert len(found) == (most < 19)
    assert all(f"has {most + 1} inputs of its own, and this GitHub takes {most}" in told for told in found)


def paging(count: int) -> list[str]:
    page = "{name: r%d, kind: latency, metric: m, tiers: {error: {above: 1, do: page}}}"
    return [page % number for number in range(count)]


def test_more_than_three_rules_that_page(tmp_path: Path) -> None:
    assert advice(tmp_path, *paging(3)) == []
    (told,) = advice(tmp_path, *paging(4))
    assert "4 rules of m page (r0, r1, r2, r3)" in told


@pytest.mark.parametrize(
    ("owner", "part"),
    [
        ("ana", "is not a handle"),
        ("ana@acme.example", "is not a handle"),
        ("''", ""),
        ("'@acme/ml team'", "is not a handle"),
    ],
)
def test_an_owner_is_a_handle(tmp_path: Path, owner: str, part: str) -> None:
    if not part:
        text = f"version: 1\nmodels: [{{name: m, table: {{path: x}}, rules: [{RULE}]}}]\n"
        assert "has no `owner`" in str(lint_config(load(tmp_path, text), tmp_path)[0])
    else:
        assert part in advice(tmp_path, owner=owner)[0]
    assert advice(tmp_path, owner="'@acme/growth-ml'") == []


def test_a_routing_key_of_another_length_without_showing_it(tmp_path: Path) -> None:
    (told,) = advice(tmp_path, key="too-short-key")
    assert "K has 13 characters; a routing key has 32." in told
    assert "too-short-key" not in told


def baseline(folder: Path, low: float, high: float) -> None:
    entry = f'{{"name":"acc","labels":[],"value":0.9,"n":400,"low":{low},"high":{high}}}'
    (folder / "b.json").write_text(f'{{"format":1,"entries":[{entry}]}}')


DROP = "{name: r, kind: accuracy-drop, metric: acc, weight: n, baseline: {file: b.json}, tiers: {error: {%s}}}"


@pytest.mark.parametrize("limit", ["drop: 2%", "drop_points: 0.02", "below: 0.88", "drop: 1%"])
def test_a_limit_inside_the_baselines_own_interval(tmp_path: Path, limit: str) -> None:
    baseline(tmp_path, 0.867, 0.926)
    (told,) = advice(tmp_path, DROP % limit)
    assert f"the limit `{limit}` of `error` in r lies at" in told
    assert "inside the baseline's own interval, 0.867 to 0.926, n = 400" in told
    assert "3-5 %" in told


@pytest.mark.parametrize(
    ("limits", "refused"), [("rise: 20%", True), ("rise: 20%, above: 0.1", False), ("rise_points: 0.1", False)]
)
def test_a_share_of_a_captured_baseline_of_zero_is_refused(tmp_path: Path, limits: str, *, refused: bool) -> None:
    (tmp_path / "b.json").write_text('{"format":1,"entries":[{"name":"acc","labels":[],"value":0.0,"n":null}]}')
    rule = f"{{name: r, kind: error-rate, metric: acc, baseline: {{file: b.json}}, tiers: {{error: {{{limits}}}}}}}"
    found = [text for text in advice(tmp_path, rule) if "the captured baseline of r is 0" in text]
    assert len(found) == refused
    assert all("Use `rise_points` or `above`" in text for text in found)


@pytest.mark.parametrize("limit", ["drop: 5%", "drop_points: 0.05", "below: 0.86"])
def test_a_limit_outside_of_it_is_fine(tmp_path: Path, limit: str) -> None:
    baseline(tmp_path, 0.867, 0.926)
    assert advice(tmp_path, DROP % limit) == []


def test_a_constant_baseline_has_its_own_interval_too(tmp_path: Path) -> None:
    rule = "{name: r, kind: accuracy-drop, metric: acc, baseline: {value: 0.9, n: %d}, tiers: {error: {drop: 2%%}}}"
    assert "own interval" in advice(tmp_path, rule % 400)[0]
    assert advice(tmp_path, rule % 40_000) == []


@pytest.mark.parametrize(("hits", "n"), [(360, 400), (0, 10), (10, 10), (3, 1000)])
def test_the_interval_of_a_proportion_agrees_with_scipy(hits: int, n: int) -> None:
    known = binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson_interval(hits / n, n) == pytest.approx((known.low, known.high), abs=1e-12)


@pytest.mark.parametrize(
    ("form", "amount", "value", "expected"),
    [
        (LimitKind.DROP, 0.1, 50.0, 45.0),
        (LimitKind.DROP, 0.1, -50.0, -55.0),
        (LimitKind.RISE, 0.1, -50.0, -45.0),
        (LimitKind.RISE_POINTS, 2.0, 1.0, 3.0),
        (LimitKind.ABOVE, 7.0, 1.0, 7.0),
        (LimitKind.SIGMA, 3.0, 1.0, None),
    ],
)
def test_where_a_limit_lies(form: LimitKind, amount: float, value: float, expected: float | None) -> None:
    assert Limit(form, amount).boundary(value) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("limit", "tight", "loose"),
    [
        ("above: 10", "above: 8", "above: 12"),
        ("below: 10", "below: 12", "below: 8"),
        ("drop: 5%", "drop: 1%", "drop: 9%"),
    ],
)
def test_a_recovery_looser_than_the_tier(tmp_path: Path, limit: str, tight: str, loose: str) -> None:
    rule = "{name: r, kind: latency, metric: m, baseline: {rolling: 28d}, recover: {%s}, tiers: {error: {%s}}}"
    assert advice(tmp_path, rule % (tight, limit)) == []
    assert "is looser than the limit" in advice(tmp_path, rule % (loose, limit))[0]


def test_what_flaps_and_what_takes_ages(tmp_path: Path) -> None:
    assert "it will flap" in advice(tmp_path, RULE[:-1] + ", for: 1, hold: 1}")[0]
    assert advice(tmp_path, RULE[:-1] + ", for: 1, hold: 1, recover: {above: 0.5}}") == []
    slow = RULE[:-1] + ", every: 1d, window: 1d, for: 8}"
    assert "`for: 8` of r takes 8d at one finding every 24h." in advice(tmp_path, slow)[0]


def test_advice_is_text_and_never_a_problem(tmp_path: Path) -> None:
    text = f"version: 1\nmodels: [{{name: m, table: {{path: x}}, rules: [{RULE}]}}]\n"
    assert not any(isinstance(told, UserError) for told in lint_config(load(tmp_path, text), tmp_path))


@pytest.mark.parametrize(("key", "said"), [("m", ""), ("eval/f1", "Give it a rule")])
def test_the_worth_of_a_metric_that_no_rule_judges_is_shown_nowhere(tmp_path: Path, key: str, said: str) -> None:
    text = f"""\
    version: 1
    models:
      - name: m
        owner: "@a"
        table: {{path: x}}
        pagerduty: {{routing_key: "${{K}}"}}
        business: {{currency: EUR, worth: {{{key}: 1 EUR/day}}}}
        rules: [{RULE}]
    """
    told = [str(one) for one in lint_config(load(tmp_path, text, {"K": KEY}), tmp_path)]
    assert [said in one and "which no rule judges" in one for one in told] == ([True] if said else [])
