"""Marks in files: what is read, and the problems with their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.backtest.incidents import annotated_incidents, join_marks, read_incidents
from modelwatch.errors import ConfigError
from modelwatch.model.backtest import FalseMark, MarkedIncident, Marks
from modelwatch.timeutil import parse_iso

RULES = {"churn": frozenset({"accuracy", "latency"}), "credit": frozenset({"auc"})}


def test_incidents_and_false_alarms(tmp_path: Path) -> None:
    file = tmp_path / "incidents.yml"
    file.write_text(
        "- {model: churn, start: 2026-11-05T03:00, end: 2026-11-06, name: the 5 November drop}\n"
        "- {model: churn, start: 2026-11-08, end: 2026-11-09, rules: latency}\n"
        "- {model: churn, start: 2026-11-10, end: 2026-11-11, rules: [accuracy, latency], verdict: 'false'}\n"
        "- {model: credit, start: 2026-11-10, end: 2026-11-11, verdict: false}\n"
    )
    marks = read_incidents(file, RULES)
    drop, slow = marks.incidents
    assert drop == MarkedIncident(
        "churn", parse_iso("2026-11-05T03:00"), parse_iso("2026-11-06"), "the 5 November drop"
    )
    assert slow.rules == ("latency",)
    day = parse_iso("2026-11-10"), parse_iso("2026-11-11")
    assert marks.false_marks == (
        FalseMark("churn", "accuracy", *day),
        FalseMark("churn", "latency", *day),
        FalseMark("credit", "", *day),
    )
    assert marks.sources == (f"{file}: 2 incidents, 3 false alarms",)


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("- {model: chrun, start: 2026-11-05, end: 2026-11-06}", "1:11", "Did you mean `churn`?"),
        ("- {model: churn, start: 2026-11-05, end: 2026-11-06, rules: [latncy]}", "1:61", "Did you mean `latency`?"),
        ("- {model: churn, strat: 2026-11-05, end: 2026-11-06}", "1:18", "Did you mean `start`?"),
        ("- {model: churn, end: 2026-11-06}", "1:3", "needs `start`"),
        ("- {model: churn, start: 2026-11-07, end: 2026-11-06}", "1:42", "ends before it begins"),
        ("- {model: churn, start: yesterday, end: 2026-11-06}", "1:25", "yesterday"),
        ("- {model: churn, start: 2026-11-05, end: 2026-11-06, verdict: fales}", "1:63", "Did you mean `false`?"),
        ("- churn", "1:3", "is a mapping"),
        ("model: churn", "", "no list of incidents"),
        ("- {model: churn", "", "incidents.yml"),
    ],
)
def test_every_problem_has_its_line(tmp_path: Path, text: str, where: str, message: str) -> None:
    file = tmp_path / "incidents.yml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_incidents(file, RULES)
    assert message in str(caught.value)
    assert (f"{file}:{where}" if where else str(file)) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: No such file"):
        read_incidents(tmp_path / "incidents.yml", RULES)


def test_annotations_that_mark_an_incident(tmp_path: Path) -> None:
    file = tmp_path / "annotations.yml"
    file.write_text(
        "- {at: 2026-11-05, text: a campaign}\n"
        "- {at: 2026-11-05, until: 2026-11-06, models: [churn], text: a bad import, incident: true}\n"
        "- {at: 2026-11-07, text: no end, incident: true}\n"
    )
    marks = annotated_incidents(file, frozenset(RULES))
    assert marks.incidents == (
        MarkedIncident("churn", parse_iso("2026-11-05"), parse_iso("2026-11-06"), "a bad import"),
    )
    (problem,) = marks.problems
    assert "annotations.yml:3" in problem


def test_without_annotations_there_is_nothing_to_report(tmp_path: Path) -> None:
    assert annotated_incidents(tmp_path / "annotations.yml", frozenset(RULES)) == Marks()


def test_the_same_mark_from_two_places_counts_once() -> None:
    one = Marks((MarkedIncident("churn", 0.0, 1.0),), (FalseMark("churn", "", 0.0, 1.0),), ("a",))
    joined = join_marks(one, one)
    assert (len(joined.incidents), len(joined.false_marks), joined.sources) == (1, 1, ("a", "a"))
