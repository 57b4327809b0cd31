"""One rule: what follows from what is given."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.config.tiers import derived_warning
from modelwatch.errors import ConfigError
from modelwatch.model.rule import Aggregate, BaselineKind, Direction, Interval, Limit, LimitKind, Rule, Tier
from modelwatch.model.severity import Severity

from .making import load, load_model, load_rule, messages

CRITICAL_ONLY = [
    ("above: 10", LimitKind.ABOVE, 9.0),
    ("above: -10", LimitKind.ABOVE, -10 / 0.9),
    ("below: 0.9", LimitKind.BELOW, 1.0),
    ("below: -9", LimitKind.BELOW, -8.1),
    ("drop: 10%", LimitKind.DROP, 0.09),
    ("rise: 20%", LimitKind.RISE, 0.18),
    ("drop_points: 5", LimitKind.DROP_POINTS, 4.5),
    ("rise_points: 5", LimitKind.RISE_POINTS, 4.5),
    ("sigma: 3, drop: 10%", LimitKind.SIGMA, 2.7),
]


@pytest.mark.parametrize(("limit", "form", "value"), CRITICAL_ONLY, ids=[case[0] for case in CRITICAL_ONLY])
def test_a_lone_critical_limit_has_a_warning_at_90_percent_of_the_way(
    tmp_path: Path, limit: str, form: LimitKind, value: float
) -> None:
    rule = load_rule(tmp_path, f"baseline: {{rolling: 28d}}\ntiers: {{critical: {{{limit}, do: [page], for: 3}}}}")
    warning, critical = rule.tiers
    assert (warning.severity, critical.severity) == (Severity.WARNING, Severity.CRITICAL)
    assert warning.derived
    assert not critical.derived
    assert warning.do == ("issue",)
    assert warning.for_ == 3
    assert {found.form: found.value for found in warning.limits}[form] == pytest.approx(value, rel=1e-9)


def test_a_limit_of_0_has_no_way_to_it(tmp_path: Path) -> None:
    rule = load_rule(tmp_path, "tiers: {critical: {above: 0}}")
    assert [tier.severity for tier in rule.tiers] == [Severity.CRITICAL]


@pytest.mark.parametrize("beside", ["info", "warning", "error"])
def test_no_warning_is_derived_where_another_tier_is_given(tmp_path: Path, beside: str) -> None:
    rule = load_rule(tmp_path, f"tiers: {{critical: {{above: 2}}, {beside}: {{above: 1}}}}")
    assert [str(tier.severity) for tier in rule.tiers] == [beside, "critical"]
    assert not any(tier.derived for tier in rule.tiers)


@given(st.sampled_from(list(LimitKind)), st.floats(-1e6, 1e6).filter(lambda value: abs(value) > 1e-6))
def test_the_derived_warning_is_always_reached_first(form: LimitKind, value: float) -> None:
    limit = Limit(form, value if form in (LimitKind.ABOVE, LimitKind.BELOW) else abs(value))
    warning = derived_warning(Tier(Severity.CRITICAL, (limit,), ("issue", "page")))
    assert warning is not None
    nearer = warning.limits[0].value
    assert nearer > limit.value if form is LimitKind.BELOW else nearer < limit.value


@pytest.mark.parametrize(
    ("do", "expected"),
    [
        ("[page]", ("issue", "page")),
        ("page", ("issue", "page")),
        ("[page, issue, page]", ("page", "issue")),
        ("[retrain, rollback]", ("issue", "retrain", "rollback")),
        ("[]", ()),
    ],
)
def test_every_do_implies_issue(tmp_path: Path, do: str, expected: tuple[str, ...]) -> None:
    assert load_rule(tmp_path, f"tiers: {{error: {{above: 1, do: {do}}}}}").tiers[0].do == expected


def test_without_do_an_issue_is_opened(tmp_path: Path) -> None:
    assert load_rule(tmp_path, "tiers: {error: {above: 1}}").tiers[0].do == ("issue",)


@pytest.mark.parametrize(
    ("keys", "better"),
    [
        ("tiers: {error: {drop: 2%}}", Direction.HIGHER),
        ("tiers: {error: {below: 2}}", Direction.HIGHER),
        ("tiers: {error: {drop_points: 2}}", Direction.HIGHER),
        ("tiers: {error: {rise: 2%}}", Direction.LOWER),
        ("tiers: {error: {above: 2}}", Direction.LOWER),
        ("tiers: {error: {rise_points: 2}}", Direction.LOWER),
        ("tiers: {error: {above: 2, below: 1}}", None),
        ("tiers: {error: {sigma: 2, drop: 1%}}", Direction.HIGHER),
        ("tiers: {error: {sigma: 2}}\nbetter: lower", Direction.LOWER),
        ("tiers: {error: {sigma: 2}}\nbetter: neither", None),
        ("tiers: {error: {drop: 2%}}\nbetter: neither", None),
        ("tiers: {error: {drop: 2%}}\noverrides: {v2: {error: {rise: 2%}}}", None),
    ],
)
def test_the_better_side_follows_from_the_limits(tmp_path: Path, keys: str, better: Direction | None) -> None:
    assert load_rule(tmp_path, f"baseline: {{rolling: 28d}}\n{keys}").better is better


@pytest.mark.parametrize(
    ("keys", "interval"),
    [
        ("weight: eval/n", Interval.WILSON),
        ("weight: eval/n\naggregate: last", Interval.WILSON),
        ("weight: eval/n\naggregate: p95", Interval.NONE),
        ("weight: eval/n\naggregate: sum", Interval.NONE),
        ("weight: eval/n\ninterval: normal", Interval.NORMAL),
        ("min_points: 1", Interval.NONE),
    ],
)
def test_the_interval_of_a_proportion_is_the_default_where_a_count_is_given(
    tmp_path: Path, keys: str, interval: Interval
) -> None:
    assert load_rule(tmp_path, f"tiers: {{error: {{below: 0.5}}}}\n{keys}").interval is interval


@pytest.mark.parametrize("metric", ["estimated/mae", "eval/region=eu/log_loss", "eval/rmse"])
def test_the_interval_of_a_mean_of_numbers_is_normal(tmp_path: Path, metric: str) -> None:
    intervals = {
        keys: load_rule(tmp_path, f"tiers: {{error: {{above: 5}}}}\n{keys}", metric).interval
        for keys in ("weight: eval/n", "weight: eval/n\naggregate: last", "min_points: 1")
    }
    assert [*intervals.values()] == [Interval.NORMAL, Interval.NONE, Interval.NONE]


@pytest.mark.parametrize(
    ("baseline", "kind"),
    [
        ("{rolling: 14d}", BaselineKind.ROLLING),
        ("{seasonal: 2w}", BaselineKind.SEASONAL),
        ("{version: v3}", BaselineKind.VERSION),
        ("{value: 0.9, n: 1000}", BaselineKind.CONSTANT),
    ],
)
def test_the_kinds_of_baselines(tmp_path: Path, baseline: str, kind: BaselineKind) -> None:
    spec = load_rule(tmp_path, f"tiers: {{error: {{drop: 5%}}}}\nbaseline: {baseline}").baseline
    assert spec.kind is kind
    match kind:
        case BaselineKind.ROLLING | BaselineKind.SEASONAL:
            assert spec.length == 14 * 86_400
        case BaselineKind.VERSION:
            assert spec.version == "v3"
        case _:
            assert (spec.value, spec.n) == (0.9, 1000)


def test_tiers_stand_in_order_of_severity_whatever_the_file_says(tmp_path: Path) -> None:
    rule = load_rule(tmp_path, "tiers: {critical: {above: 3}, info: {above: 1}, error: {above: 2}}")
    assert [str(tier.severity) for tier in rule.tiers] == ["info", "error", "critical"]


@pytest.mark.parametrize("form", ["above", "rise", "drop", "sigma", "drop_points"])
def test_limits_must_grow_with_severity(tmp_path: Path, form: str) -> None:
    keys = f"baseline: {{rolling: 28d}}\nbetter: neither\ntiers: {{warning: {{{form}: 20%}}, error: {{{form}: 10%}}}}"
    with pytest.raises(ConfigError) as caught:
        load_rule(tmp_path, keys)
    assert messages(caught.value) == [f"`{form}` of `error` must be higher than that of `warning`."]


def test_limits_below_must_fall_with_severity(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`below` of `critical` must be lower than that of `warning`"):
        load_rule(tmp_path, "tiers: {warning: {below: 1}, critical: {below: 1}}")


@pytest.mark.parametrize("form", ["drop: 1%", "rise: 1%", "drop_points: 1", "rise_points: 1", "sigma: 1"])
def test_a_comparison_needs_something_to_compare_with(tmp_path: Path, form: str) -> None:
    with pytest.raises(ConfigError, match="compares with a baseline, and the rule has none"):
        load_rule(tmp_path, f"better: neither\ntiers: {{error: {{{form}}}}}")


@pytest.mark.parametrize("every", ["15m", "1h", "8h", "1d", "7d"])
def test_every_divides_a_day_or_is_whole_days(tmp_path: Path, every: str) -> None:
    load_rule(tmp_path, f"every: {every}\nwindow: 7d\ntiers: {{error: {{above: 1}}}}")


@pytest.mark.parametrize("every", ["7m", "5h", "36h"])
def test_any_other_every_is_refused(tmp_path: Path, every: str) -> None:
    with pytest.raises(ConfigError, match="`every` must divide a day"):
        load_rule(tmp_path, f"every: {every}\nwindow: 7d\ntiers: {{error: {{above: 1}}}}")


def test_drift_is_short_for_a_pattern_of_keys(tmp_path: Path) -> None:
    text = """\
    version: 1
    models:
      - name: m
        table: {path: x.csv}
        rules: [{name: d, drift: "features/*", method: psi, tiers: {error: {above: 0.25}}}]
    """
    rule = load(tmp_path, text).models[0].rules[0]
    assert (rule.metric.text, rule.metric.name, rule.kind) == ("features/*/psi", "features/psi", "data-drift")
    assert rule.better is Direction.LOWER
    assert rule.aggregate is Aggregate.MEAN


@pytest.mark.parametrize(("extra", "model"), [("runbook: docs/own.md", ""), ("", "runbooks: {base: 'https://x.y'}")])
def test_a_kind_of_ones_own_needs_a_runbook(tmp_path: Path, extra: str, model: str) -> None:
    rule = "{name: r, kind: own-kind, metric: m, tiers: {error: {above: 1}}, %s}"
    with pytest.raises(ConfigError, match="`own-kind` is not a kind that has a runbook"):
        load_model(tmp_path, "", rule % "")
    assert load_model(tmp_path, model, rule % extra).rules[0].kind == "own-kind"


def test_the_digest_of_a_rule_leaves_out_place_and_runbook_and_sees_the_rest(tmp_path: Path) -> None:
    plain = load_rule(tmp_path, "tiers: {error: {above: 1}}")
    moved = load_rule(tmp_path, "# moved\n\nrunbook: https://x.example/y\ntiers:\n  error:\n    above: 1.0\n")
    assert plain.digest == moved.digest
    assert len(plain.digest) == 16
    for other in ("for: 2", "hold: 3", "lag: 1h", "window: 12h", "min_points: 2", "recover: {above: 0.5}", "weight: n"):
        assert load_rule(tmp_path, f"{other}\ntiers: {{error: {{above: 1}}}}").digest != plain.digest, other


def test_the_digest_of_a_rule_sees_its_baseline(tmp_path: Path) -> None:
    def digest(value: float, captured: float) -> str:
        entry = f'{{"name":"eval/accuracy","labels":[],"value":{value},"captured":{captured}}}'
        (tmp_path / "b.json").write_text(f'{{"format":1,"entries":[{entry}]}}')
        return load_rule(tmp_path, "baseline: {file: b.json}\ntiers: {error: {drop: 1%}}").digest

    assert digest(0.9, 1.0) == digest(0.9, 2.0)
    assert digest(0.9, 1.0) != digest(0.8, 1.0)


def test_what_is_captured_changes_the_digest_and_not_the_settings(tmp_path: Path) -> None:
    def load_with(value: float, limit: str) -> Rule:
        (tmp_path / "b.json").write_text(
            f'{{"format": 1, "entries": [{{"name": "eval/accuracy", "labels": [], "value": {value}}}]}}'
        )
        return load_rule(tmp_path, f"baseline: {{file: b.json}}\ntiers: {{error: {{drop: {limit}}}}}")

    before, captured, changed = load_with(1.0, "1%"), load_with(2.0, "1%"), load_with(1.0, "2%")
    assert len({before.digest, captured.digest, changed.digest}) == 3
    assert before.settings == captured.settings != changed.settings
    assert load_rule(tmp_path, "tiers: {error: {above: 1}}").settings == "", "no file has a part in it"


def test_a_captured_mean_is_no_baseline_of_a_sum(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text('{"format":1,"entries":[{"name":"eval/accuracy","labels":[],"value":0.9}]}')
    with pytest.raises(ConfigError, match="holds the mean of points, which `aggregate: sum` cannot"):
        load_rule(tmp_path, "baseline: {file: b.json}\naggregate: sum\ntiers: {error: {drop: 1%}}")


def test_the_spread_of_points_says_nothing_about_the_last_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`normal` does not apply to `aggregate: last`"):
        load_rule(tmp_path, "interval: normal\naggregate: last\ntiers: {error: {above: 1}}")


def test_segments_may_be_told_apart_in_several_ways(tmp_path: Path) -> None:
    rule = load_rule(
        tmp_path,
        """
        segments: ["eval/region=*/accuracy", "eval/device=*/region=*/accuracy", "eval/region=*/accuracy"]
        tiers: {warning: {below: 0.5}}
        """,
    )
    assert [pattern.text for pattern in rule.segments] == ["eval/region=*/accuracy", "eval/device=*/region=*/accuracy"]
    with pytest.raises(ConfigError) as caught:
        load_rule(tmp_path, "segments: ['eval/region=*/accuracy', eval/f1]\ntiers: {warning: {below: 0.5}}")
    assert messages(caught.value) == ["`segments` is a pattern with a label, such as `eval/region=*/accuracy`."]
    assert caught.value.problems[0].where.endswith(":13:46")


def test_links_are_read_and_change_no_digest(tmp_path: Path) -> None:
    plain = load_rule(tmp_path, "tiers: {error: {above: 1.0}}")
    linked = load_rule(
        tmp_path, "links: {Grafana: 'https://g.example', scale up: kubectl scale}\ntiers: {error: {above: 1.0}}"
    )
    assert linked.links == (("Grafana", "https://g.example"), ("scale up", "kubectl scale"))
    assert linked.digest == plain.digest


def test_the_published_dashboard_is_an_address(tmp_path: Path) -> None:
    rule = "{name: r, kind: latency, metric: m, tiers: {error: {above: 1}}}"
    given = "dashboard: {url: 'https://acme.github.io/ml/'}"
    assert load_model(tmp_path, given, rule).dashboard == "https://acme.github.io/ml"
