"""One look of the watchdog: examine, remember, write the issue, page. Neither channel stops the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UserError
from .condition import ConditionResult
from .examination import examine
from .incident import Pager
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
    shown = known if known and not known.is_over else None
    if dry_run:
        return WatchdogReport(results, shown.url if shown else "", tuple(failures))
    written: WatchdogIssue | None = None
    remembered: Memory | None = None
    if memory is not None:
        try:
            written = shown = keeper.keep(known, results, kept, run_url=run_url, runbook=runbook)
            remembered = kept
        except UserError as error:
            failures.append(f"the issue cannot be written: {error}")
    url = shown.url if shown else ""
    if routing_key:
        pager = Pager(routing_key, access.env, settings.repository, access.now)
        links = (("Issue", url), ("Runbook", runbook), ("Workflow run", run_url))
        rests = written is not None and written.rests(access.now)
        paged: Memory | None = None
        try:
            paged = pager.send(results, links, remembered, rests=rests)
        except UserError as error:
            failures.append(f"nobody could be paged: {error}")
        if paged and written:
            failures += _remember_page(keeper, written, paged)
    return WatchdogReport(results, url, tuple(failures))


def _remember_page(keeper: IssueKeeper, issue: WatchdogIssue, memory: Memory) -> list[str]:
    """Why it could not be written down who was paged about what: then the page is repeated."""
    try:
        keeper.remember(issue, memory)
    except UserError as error:
        return [f"the issue cannot be written: {error}"]
    return []
