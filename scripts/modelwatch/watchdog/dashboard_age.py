"""Whether the published dashboard is young enough, by the time that it says it was built."""

from __future__ import annotations

import re

from ..clients.http import get_page, monitor_retry_policy
from ..errors import ServiceError
from ..timeutil import format_utc
from .condition import ConditionResult, State, length, quote
from .settings import Access

NAME = "dashboard"
BUILT_FILE = "assets/built.js"
"""What ``modelwatch dashboard`` writes the time into, so that its pages can say how old they are."""
_BUILT = re.compile(rb"modelwatchBuilt = (\d{9,11});")


def check_dashboard(access: Access) -> ConditionResult | None:
    """Raises ServiceError."""
    settings = access.settings
    if not settings.dashboard:
        return None
    url = f"{settings.dashboard.rstrip('/')}/{BUILT_FILE}"
    match = _BUILT.search(get_page(url, monitor_retry_policy(access.env)))
    if match is None:
        raise ServiceError(f"{url} does not say when the dashboard was built")
    built = float(match[1])
    text = f"{quote(settings.dashboard)} was built at {format_utc(built)}"
    if access.now - built <= settings.max_dashboard_age:
        return ConditionResult(NAME, State.OK, text)
    what = f"{text}, {length(access.now - built)} ago; {length(settings.max_dashboard_age)} are allowed"
    todo = "Look at the newest run of the workflow that builds and publishes it."
    return ConditionResult(NAME, State.BROKEN, what, built + settings.max_dashboard_age, todo)
