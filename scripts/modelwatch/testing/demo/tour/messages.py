"""What the tour says, apart from what happens. Short, and in one voice."""

from __future__ import annotations

from ....timeutil import MINUTE
from .cost_report import DOLLARS_PER_WRONG_DECISION
from .production import DECISIONS_PER_MINUTE
from .simulation import COMMAND_SECONDS, EVALUATION_INTERVAL, SHIFT_SECONDS

TITLE = "On call for the night"

INTRODUCTION = (
    f"You are Robin, on call for acme. The churn model decides for {DECISIONS_PER_MINUTE} customers a minute whether "
    "to offer "
    f"them a discount. A wrong decision costs ${DOLLARS_PER_WRONG_DECISION}: a discount for nothing, or a customer "
    "lost for want of one."
)
INSTRUCTIONS = (
    "The commands are real and act on stand-ins for W&B, GitHub and PagerDuty; nothing leaves this machine. The clock "
    f"is simulated: a command takes {COMMAND_SECONDS / MINUTE:.0f} minutes, `wait 30m` takes 30, unless a page wakes "
    f"you. modelwatch evaluates every {EVALUATION_INTERVAL / MINUTE:.0f} minutes. Your shift ends "
    f"{SHIFT_SECONDS / MINUTE / 60:.0f} hours after the page, or when the alert is over and the issue is closed. "
    "`help` says what you can do."
)

HELP = """\
  page                   the incident, as your phone shows it
  ack                    press "Acknowledge" in PagerDuty
  issue                  the issue, as it stands
  runbook                the page for this alert, filled in
  comment TEXT           on the issue; /modelwatch approve and the like count there
  close [not planned]    the issue, as on GitHub: acknowledges the alert, or mutes it; reopen undoes it
  wait 30m               let time pass; a page ends it
  quit                   end the shift, and see what it cost

  diagnose               where, why, what changed, what next
  check, status, audit   what fires; what exists; who did what
  release status         who serves; history, diff v6 v7, rollback, promote, ...

Further commands of modelwatch, with their options: run, runbooks, explain, baseline, config,
sensitivity, review. Help is free."""


def format_dollars(amount: float) -> str:
    """``$1,240``, ``-$60``."""
    return f"{'-' if amount < 0 else ''}${abs(amount):,.0f}"
