"""Whether GitHub still starts the main workflow: its schedule is on, and will not be switched off soon.

GitHub switches the schedules of a public repository off after 60 days without activity, this watchdog's with them. So
it is reported a week before: afterwards nobody inside could.
"""

from __future__ import annotations

from ..clients.github import repository_path
from ..timeutil import DAY, format_utc, parse_iso
from .condition import ConditionResult, State, quote
from .settings import Access
from .workflow_runs import read_workflow

NAME = "schedule"
IDLE_LIMIT = 60 * DAY
NOTICE = 7 * DAY
_REASONS = {
    "disabled_inactivity": "GitHub has switched it off, since nothing happened in the repository for 60 days",
    "disabled_manually": "somebody has switched it off",
    "disabled_fork": "it is switched off, as in every fork",
    "deleted": "its file is not on the default branch any more",
}


def check_schedule(access: Access) -> ConditionResult:
    """Raises ServiceError."""
    settings = access.settings
    workflow = read_workflow(access, settings.workflow)
    state, name = str(workflow.get("state") or ""), quote(settings.workflow)
    if state != "active":
        reason = _REASONS.get(state, f"its state is {quote(state)}")
        enable = quote(f"gh workflow enable {settings.workflow} --repo {settings.repository}")
        since = parse_iso(str(workflow["updated_at"]))
        return ConditionResult(NAME, State.BROKEN, f"{name} does not run: {reason}", since, f"Switch it on: {enable}.")
    path = repository_path(settings.repository)
    repository = access.github.get(path, f"read the repository {settings.repository}", permission="metadata: read")
    pushed = parse_iso(str(repository["pushed_at"]))
    if not repository.get("private") and access.now - pushed >= IDLE_LIMIT - NOTICE:
        end = format_utc(pushed + IDLE_LIMIT)
        what = (
            f"nothing was pushed to {quote(settings.repository)} since {format_utc(pushed)}: GitHub switches the "
            f"schedules of a public repository off after 60 days, this watchdog's, too, about {end}"
        )
        return ConditionResult(NAME, State.BROKEN, what, pushed + IDLE_LIMIT - NOTICE, "Push a commit.")
    return ConditionResult(NAME, State.OK, f"{name} is on")
