"""What the page of an alert showed when it fired last, as JSON beside it: later builds add what came of it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from .. import typed_json
from .page import (
    AlertLink,
    AlertPage,
    Annotation,
    BarChart,
    CurveChart,
    DistributionChart,
    Panel,
    Table,
    TimeChart,
)

FORMAT = 1


@dataclass(frozen=True, slots=True)
class StoredPanel:
    """One panel, in the field of its kind."""

    time: TimeChart | None = None
    distribution: DistributionChart | None = None
    bars: BarChart | None = None
    curves: CurveChart | None = None
    table: Table | None = None

    @property
    def panel(self) -> Panel | None:
        return self.time or self.distribution or self.bars or self.curves or self.table


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """The content of the file."""

    link: AlertLink
    model: str
    rule: str
    as_of: float
    headline: str
    charts: tuple[StoredPanel, ...]
    facts: tuple[tuple[str, str], ...]
    annotations: tuple[Annotation, ...]
    next_step: str = ""
    next_url: str = ""
    runbook_url: str = ""
    format: int = FORMAT


def record_path(link: AlertLink) -> str:
    """Of the record of an alert, relative to the root of the site."""
    return f"{link.page.removesuffix('.html')}.json"


def encode_page(page: AlertPage) -> bytes:
    """Without ``notice`` and ``is_watched``, which tell what came of it."""
    import msgspec

    same = {one.name: getattr(page, one.name) for one in fields(AlertRecord) if one.name not in ("charts", "format")}
    return msgspec.json.encode(AlertRecord(charts=tuple(map(_stored, page.charts)), **same))


def decode_page(content: bytes) -> AlertPage | None:
    """``None`` for what is no such record."""
    import msgspec

    try:
        record = typed_json.decode(content, AlertRecord)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if record.format != FORMAT:
        return None
    same = {one.name: getattr(record, one.name) for one in fields(AlertRecord) if one.name not in ("charts", "format")}
    return AlertPage(charts=tuple(one.panel for one in record.charts if one.panel is not None), **same)


def end_page(page: AlertPage, link: AlertLink, notice: str) -> AlertPage:
    """``page`` of an alert that has ended: the evidence stays, and nothing is left to do."""
    return replace(page, link=link, notice=notice, next_step="", next_url="")


def _stored(panel: Panel) -> StoredPanel:
    match panel:
        case TimeChart():
            return StoredPanel(time=panel)
        case DistributionChart():
            return StoredPanel(distribution=panel)
        case BarChart():
            return StoredPanel(bars=panel)
        case CurveChart():
            return StoredPanel(curves=panel)
        case Table():
            return StoredPanel(table=panel)
