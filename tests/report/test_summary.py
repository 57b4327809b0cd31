"""Verdict, job summary and terminal."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from modelwatch.model.alert import MONITORING_SILENT, AlertState, Group, Mute, SourceFailure
from modelwatch.model.finding import Cause, Outcome
from modelwatch.model.plan import ChangeKind, ChangeResult, Plan, Receipt, Receipts, Skip
from modelwatch.model.severity import Severity
from modelwatch.report.console import show_judgement
from modelwatch.report.group_states import group_state, summary_line
from modelwatch.report.plan_tables import show_plan
from modelwatch.report.summary import MAX_ROWS, group_skips, job_summary

from .making import NOW, change, finding, group, judgement, plan

MUTED = (Mute("silence", "migration"),)


def quiet(outcome: Outcome = Outcome.OK, cause: Cause = Cause.NONE, **fields: Any) -> Group:
    latest = finding(outcome=outcome, cause=cause, severity=None)
    plain = group(state=AlertState.QUIET, severity=None, start=None, latest=latest, **fields)
    return replace(plain, alerts=())


def shown(*, receipts: Receipts | None = None, of: Plan | None = None) -> str:
    screen = StringIO()
    show_plan(Console(file=screen, width=100), of or plan(change()), receipts)
    return screen.getvalue()


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ([], "nothing to judge"),
        ([quiet(), quiet()], "2 healthy"),
        ([group()], "1 firing (error)"),
        ([group(mutes=MUTED)], "1 firing (error, muted)"),
        ([group(), group(severity=Severity.CRITICAL), quiet()], "2 firing (1 critical, 1 error), 1 healthy"),
        ([group(state=AlertState.PENDING)], "1 pending"),
        ([quiet(Outcome.NO_DATA, Cause.NO_POINTS), quiet(Outcome.UNDECIDED)], "1 undecided, 1 without data"),
        ([quiet(rule=MONITORING_SILENT)], "nothing to judge"),
        ([quiet(), group(rule=MONITORING_SILENT)], "1 firing (error), 1 healthy"),
    ],
)
def test_verdict_counts_rules(groups: list[Group], told: str) -> None:
    assert summary_line(judgement(*groups)) == told


def test_verdict_of_sources_that_are_down() -> None:
    down = (SourceFailure("a", "x"), SourceFailure("b", "y"))
    assert summary_line(judgement(quiet(), failures=down)) == "1 healthy, 2 sources down"


def test_states_in_words() -> None:
    states = [
        group_state(of)
        for of in (
            group(),
            group(mutes=MUTED),
            group(state=AlertState.PENDING),
            group(state=AlertState.RESOLVED),
            quiet(),
            quiet(Outcome.NO_DATA),
        )
    ]
    assert states == ["error", "error (muted)", "pending", "recovered", "healthy", "no data"]


def test_skips_of_one_group_for_one_reason_are_told_once() -> None:
    skips = [
        Skip("open-issue", "churn", "g", "muted", "silence"),
        Skip("trigger-incident", "churn", "g", "muted", "silence"),
        Skip("retrain", "churn", "g", "cooling down", "cooldown"),
    ]
    found = [(actions, skip.guard) for skip, actions in group_skips(skips)]
    assert found == [(["open issue", "trigger incident"], "silence"), (["retrain"], "cooldown")]


class TestSummary:
    def test_a_healthy_one_is_short(self) -> None:
        text = job_summary(judgement(quiet()), plan(groups=()))
        assert text.startswith("## modelwatch: 1 healthy\n\nModels: 🟩 1 green. Evaluated at 2026-11-20 12:05 UTC.")
        assert "No changes needed." in text
        assert "Alerts" not in text

    def test_what_has_no_data_is_listed_with_the_reason(self) -> None:
        text = job_summary(judgement(quiet(Outcome.NO_DATA, Cause.NO_POINTS)))
        assert "| `churn` `accuracy` | no data | no points in the window | — |" in text

    def test_results_and_what_could_not_be_recorded(self) -> None:
        done = Receipt(
            change().id, ChangeKind.OPEN_ISSUE, "churn", group().key, ChangeResult.DONE, NOW, url="https://x.org/1"
        )
        lost = Receipt("record:g", ChangeKind.UPDATE_ISSUE, "churn", group().key, ChangeResult.FAILED, NOW, "HTTP 500")
        text = job_summary(judgement(group()), plan(change()), Receipts(NOW, "d", (done, lost)))
        assert "| open issue: [done](https://x.org/1) | `accuracy is error` |" in text
        assert "| record on the issue: failed: `HTTP 500` | so that nothing is done twice |" in text

    def test_a_fleet_is_cut_with_a_note(self) -> None:
        many = [group(model=f"m{place}") for place in range(MAX_ROWS + 5)]
        text = job_summary(judgement(*many))
        assert "5 more rows are left out here" in text

    def test_hostile_texts_stay_in_their_cells(self) -> None:
        down = SourceFailure("a|b", "x | y\n# title <script> @all")
        row = next(line for line in job_summary(judgement(failures=(down,))).splitlines() if "script" in line)
        assert row == "| `a¦b` | `x ¦ y # title <script> @all` |"


class TestConsole:
    @pytest.mark.parametrize("width", [60, 80, 120])
    def test_it_fits(self, width: int) -> None:
        screen = StringIO()
        show_judgement(Console(file=screen, width=width), judgement(group(), quiet(), notes=("a note " * 30,)))
        lines = screen.getvalue().splitlines()
        assert max(map(len, lines)) <= width
        words = " ".join(" ".join(lines).split())
        assert "error 10 h 5 min 0.85, 7.6 % below its baseline 0.92" in words or width == 60

    def test_results(self) -> None:
        failed = Receipt(change().id, ChangeKind.OPEN_ISSUE, "churn", "g", ChangeResult.FAILED, NOW, "HTTP 403")
        text = shown(receipts=Receipts(NOW, "d", (failed,)))
        assert "failed" in text
        assert "HTTP 403" in text
        assert "accuracy is error" not in text, "why it failed counts more than why it was wanted"
        assert "planned" in shown(receipts=Receipts(NOW, "d", ()))

    def test_nothing_to_change(self) -> None:
        text = shown(of=plan(groups=(), troubles=(("churn", "issues cannot be observed: \x1b[31m401"),)))
        assert "No changes can be planned until the problems are solved." in text
        assert "problem: churn: issues cannot be observed" in text
        reason = "issues cannot be observed: HTTP 404"
        once = plan(groups=(), skips=(Skip("open-issue", "churn", "g", reason),), troubles=(("churn", reason),))
        assert shown(of=once).count("404") == 1
        assert "issues cannot be observed (see the problem below)" in shown(of=once)
        assert "\x1b" not in text
