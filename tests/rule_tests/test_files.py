"""Reading files of rule tests: what they mean, and what is wrong with them, with line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.config.loader import load_config
from modelwatch.errors import ConfigError
from modelwatch.model.alert import AlertState
from modelwatch.model.severity import Severity
from modelwatch.rule_tests.cases import (
    AbsenceCheck,
    ExpectedAlert,
    FiringCheck,
    Moment,
    RecoveryCheck,
    StateCheck,
)
from modelwatch.rule_tests.files import read_test_file
from modelwatch.timeutil import DAY, HOUR, parse_iso

from ..config.making import write
from .making import CONFIG, config, read

WHOLE = """\
- name: a drop
  start: 2026-10-01T06:00+02:00
  every: 2h
  seed: 7
  series:
    eval.accuracy: 0.91x28d 0.8x1d
    eval/n: 1000
    eval/region=eu/accuracy: 0.9x3
  versions: v1x28d v2x1d
  expect:
    - at: 28d
      alerts:
        - {rule: accuracy, severity: critical, labels: {}}
        - {rule: segment-gone, state: pending, labels: {region: eu}}
      do: [issue, page]
      not: {rollback: proposed, retrain: any}
    - at: 2026-10-28T12:00
      none: true
      not: page
    - fires: {rule: accuracy, since: 28d, by: 28d4h, severity: error, labels: {region: eu}}
    - recovers: {rule: accuracy, by: 40d}
    - never: monitoring-silent
    - never: {severity: critical, before: 28d}
"""


def test_everything_that_a_test_can_say(tmp_path: Path) -> None:
    (test,) = read(tmp_path, WHOLE)
    assert (test.name, test.model, test.every, test.seed) == ("a drop", "churn", 2 * HOUR, 7)
    assert test.start == parse_iso("2026-10-01T04:00Z")
    values = dict(test.values or {})
    assert list(values) == ["eval/accuracy", "eval/n", "eval/region=eu/accuracy"], "a dot is a slash, as in W&B"
    assert test.points == 348
    assert [len(values["eval/n"]), *set(values["eval/n"])] == [348, 1000]
    assert values["eval/region=eu/accuracy"] == (0.9,) * 3
    assert test.versions == ("v1",) * 336 + ("v2",) * 12
    assert test.where.endswith("modelwatch-tests.yml:3:5")
    assert test.first_evaluation - test.start == 25 * HOUR, "the longest window, and one evaluation"
    wheres = [check.where.rpartition("yml:")[2] for check in test.checks]
    assert wheres == ["13:9", "19:9", "22:9", "23:9", "24:9", "25:9"]
    bare = [type(check)(**{n: getattr(check, n) for n in check.__slots__ if n != "where"}) for check in test.checks]
    assert bare == [
        StateCheck(
            Moment(28 * DAY),
            (
                ExpectedAlert("accuracy", Severity.CRITICAL, AlertState.FIRING, ()),
                ExpectedAlert("segment-gone", None, AlertState.PENDING, (("region", "eu"),)),
            ),
            ("issue", "page"),
            (("rollback", "proposed"), ("retrain", "any")),
        ),
        StateCheck(Moment(parse_iso("2026-10-28T12:00Z"), is_offset=False), (), (), (("page", ""),)),
        FiringCheck("accuracy", Moment(28 * DAY + 4 * HOUR), Moment(28 * DAY), Severity.ERROR, (("region", "eu"),)),
        RecoveryCheck("accuracy", Moment(40 * DAY)),
        AbsenceCheck("monitoring-silent"),
        AbsenceCheck("", Severity.CRITICAL, None, Moment(28 * DAY)),
    ]
    assert test.end == test.start + 40 * DAY


def test_a_test_ends_with_its_last_point_or_its_last_check(tmp_path: Path) -> None:
    text = "- {name: %s, series: {latency/p95: 1x10d}, expect: [%s]}\n"
    checks = {
        "a": "{at: 3d, none: true}",
        "b": "{never: latency}",
        "c": "{never: {before: 2d}}",
        "d": "{fires: {rule: latency, by: 12d}}",
    }
    tests = read(tmp_path, "".join(text % pair for pair in checks.items()))
    ends = [(test.end - test.start) / HOUR for test in tests]
    assert ends == [239, 239, 239, 288]


def problems(folder: Path, tests: str, text: str = CONFIG) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, tests, text)
    return [str(problem).partition("modelwatch-tests.yml:")[2] for problem in caught.value.problems]


FINE = """
- name: fine
  series: {eval/accuracy: 0.9x3d}
  expect: [{at: 2d, none: true}]
"""


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("eval/accuracy", "eval/acuracy", "4:14: no rule of churn reads `eval/acuracy`. Did you mean `eval/accuracy`?"),
        ("0.9x3d", "0.9x3e", "4:29: `0.9x3e` is no part of a series"),
        ("0.9x3d", "0.9", "4:13: no series says how long the test is. Say how many points"),
        (
            "{eval/accuracy: 0.9x3d}",
            "{eval/accuracy: 1x9, eval.accuracy: 1x9}",
            "4:34: `eval.accuracy` is a key that this",
        ),
        ("name: fine", "nmae: fine", "3:5: `nmae` is not a key of a test. Did you mean `name`?"),
        ("none: true", "nothing: true", "5:23: `nothing` is not a key of a check"),
        (
            "{at: 2d, none: true}",
            "{none: true}",
            "5:14: a check has one of `at`, `fires`, `recovers` and `never`, and it has none",
        ),
        (
            "{at: 2d, none: true}",
            "{at: 2d, never: accuracy}",
            "5:14: a check has one of `at`, `fires`, `recovers` and `never`, and it has `at` and `never`",
        ),
        ("{at: 2d, none: true}", "{at: 2d}", "5:14: nothing is checked at that time."),
        ("none: true", "none: true, alerts: []", "5:23: `alerts` and `none` are two ways"),
        ("at: 2d, none: true", "never: accuracy, do: page", "5:32: `do` is about one evaluation and needs `at`."),
        ("at: 2d", "at: tomorrow", "5:19: `tomorrow` is not an offset"),
        ("at: 2d", "at: 24h", "5:14: the check is before the first evaluation, 25h after the start."),
        ("at: 2d", "at: 40d", "5:14: the check is more than 30 days after the last point"),
        (
            "none: true",
            "alerts: [{rule: acuracy}]",
            "5:39: churn has no rule `acuracy` that reads a series of this test. Did you mean `accuracy`?",
        ),
        (
            "none: true",
            "alerts: [{rule: accuracy, state: quiet, severity: error}]",
            "5:63: a rule that is quiet has no severity.",
        ),
        (
            "none: true",
            "alerts: [{rule: accuracy, state: fireing}]",
            "5:56: `fireing` is not a state. Did you mean `firing`?",
        ),
        ("none: true", "do: isue", "5:27: churn has no workflow `isue`. Did you mean `issue`?"),
        ("none: true", "not: {rollbck: proposed}", "5:29: churn has no workflow `rollbck`. Did you mean `rollback`?"),
        ("at: 2d, none: true", "never: {rule: latency}", "5:29: churn has no rule `latency`"),
        ("at: 2d, none: true", "never: latency", "5:22: churn has no rule `latency`"),
        ("at: 2d, none: true", "fires: {rule: accuracy}", "5:22: an expected firing needs `by`"),
        ("at: 2d, none: true", "recovers: {rule: acuracy, by: 2d}", "5:32: churn has no rule `acuracy`"),
        ("[{at: 2d, none: true}]", "[]", "5:13: the list is empty"),
        ("at: 2d, none: true", "never: {since: 60h, before: 50h}", "5:14: the period of this check ends before it"),
        ("at: 2d, none: true", "never: {since: 60h, before: 60h}", "5:14: the period of this check ends before it"),
        ("at: 2d, none: true", "fires: {rule: accuracy, since: 60h, by: 50h}", "5:14: the period of this check ends"),
        ("at: 2d, none: true", "never: retraining-failed", "5:22: `retraining-failed` cannot fire in a test: its"),
        ("at: 2d, none: true", "never: {rule: source-outage}", "5:29: `source-outage` cannot fire in a test"),
        (
            "0.9x3d}",
            "0.9x3d, eval/n: 5x1d -5x2d}",
            "4:37: `eval/n` counts rows, so it is never negative.",
        ),
        (
            "0.9x3d}",
            "0.9x3d, eval/region=eu/accuracy: 0.9, eval/region=eu/n: -5}",
            "4:67: `eval/region=eu/n` counts rows",
        ),
    ],
)
def test_slips_are_named_with_line_and_column(tmp_path: Path, before: str, after: str, problem: str) -> None:
    assert read(tmp_path, FINE)
    found = problems(tmp_path, FINE.replace(before, after))
    assert any(text.startswith(problem) for text in found), found


def test_several_models_need_to_be_named(tmp_path: Path) -> None:
    other = CONFIG + CONFIG.partition("models:\n")[2].replace("name: churn", "name: fraud")
    assert problems(tmp_path, FINE, other) == [
        "3:5: the configuration has several models; a test needs `model`. Its models: churn, fraud."
    ]
    named = FINE.replace("name: fine", "name: fine\n  model: fraud")
    assert read(tmp_path, named, other)[0].model == "fraud"
    assert problems(tmp_path, named.replace("fraud", "frad"), other)[0].startswith(
        "4:12: the configuration has no model `frad`. Did you mean `fraud`?"
    )


def test_names_are_unique(tmp_path: Path) -> None:
    assert problems(tmp_path, FINE + FINE)[0].startswith("7:11: there is a test `fine` already, at ")


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    assert len(problems(tmp_path, FINE.replace("0.9x3d", "x").replace("2d", "soon") + "- {name: b}\n")) >= 4


@pytest.mark.parametrize(
    "text", ["", "- a\n", "tests: 3\n", "version: 1\ntests: [3]\n", "{", "version: 2\ntests: []\n"]
)
def test_files_that_are_none(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text, "modelwatch-tests.yml")
    with pytest.raises(ConfigError):
        read_test_file(path).tests(config(tmp_path))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        read_test_file(tmp_path / "no.yml")


def test_tests_in_the_folder_of_configurations_are_none(tmp_path: Path) -> None:
    write(tmp_path, CONFIG, "churn.yml")
    write(tmp_path, "version: 1\ntests: []\n", "churn.modelwatch-tests.yml")
    assert len(load_config(tmp_path, {}, require_secrets=False).models) == 1
    write(tmp_path, CONFIG.replace("name: churn", "name: ab"), "ab-tests.yml")
    assert len(load_config(tmp_path, {}, require_secrets=False).models) == 2, "another file is never left out"


def test_rules_without_a_series_are_left_out(tmp_path: Path) -> None:
    """A rule of which nothing is given would only report that it sees nothing."""
    (test,) = read(tmp_path, "- {name: a, series: {latency/p95: 1x2d}, expect: [{at: 2h, none: true}]}")
    assert test.first_evaluation - test.start == 2 * HOUR, "the window of 24 h is that of another rule"
    found = problems(tmp_path, "- {name: a, series: {eval/n: 1x2d}, expect: [{at: 2h, none: true}]}")
    assert found[0].startswith("3:23: no rule has its metric among these series.")


def test_noise_takes_no_share_out_of_its_range(tmp_path: Path) -> None:
    """An accuracy that is weighed by a count is a share; a latency is none."""
    series = "{eval/accuracy: 0.95~0.1x5d 1.2, latency/p95: 0.95~0.1x5d}"
    (test,) = read(tmp_path, f"- {{name: a, series: {series}, expect: [{{at: 2d, none: true}}]}}")
    shares = [value or 0.0 for value in (test.values or {})["eval/accuracy"]]
    assert max(shares[:-1]) == 1.0
    assert shares[-1] == 1.2, "what is written out is kept"
    assert max(value or 0.0 for value in (test.values or {})["latency/p95"]) > 1.0
