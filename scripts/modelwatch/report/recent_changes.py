"""What changed before an alert began: as a list on the issue, and as lines of the diagnosis."""

from __future__ import annotations

from collections.abc import Iterator

from ..model.recent_change import LOOKBACK, RecentChanges
from ..timeutil import HOUR
from .formatting import utc_time
from .markdown import code, link, plain_line

MAX_LINES = 6


def recent_changes_section(recent: RecentChanges) -> str:
    """A list with links; what could not be read last. Empty where there is neither."""
    lines = []
    for change in recent.changes:
        by = f", by {code(change.by, 60)}" if change.by else ""
        where = f" ({link('open', change.url)})" if change.url else ""
        lines.append(f"- {utc_time(change.at)} **{change.kind}** {code(change.text)}{by}{where}")
    lines += [f"- Not read: {code(problem, 300)}" for problem in recent.problems]
    if not lines:
        return ""
    return (
        f"In the {LOOKBACK / HOUR:g} h before it began, newest first. One of these may be the cause:\n\n"
        + "\n".join(lines)
    )


def recent_change_lines(recent: RecentChanges) -> Iterator[str]:
    """Plain lines, for a terminal."""
    for change in recent.changes[:MAX_LINES]:
        by = f", by {change.by}" if change.by else ""
        yield plain_line(f"{change.kind} at {utc_time(change.at)}{by}: {change.text} {change.url}".rstrip(), 300)
    if len(recent.changes) > MAX_LINES:
        yield f"{len(recent.changes) - MAX_LINES} more"
    yield from (plain_line(f"not read: {problem}", 300) for problem in recent.problems)
