"""Whether evaluations come: the main workflow has succeeded within twice its period."""

from __future__ import annotations

from ..timeutil import format_utc, parse_iso
from .condition import ConditionResult, State, length, quote
from .settings import Access
from .workflow_runs import STARTED_BY_ITSELF, newest_runs, read_workflow

NAME = "evaluations"


def check_evaluations(access: Access) -> ConditionResult:
    """Broken as soon as the next look would come later than twice the period after the last success, so that a workflow
    that is stopped is noticed within that time. Raises ServiceError."""
    settings = access.settings
    events = () if settings.any_event else STARTED_BY_ITSELF
    runs = newest_runs(access, settings.workflow, status="success", events=events)
    name, period = quote(settings.workflow), f"it runs every {length(settings.every)}"
    if runs:
        last, text = runs[0].ended, f"succeeded last at {format_utc(runs[0].ended)}"
    else:
        last = parse_iso(str(read_workflow(access, settings.workflow)["created_at"]))
        text = f"has not succeeded since it was made at {format_utc(last)}"
    patience = 2 * settings.every - min(settings.interval, settings.every / 2)
    if access.now - last < patience:
        return ConditionResult(NAME, State.OK, f"{name} {text}, and {period}")
    what = f"{name} {text}, {length(access.now - last)} ago, and {period}: nothing is watched"
    look = f"gh run list --workflow {settings.workflow} --repo {settings.repository}"
    todo = f"Look at its newest run ({quote(look)}), fix what stops it, and start it by hand."
    return ConditionResult(NAME, State.BROKEN, what, last + settings.every, todo)
