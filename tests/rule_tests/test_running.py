"""Running rule tests: what passes, and what a failure says."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from modelwatch.rule_tests.cases import RuleTestResult
from modelwatch.rule_tests.report import failure_texts, to_junit
from modelwatch.rule_tests.suite import FileResult, run_test
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


LIMITS = """\
version: 1
models:
  - name: churn
    wandb: {entity: acme, project: churn-prod}
    github: {repository: acme/churn-model}
    rules:
      - name: floor
        kind: latency
        metric: eval/latency
        segments: "eval/region=*/latency"
        window: 1h
        every: 1h
        baseline: {value: 100}
        tiers: {warning: {rise: 10%, do: [issue]}, critical: {rise: 50%, do: [issue]}}
"""
STEPS = """\
- name: worse, then better
  warm_up: 2h
  series: {eval/latency: 100x24 200x24 125x60}
  expect: [%s]
"""
REGIONS = """\
- name: a region twice within one episode
  warm_up: 2h
  series: {eval/latency: 100x24 200x96, eval/region=eu/latency: 100x30 300x8 100x40 300x42}
  expect: [%s]
"""
UNJUDGED = """\
- name: shorter than the baseline
  series: {eval/accuracy: 0.91x20 0.10x10, eval/n: %s}
  expect: [%s]
"""
ONLY_ACCURACY = CONFIG.partition("      - name: latency")[0]


@pytest.mark.parametrize(
    ("tests", "check", "problem"),
    [
        (STEPS, "{never: {rule: floor, severity: critical, since: 90h}}", ""),
        (STEPS, "{never: {rule: floor, severity: critical, since: 30h}}", "floor fired at 24h"),
        (STEPS, "{never: {rule: floor, severity: critical, before: 20h}}", ""),
        (STEPS, "{never: {rule: floor, since: 90h}}", "floor fired at 24h"),
        (REGIONS, "{fires: {rule: floor, since: 30h, by: 40h, labels: {region: eu}}}", ""),
        (REGIONS, "{fires: {rule: floor, since: 60h, by: 90h, labels: {region: eu}}}", "it fired at 30h"),
        (REGIONS, "{at: 34h, alerts: [{rule: floor, labels: {region: eu}}]}", ""),
        (REGIONS, "{at: 25h, alerts: [{rule: floor}, {rule: floor, state: quiet, labels: {region: eu}}]}", ""),
    ],
)
def test_a_check_is_about_its_own_time_and_series(tmp_path: Path, tests: str, check: str, problem: str) -> None:
    found = problems(run(tmp_path, check, tests, LIMITS))
    assert [problem in text for text in found] == ([True] if problem else []), found


@pytest.mark.parametrize(
    ("check", "problem"),
    [
        ("{never: {}}", "accuracy was judged at no evaluation in this test, so this check could not fail: "),
        ("{never: accuracy}", "accuracy was judged at no evaluation in this test"),
        ("{never: {rule: accuracy, severity: error}}", "accuracy was judged at no evaluation in this test"),
        ("{at: 29h, none: true}", "accuracy was judged at no evaluation until then"),
        ("{at: 29h, not: page}", "accuracy was judged at no evaluation until then"),
    ],
)
def test_a_check_that_could_not_fail_fails(tmp_path: Path, check: str, problem: str) -> None:
    (found,) = problems(run(tmp_path, check, UNJUDGED.replace("%s", "1000", 1), ONLY_ACCURACY))
    assert found.startswith(problem)
    assert found.endswith("a limit is passed at every evaluation, but too little came before to prove it")


@pytest.mark.parametrize(("since", "when"), [("", "in this test"), (", since: 26h", "then")])
def test_a_rule_without_rows_cannot_be_silent(tmp_path: Path, since: str, when: str) -> None:
    check = f"{{never: {{rule: accuracy{since}}}}}"
    (found,) = problems(run(tmp_path, check, UNJUDGED.replace("%s", "0", 1), ONLY_ACCURACY))
    assert found.startswith(f"accuracy was judged at no evaluation {when}, so this check could not fail: ")
    assert found.rpartition(": ")[2].strip()


def test_few_rows_prove_little_and_may_be_tested(tmp_path: Path) -> None:
    few = """\
- name: few rows
  series: {eval/accuracy: 0.91x10d 0.85x3d, eval/n: 1000x10d 2x3d}
  expect: [%s]
"""
    assert problems(run(tmp_path, "{never: {rule: accuracy, since: 11d12h}}", few, ONLY_ACCURACY)) == []


def test_labels_that_no_series_has_are_told(tmp_path: Path) -> None:
    checks = "{at: 25h, alerts: [{rule: floor}, {rule: floor, state: quiet, labels: {regoin: eu}}]}"
    (found,) = problems(run(tmp_path, checks, REGIONS, LIMITS))
    assert found == "no series of floor is regoin=eu, so this check could not fail"


def test_any_guard_has_to_have_refused(tmp_path: Path) -> None:
    (found,) = problems(run(tmp_path, "{at: 20h, not: {page: any}}"))
    assert found == "expected that page is refused by a guard; found no refusal: no tier called for it"
    assert problems(run(tmp_path, "{at: 10d6h, not: {rollback: any}}", ROLLBACK)) == []


def test_what_a_name_hides_is_seen_in_annotations_and_xml(tmp_path: Path) -> None:
    tests = LATENCY.replace("slow for a day", '"a\\x1b[2J\\u202eb"')
    result = run(tmp_path, "{never: latency}", tests)
    file = FileResult(tmp_path, tmp_path, (result,))
    ((_, text),) = failure_texts([file])
    shown = "a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}b"
    assert text.startswith(f"{shown}: expected latency never to fire")
    assert shown in to_junit([file]).decode()


def test_the_history_names_the_series_that_fired_first(tmp_path: Path) -> None:
    result = run(tmp_path, "{never: floor}", REGIONS, LIMITS)
    assert "floor fires, critical, on the whole" in result.history[0]
    assert "region=eu" not in result.history[0]


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
