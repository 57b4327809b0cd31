"""What the pages of the dashboard show, as data: answers, charts, annotations. Renderers only lay it out.

Times are seconds since the epoch (UTC). Texts are plain, and hostile until a renderer escapes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..model.severity import Severity
from ..report.model_health import Health


class ViewName(StrEnum):
    DATA_SCIENCE = "data-science"
    BUSINESS = "business"
    OPERATIONS = "operations"
    GROUND_TRUTH = "ground-truth"


class LineRole(StrEnum):
    """What a line stands for; it selects colour and dash."""

    VALUE = "value"
    BASELINE = "baseline"
    LIMIT = "limit"
    OTHER = "other"
    """A further series beside the value: a segment, a quantile, another version."""


class AnnotationKind(StrEnum):
    DEPLOYMENT = "deployment"
    MOVE = "move"
    INCIDENT = "incident"
    DATA_PROBLEM = "data-problem"
    SILENCE = "silence"
    CALENDAR = "calendar"
    PERSON = "person"
    """What somebody added with ``modelwatch annotate``."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """Something that happened, drawn the same way into every chart over time of a model."""

    at: float
    kind: AnnotationKind
    text: str
    until: float | None = None
    """``None``: a moment, not a period."""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line over time; ``values`` has an entry for each of the chart's ``times``, ``None`` where there is a gap."""

    name: str
    role: LineRole
    values: tuple[float | None, ...]
    severity: Severity | None = None
    """Of a limit: of which tier."""


@dataclass(frozen=True, slots=True)
class Band:
    """An interval around a line, such as its 95 % interval."""

    name: str
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class DecidedSpan:
    """What the rule decided from ``since`` until ``until``: that a tier holds, or that nothing could be decided."""

    since: float
    until: float
    severity: Severity | None
    """``None``: undecided, or no data."""
    text: str


@dataclass(frozen=True, slots=True)
class TimeChart:
    """Lines over time with intervals, limits, and what the rule decided."""

    id: str
    """Unique on its page, ``[a-z0-9-]+``: anchors and tests use it."""
    title: str
    sentence: str
    """What the chart shows, as text: the newest value, against what, and whether that is a problem."""
    times: tuple[float, ...]
    lines: tuple[Line, ...]
    bands: tuple[Band, ...] = ()
    decided: tuple[DecidedSpan, ...] = ()
    unit: str = ""
    """How values read, see ``model.unit``: ``%`` values are shares and shown in percent."""
    note: str = ""
    """A reservation below the chart, such as how many points were left out."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Shares of one distribution: of bins between ``edges`` (one more than shares), or of ``categories``."""

    name: str
    """``reference``, ``current``, or a date."""
    shares: tuple[float, ...]
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StatisticChange:
    """One row of a table of statistics, such as the mean, before and after."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class DistributionChart:
    """One feature: the current distribution against its reference, in the same bins."""

    id: str
    title: str
    sentence: str
    reference: Histogram
    current: Histogram
    statistics: tuple[StatisticChange, ...] = ()
    weeks: tuple[Histogram, ...] = ()
    """One histogram a week, oldest first: drawn as small multiples, in which gradual creep shows."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    name: str
    value: float
    low: float | None = None
    high: float | None = None
    """95 % interval, where there is one."""
    severity: Severity | None = None
    """Of the tier that holds for it."""
    text: str = ""
    """Shown beside it, such as the number of rows."""


@dataclass(frozen=True, slots=True)
class BarChart:
    """One bar a name, such as segments; the order is that of ``bars``."""

    id: str
    title: str
    sentence: str
    bars: tuple[Bar, ...]
    unit: str = ""
    reference: float | None = None
    """A line across, such as the baseline."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    name: str
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True, slots=True)
class CurveChart:
    """Curves over a number that is no time: reliability by score, labels by age."""

    id: str
    title: str
    sentence: str
    curves: tuple[Curve, ...]
    x_title: str
    y_title: str
    diagonal: bool = False
    """Whether the line x = y is drawn, as of a reliability curve."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that no chart shows better, such as who is on call, or what a model earned."""

    id: str
    title: str
    sentence: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    links: tuple[str, ...] = ()
    """One address a row (empty: none); no addresses at all: none."""
    note: str = ""


Panel = TimeChart | DistributionChart | BarChart | CurveChart | Table


@dataclass(frozen=True, slots=True)
class View:
    """One audience's page of a model: at most 3 panels that matter most, at most 12 in all, then what is folded."""

    name: ViewName
    critical: tuple[Panel, ...]
    others: tuple[Panel, ...] = ()
    folded: tuple[Panel, ...] = ()
    empty: str = ""
    """What to configure for this view to show something, where it has no panel."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the questions that a page answers above the fold."""

    question: str
    id: str
    """``health``, ``trend``, ``inputs``, ``business``; ``problem``, ``change``, ``doing``, ``next``."""
    text: str
    url: str = ""
    command: str = ""
    """What to run, where that is the answer."""


@dataclass(frozen=True, slots=True)
class AlertLink:
    """One group that fires, is pending or ended lately, with its page."""

    group: str
    """Key of the group."""
    episode: int
    title: str
    health: Health
    severity: Severity | None
    since: float | None
    until: float | None
    page: str
    """Path of its page, relative to the root of the site; empty while it is pending: it may never fire."""
    issue_url: str = ""
    incident_url: str = ""
    urgent_since: float | None = None
    """When it became an error or worse, where it was milder before."""


@dataclass(frozen=True, slots=True)
class ModelPage:
    """Everything that the four views of one model show."""

    model: str
    owner: str
    health: Health
    since: float | None
    """Since when it has that health; ``None``: for as long as the history that is read."""
    headline: str
    """One sentence: what is wrong, or that nothing is."""
    doing: str
    """What is being done; empty where nothing has to be."""
    answers: tuple[Answer, ...]
    alerts: tuple[AlertLink, ...]
    annotations: tuple[Annotation, ...]
    views: tuple[View, ...]
    links: tuple[tuple[str, str], ...]
    as_of: float
    problems: tuple[str, ...] = ()
    """What could not be read, and so is not shown."""


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One model on the fleet page."""

    model: str
    owner: str
    health: Health
    since: float | None
    headline: str
    doing: str
    severity: Severity | None
    firing: int
    trend: tuple[float | None, ...]
    """Of the metric that matters most, at most 60 values, oldest first, for a small line."""
    page: str
    data_until: float | None
    """The newest point."""


@dataclass(frozen=True, slots=True)
class FleetPage:
    rows: tuple[FleetRow, ...]
    """Worst first: red, grey, yellow, green; then by severity, then the newest."""
    as_of: float
    title: str = "Models"
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertPage:
    """The permalink of one episode of an alert: the evidence as it was when it fired last."""

    link: AlertLink
    model: str
    rule: str
    as_of: float
    """When the evidence was taken."""
    headline: str
    charts: tuple[Panel, ...]
    facts: tuple[tuple[str, str], ...]
    annotations: tuple[Annotation, ...]
    next_step: str = ""
    next_url: str = ""
    """Where the next step leads, where it names an address."""
    runbook_url: str = ""
    notice: str = ""
    """What came of it after the evidence was taken: that it ended, is no longer watched, or cannot be read."""
    is_watched: bool = True
    """Whether the model still has pages."""
