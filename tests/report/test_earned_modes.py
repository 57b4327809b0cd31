"""What is said about the modes of automations."""

from __future__ import annotations

from dataclasses import replace

from modelwatch.model.earned_mode import AttemptOutcome, AutomationAttempt, EarnedMode
from modelwatch.model.rule import Mode
from modelwatch.report.earned_modes import (
    changed_modes,
    mode_points,
    mode_rows,
    proposal_text,
    pull_request_body,
    pull_request_title,
    record_text,
)
from modelwatch.report.markdown import code

NOT_YET = EarnedMode(
    "churn",
    "retrain",
    Mode.PROPOSE,
    Mode.ACT,
    earned=False,
    counted=9,
    good=8,
    low=0.571,
    high=0.99,
    harmful=0,
    missing=1,
    reasons=("it has 9 known outcomes, of 10 that are needed",),
    outcomes=((AttemptOutcome.HELPED, 8), (AttemptOutcome.OPEN, 1), (AttemptOutcome.REJECTED, 1)),
    refused=2,
    attempts=(
        AutomationAttempt(1_795_132_800.0, "accuracy", AttemptOutcome.HELPED, "ada", "https://x.example/1"),
        AutomationAttempt(1_795_136_400.0, "accuracy", AttemptOutcome.REJECTED, "", "https://x.example/2"),
    ),
)
EARNED = replace(NOT_YET, earned=True, reasons=(), missing=0)
BACK = replace(NOT_YET, mode=Mode.ACT, next_mode=None, step_back=Mode.PROPOSE, step_back_reason="2 were harmful")


def test_the_record_and_what_is_missing() -> None:
    assert record_text(NOT_YET) == (
        "10 attempts: 8 helped, 1 rejected, 1 open, 2 refused by guards (surely at least 57 % help)"
    )
    assert proposal_text(NOT_YET) == (
        "not yet act: it has 9 known outcomes, of 10 that are needed; 1 more good in a row would earn it"
    )
    empty = replace(NOT_YET, mode=Mode.OBSERVE, outcomes=(), counted=0)
    assert record_text(empty) == "nothing on record"
    assert proposal_text(replace(NOT_YET, next_mode=None)) == "stays"


def test_what_is_proposed() -> None:
    assert proposal_text(EARNED) == "act is earned"
    assert proposal_text(BACK) == "step back to propose: 2 were harmful"
    assert [mode.proposed_mode for mode in (NOT_YET, EARNED, BACK)] == [Mode.PROPOSE, Mode.ACT, Mode.PROPOSE]
    assert changed_modes((NOT_YET, EARNED, BACK)) == (EARNED, BACK)


def test_the_scorecard_has_every_automation() -> None:
    assert mode_rows((NOT_YET, EARNED), code)[0] == (
        "`retrain of churn`",
        "propose",
        record_text(NOT_YET),
        proposal_text(NOT_YET),
    )
    assert list(mode_points((NOT_YET, EARNED, BACK), code)) == [
        "**`retrain of churn` should step back to propose:** 2 were harmful.",
        f"**`retrain of churn` has earned mode act:** {record_text(EARNED)}.",
    ]


def test_the_pull_request_says_why_and_that_nothing_changes_by_itself() -> None:
    assert pull_request_title((NOT_YET, EARNED)) == "Let retrain of churn act"
    assert pull_request_title((EARNED, BACK)) == "Change the modes of 2 automations"
    body = pull_request_body((NOT_YET, EARNED, BACK), "--- a/x\n+- ```\n", ["x.yml:1:1: by hand"])
    assert body.startswith("The records on the issues speak for these modes. Nothing changes unless you merge this.")
    assert "### `churn` `retrain`: propose → act" in body
    assert "### `churn` `retrain`: act → propose" in body
    assert "It should step back: 2 were harmful." in body
    assert "| 2026-11-20 01:00 UTC | `accuracy` | [rejected](https://x.example/2) |  |" in body
    assert "````diff\n--- a/x\n+- ```\n````" in body
    assert body.endswith("- `x.yml:1:1: by hand`")
    assert pull_request_body((NOT_YET,), "") == ""
