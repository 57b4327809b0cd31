"""Running rule tests: what passes, and what a failure says."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from modelwatch.rule_tests.cases import RuleTestResult
from modelwatch.rule_tests.suite import run_test
from modelwatch.timeutil import format_iso

from .making import CONFIG, command, config, read

LATENCY = """\
- name: slow for a day
  warm_up: 2h
  series: {latency/p95: 100x1d 400x1d 100x2d}
  expect: [%s]
"""


def run(folder: Path, checks: str, tests: str = LATENCY, text: str = CONFIG) -> RuleTestResult:
    (test,) = read(folder, tests % checks, text)
    return run_test(test, config(folder, text))


def problems(result: RuleTestResult) -> list[str]:
    assert not result.error, result.error
    return [problem for check in result.checks for problem in check.problems]


@pytest.mark.parametrize(
    "check",
    [
        "{at: 23h, none: true}",
        "{at: 23h, alerts: []}",
        "{at: 25h, alerts: [{rule: latency}]}",
        "{at: 25h, alerts: [{rule: latency, severity: warning, labels: {}}], do: issue, not: page}",
        "{at: 23h, alerts: [{rule: latency, state: quiet}], not: issue}",
        "{at: 23h, alerts: [{rule: latency, state: quiet, labels: {}}]}",
        "{at: 2026-01-06T01:30, alerts: [{rule: latency}]}",
        "{fires: {rule: latency, since: 1d, by: 25h}}",
        "{fires: {rule: latency, since: 1d, by: 25h, severity: info, labels: {}}}",
        "{recovers: {rule: latency, by: 52h}}",
        "{never: {rule: latency, before: 1d}}",
        "{never: {rule: latency, since: 60h}}",
        "{never: {rule: latency, severity: error}}",
        "{never: monitoring-silent}",
        "{never: {severity: critical}}",
    ],
)
def test_what_passes(tmp_path: Path, check: str) -> None:
    assert problems(run(tmp_path, check)) == []


@pytest.mark.parametrize(
    ("check", "problem"),
    [
        ("{at: 25h, none: true}", "expected no alert; found latency firing warning on the whole"),
        (
            "{at: 25h, alerts: [{rule: segment-gone, state: quiet}]}",
            "expected no other alert; found latency firing warning",
        ),
        ("{at: 23h, alerts: [{rule: latency}]}", "expected latency firing; found latency quiet"),
        (
            "{at: 25h, alerts: [{rule: latency, severity: error}]}",
            "expected latency firing error; found latency firing warning on the whole",
        ),
        (
            "{at: 25h, alerts: [{rule: latency, labels: {region: eu}}]}",
            "expected latency firing on region=eu; found region=eu quiet, and latency firing warning on the whole",
        ),
        ("{at: 25h, do: page}", "expected page by then; it has not been done"),
        ("{at: 25h, not: issue}", "expected no issue by then; it was done at 24h (2026-01-06 00:00 UTC): "),
        ("{at: 25h, not: {rollback: proposed}}", "expected that rollback is refused by `proposed`; found no refusal"),
        (
            "{fires: {rule: latency, by: 23h}}",
            "expected latency to fire by 23h (2026-01-05 23:00 UTC); it fired at 24h (2026-01-06 00:00 UTC)",
        ),
        (
            "{fires: {rule: latency, since: 26h, by: 30h}}",
            "expected latency not to fire before 26h (2026-01-06 02:00 UTC); it fired at 24h",
        ),
        (
            "{fires: {rule: segment-gone, by: 30h}}",
            "expected segment-gone to fire by 30h (2026-01-06 06:00 UTC); it did not fire, but",
        ),
        ("{fires: {rule: latency, by: 30h, severity: error}}", "expected latency (error) to fire by 30h"),
        (
            "{fires: {rule: latency, by: 30h, severity: error, labels: {}}}",
            "expected latency (error) on the whole to fire by 30h (2026-01-06 06:00 UTC); it fired at 24h",
        ),
        (
            "{fires: {rule: latency, by: 30h, labels: {region: eu}}}",
            "expected latency on region=eu to fire by 30h",
        ),
        ("{recovers: {rule: latency, by: 40h}}", "expected latency to recover by 40h (2026-01-06 16:00 UTC); it "),
        (
            "{recovers: {rule: segment-gone, by: 40h}}",
            "expected segment-gone to recover by 40h (2026-01-06 16:00 UTC); it did not fire",
        ),
        (
            "{never: latency}",
            "expected latency never to fire; latency fired at 24h (2026-01-06 00:00 UTC) (warning) until 2d",
        ),
    ],
)
def test_what_a_failure_says(tmp_path: Path, check: str, problem: str) -> None:
    result = run(tmp_path, check)
    found = problems(result)
    assert any(text.startswith(problem) for text in found), found
    assert not result.passed
    assert [line.partition(")  ")[2].partition(" (")[0] for line in result.history] == [
        "latency fires, warning, on the whole",
        "latency: issue opened",
        "latency: no close-issue: recovery is not confirmed: 1 of 2 healthy evaluations in a row [proof]",
        "latency has recovered",
        "latency: issue closed",
    ]
    assert any(line.startswith("latency/p95") for line in result.samples)


@pytest.mark.parametrize(
    "check",
    [
        "{at: 23h, alerts: [{rule: latency, state: quiet}]}",
        "{at: 24h, alerts: [{rule: latency, state: pending, severity: warning}]}",
        "{at: 25h, alerts: [{rule: latency, state: pending, labels: {}}], not: issue}",
        "{at: 26h, alerts: [{rule: latency}], do: issue}",
        "{at: 48h, alerts: [{rule: latency}]}",
        "{at: 49h, alerts: [{rule: latency, state: resolved, severity: warning}]}",
        "{at: 51h, alerts: [{rule: latency, state: resolved, labels: {}}]}",
    ],
)
def test_every_state_of_an_alert(tmp_path: Path, check: str) -> None:
    lasting = CONFIG.replace("window: 1h\n", "window: 1h\n        for: 3\n")
    assert problems(run(tmp_path, check, LATENCY, lasting)) == []


def test_a_point_that_is_logged_late_is_seen_late(tmp_path: Path) -> None:
    late = LATENCY.replace("warm_up: 2h", "delay: 3h")
    assert problems(run(tmp_path, "{fires: {rule: latency, since: 27h, by: 27h}}", late)) == []
    assert problems(run(tmp_path, "{fires: {rule: latency, since: 24h, by: 24h}}")) == []


ROLLBACK = """\
- name: a bad release
  series:
    eval/accuracy: 0.91~0.009x10d 0.78~0.009x12h
    eval/n: 1000
  versions: v1x10d v2x12h
  expect: [%s]
"""


def test_what_is_planned_comes_from_the_planning_itself(tmp_path: Path) -> None:
    checks = "{at: 10d6h, alerts: [{rule: accuracy, severity: critical}], do: [issue, page], not: {rollback: proposed}}"
    assert problems(run(tmp_path, checks, ROLLBACK)) == []
    (problem,) = problems(run(tmp_path, "{at: 10d6h, not: {rollback: cooldown}}", ROLLBACK))
    assert problem == "expected that rollback is refused by `cooldown`; found `proposed`"
    acting = CONFIG.replace("mode: propose", "mode: act")
    (problem,) = problems(run(tmp_path, checks, ROLLBACK, acting))
    assert problem.startswith("expected no rollback by then; it was done at 10d")
    assert problems(run(tmp_path, "{at: 10d6h, do: rollback}", ROLLBACK, acting)) == []
    found = problems(run(tmp_path, "{at: 10d6h, do: rollback}", ROLLBACK))
    assert found[0].startswith("expected rollback by then; it has not been done: ")
    assert found[0].endswith("[proposed]")


def test_a_test_that_cannot_be_run_hides_no_other(tmp_path: Path) -> None:
    (test,) = read(tmp_path, LATENCY % "{never: latency}")
    other = CONFIG.replace("name: churn", "name: fraud")
    result = run_test(test, config(tmp_path, other))
    assert result.error.startswith("running the test failed in an unforeseen way")
    assert not result.passed


def test_an_evaluation_finds_what_the_command_check_finds(tmp_path: Path) -> None:
    """The same points in a table, judged by ``modelwatch check`` at the same time."""
    source = "wandb: {entity: acme, project: churn-prod, version: model_version}"
    table = CONFIG.replace(source, "table: {path: t.csv, version: v}")
    (test,) = read(tmp_path, ROLLBACK % "{at: 10d6h, none: true}", table)
    columns = test.values or {}
    with (tmp_path / "t.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "v", *columns])
        for place in range(test.points):
            now = test.start + place * test.every
            if place * test.every <= 10.25 * 86_400:
                writer.writerow(
                    [format_iso(now), test.versions[place], *(column[place] for column in columns.values())]
                )
    when = format_iso(test.start + 10.25 * 86_400)
    found = command(tmp_path, "check", "--now", when, "--format", "json")
    assert found.returncode == 0, found.stderr
    live = {group["rule"]: group for group in json.loads(found.stdout)["groups"]}
    (problem,) = problems(run(tmp_path, "{at: 10d6h, none: true}", ROLLBACK, table))
    judged = f"{live['accuracy']['state']} {live['accuracy']['severity']}"
    assert problem == f"expected no alert; found accuracy {judged} on the whole"
