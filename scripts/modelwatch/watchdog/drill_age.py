"""Whether somebody still rehearses: the workflow of drills has succeeded recently."""

from __future__ import annotations

from ..timeutil import format_utc, parse_iso
from .condition import ConditionResult, State, length, quote
from .settings import Access
from .workflow_runs import newest_runs, read_workflow

NAME = "drill"


def check_drill(access: Access) -> ConditionResult | None:
    """Raises ServiceError."""
    settings = access.settings
    if not settings.drill:
        return None
    runs = newest_runs(access, settings.drill, status="success")
    last = runs[0].ended if runs else parse_iso(str(read_workflow(access, settings.drill)["created_at"]))
    verb = "succeeded last at" if runs else "has never succeeded since"
    text = f"the drill {quote(settings.drill)} {verb} {format_utc(last)}"
    if access.now - last <= settings.max_drill_age:
        return ConditionResult(NAME, State.OK, text)
    what = f"{text}, {length(access.now - last)} ago; {length(settings.max_drill_age)} are allowed"
    todo = "Start it by hand, and look at the link of the chain that it names."
    return ConditionResult(NAME, State.BROKEN, what, last + settings.max_drill_age, todo)
