"""A drill: its mark on everything that people see, and its report."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.drill import DRILL_PREFIX, DrillReport, LinkResult, LinkState
from ..model.monitored_model import Model
from .formatting import duration, utc_time
from .markdown import bullet_list, code, plain_line, table

DRILL_NOTICE = f"**{DRILL_PREFIX} This is a drill: production is not affected.**"
COLUMNS = ("", "link", "", "took", "what was found")
MAX_TEXT = 300


def mark_drill(title: str, model: Model | None) -> str:
    """``title`` with the mark in front of it, where the model exists for drills."""
    return f"{DRILL_PREFIX} {title}" if model is not None and model.drill else title


def drill_title(report: DrillReport) -> str:
    """``Drill of churn: accuracy-drop, against the stand-ins``."""
    return plain_line(f"Drill of {report.model}: {report.scenario}, {report.place}")


def verdict(report: DrillReport) -> str:
    """One sentence: whether it passed, or where the chain is broken."""
    broken, left = report.broken, report.cleanup.left
    if broken is not None:
        text = f"BROKEN at link {_number(report, broken)}, {broken.link}."
    else:
        part = sum(link.state is LinkState.PASSED for link in report.links)
        text = f"All {part} links hold."
    return f"{text} Something is left behind." if left else text


def _number(report: DrillReport, result: LinkResult) -> int:
    return report.links.index(result) + 1


def broken_lines(report: DrillReport) -> list[tuple[str, str]]:
    """What to know of the broken link; nothing where none is."""
    broken = report.broken
    if broken is None:
        return []
    lines = [("expected", broken.expected), ("found", broken.found), ("look at", broken.look_at)]
    return [(name, plain_line(text, MAX_TEXT * 2)) for name, text in lines if text]


def took_text(result: LinkResult) -> str:
    """``3 min of 1 h``; of event time it says so."""
    if result.promised is None or (result.took is None and result.state is not LinkState.FAILED):
        return ""
    took = "" if result.took is None else f"{duration(result.took)} of "
    return f"{took}{duration(result.promised)}{' (event time)' if result.is_event_time else ''}"


def link_rows(report: DrillReport) -> list[tuple[str, str, str, str, str]]:
    """A row for each link: number, link, state, time, what was found."""
    return [
        (str(place), str(one.link), str(one.state), took_text(one), plain_line(_found(one), MAX_TEXT))
        for place, one in enumerate(report.links, start=1)
    ]


def _found(result: LinkResult) -> str:
    return result.expected if result.state is LinkState.NOT_PART else result.found


def cleanup_lines(report: DrillReport, *, kept: bool = False) -> list[str]:
    """What was found of earlier drills, removed and left."""
    lines = []
    if report.earlier.removed:
        lines.append(f"Left by an earlier drill, and removed: {'; '.join(report.earlier.removed)}.")
    if kept:
        return [*lines, "Nothing was cleaned up (--keep): the next drill of this model does it."]
    removed = "; ".join(report.cleanup.removed)
    if report.cleanup.left:
        return [*lines, *(f"LEFT BEHIND: {text}" for text in report.cleanup.left)]
    return [*lines, f"Cleaned up{f': {removed}' if removed else ''}. Nothing is left behind."]


def drill_markdown(reports: Sequence[DrillReport], *, kept: bool = False) -> str:
    """For a job summary or an issue."""
    parts = []
    for report in reports:
        sign = "✅" if report.passed else "❌"
        parts += [f"## {sign} {code(report.model)}: {report.scenario}", _markdown_head(report)]
        if lines := broken_lines(report):
            parts.append("\n".join(f"- **{name}**: {code(text, MAX_TEXT * 2)}" for name, text in lines))
        rows = [(*cells, code(found) if found else "") for *cells, found in link_rows(report)]
        parts.append(table(("", "link", "result", "took", "found"), rows))
        parts.append(bullet_list((*report.notes, *cleanup_lines(report, kept=kept))))
    return "\n\n".join(parts) + "\n"


def _markdown_head(report: DrillReport) -> str:
    return f"**{verdict(report)}** {utc_time(report.at)}, {code(report.place)}, rule {code(report.rule)}."
