"""One look of the watchdog: examine, remember, write the issue, page. Neither channel stops the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UserError
from .condition import ConditionResult
from .examination import examine
from .incident import send_page
from .issue import IssueKeeper, WatchdogIssue
from .memory import Memory, settle
from .settings import Access


@dataclass(frozen=True, slots=True)
class WatchdogReport:
    """What was found, and what became of it."""

    results: Sequence[ConditionResult]
    issue: str = ""
    """Its address."""
    failures: tuple[str, ...] = ()
    """Why the issue could not be written, or nobody could be paged."""


def watch(
    access: Access, *, routing_key: str = "", run_url: str = "", runbook: str = "", dry_run: bool = False
) -> WatchdogReport:
    """Never raises for what a service does. Without a ``routing_key`` nobody is paged; with ``dry_run`` nothing is
    written either."""
    settings = access.settings
    keeper = IssueKeeper(access.github, settings.repository, access.now)
    failures: list[str] = []
    known: WatchdogIssue | None = None
    memory: Memory | None = {}
    try:
        known = keeper.find()
        memory = known.memory if known else {}
    except UserError as error:
        memory = None
        failures.append(f"the issue cannot be read: {error}")
    results, kept = settle(examine(access), memory, access.now)
    url = known.url if known and not known.is_over else ""
    if dry_run:
        return WatchdogReport(results, url, tuple(failures))
    if memory is not None:
        try:
            url = keeper.keep(known, results, kept, run_url=run_url, runbook=runbook)
        except UserError as error:
            failures.append(f"the issue cannot be written: {error}")
    if routing_key:
        links = (("Issue", url), ("Runbook", runbook), ("Workflow run", run_url))
        try:
            send_page(routing_key, access.env, settings.repository, results, access.now, links)
        except UserError as error:
            failures.append(f"nobody could be paged: {error}")
    return WatchdogReport(results, url, tuple(failures))
