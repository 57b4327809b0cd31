"""Comments: one or two sentences each."""

from __future__ import annotations

import pytest

from modelwatch.model.plan import Note
from modelwatch.model.register import ReceiptState
from modelwatch.model.severity import Severity
from modelwatch.report.comment import text

from .making import LATAM, NEWEST, NOW, alert, finding, group, record, register

STATE = "`accuracy` in `region=latam` is 0.85, 7.6 % below its baseline 0.92."


@pytest.mark.parametrize(
    ("topic", "told"),
    [
        ("worse", f"**Worse: now error.** {STATE}"),
        ("better", f"Better: now error (worst was critical). {STATE}"),
        ("reopened", f"Firing again. {STATE}"),
        ("opened", f"Opened at 2026-11-20 12:05 UTC: {STATE}"),
    ],
)
def test_what_changed(topic: str, told: str) -> None:
    of = group(alert(finding(labels=LATAM)))
    assert text(Note("key", topic), of, register(peak=Severity.CRITICAL), NOW) == told


def test_recovery_says_how_long_it_took_and_what_was_done() -> None:
    done = (record(state=ReceiptState.FINISHED, conclusion="success"), record(verb="retrain", state=ReceiptState.LOST))
    shown = text(Note("k", "recovered"), group(end=NEWEST), register(dispatches=done), NOW)
    assert shown == (
        "**Recovered** after 10 h (from 2026-11-20 02:00 UTC to 2026-11-20 12:00 UTC; worst was error). "
        "Done meanwhile: `rollback` (success)."
    )


def test_a_finished_workflow_is_linked_to_its_own_run() -> None:
    runs = tuple(
        record(key=f"g.1.{verb}.{attempt}", verb=verb, run_id=number, url=f"https://example.org/runs/{number}")
        for number, (verb, attempt) in enumerate([("retrain", 1), ("retrain", 2), ("rollback", 1)], 1)
    )
    note = Note("g.1.workflow.retrain.2", "workflow", "retrain finished: failure")
    shown = text(note, None, register(dispatches=runs), NOW)
    assert shown == "Workflow: `retrain finished: failure` ([workflow run 2](https://example.org/runs/2))"


def test_another_topic_gives_its_detail_and_nothing_comes_alive() -> None:
    shown = text(Note("k", "command", "@all [x](http://evil) `"), None, register(), NOW)
    assert shown == "Command: `` @all [x](http://evil) ` ``"
