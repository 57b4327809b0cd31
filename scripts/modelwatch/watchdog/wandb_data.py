"""Whether W&B gets data: the newest row of each project's newest runs is young enough."""

from __future__ import annotations

from typing import Any

from ..clients.wandb import WandbSessions, find_runs
from ..errors import SourceError, UserError
from ..timeutil import HOUR, format_utc, scale_to_seconds
from .condition import ConditionResult, State, length, quote, unknown_result, worst_of
from .settings import Access

NAME = "wandb-data"
MAX_RUNS = 20
"""Of a project, those with the newest heartbeat: a run that waits for its end has one without any data."""
MAX_AHEAD = HOUR
"""A row that is further in the future (seconds) has a wrong time."""


def check_wandb_data(access: Access) -> ConditionResult | None:
    """The worst project decides, of several that are in order the one with the oldest data."""
    settings, sessions = access.settings, WandbSessions(access.env)
    found = [_check_project(sessions, access, project) for project in settings.projects]
    return worst_of([result for _, result in sorted(found, key=lambda item: item[0])]) if found else None


def _check_project(sessions: WandbSessions, access: Access, project: str) -> tuple[float, ConditionResult]:
    """When its newest row was logged (0 where that is not known), and whether that is good."""
    try:
        newest = _newest_row(sessions, access, project)
    except UserError as error:
        return 0.0, unknown_result(NAME, error, project)
    return newest or 0.0, _judge(access, project, newest)


def _judge(access: Access, project: str, newest: float | None) -> ConditionResult:
    settings, name = access.settings, quote(project)
    todo = "Look at the job that logs there. Until it logs, nothing is judged."
    if newest is None:
        return ConditionResult(NAME, State.BROKEN, f"no W&B run of {name} has logged anything", None, todo)
    text = f"the newest row of {name} is of {format_utc(newest)}"
    if access.now - newest <= settings.max_data_age:
        return ConditionResult(NAME, State.OK, text)
    what = f"{text}, {length(access.now - newest)} ago; {length(settings.max_data_age)} are allowed"
    return ConditionResult(NAME, State.BROKEN, what, newest + settings.max_data_age, todo)


def _newest_row(sessions: WandbSessions, access: Access, project: str) -> float | None:
    """When the newest row was logged; ``None`` where there is none."""
    entity, _, _ = project.partition("/")
    api = sessions.session("", entity)
    filters: dict[str, Any] = {"tags": {"$in": list(access.settings.tags)}} if access.settings.tags else {}
    seen = 0

    def is_enough(_: Any) -> bool:
        nonlocal seen
        seen += 1
        return seen > MAX_RUNS

    times = list(filter(None, map(_row_time, find_runs(api, project, filters, is_enough))))
    past = [time for time in times if time <= access.now + MAX_AHEAD]
    if times and not past:
        raise SourceError(f"all rows of {project} are of the future, so their times are wrong")
    return max(past, default=None)


def _row_time(run: Any) -> float | None:
    value = run.summary_metrics.get("_timestamp")
    return scale_to_seconds(float(value)) if isinstance(value, int | float) else None
