"""Reading the control charts of tiers, and which of them make no sense."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from ..model.control_chart import COUNTED_DATA, PROPORTION_DATA, ChartData, ChartMethod, ControlChart
from ..model.rule import Aggregate, Interval, Rule, Tier
from . import literals
from .field_types import BOOLEANS, AnyOf, Count, Enumeration, Number, ScalarType, Schema, one_or_more
from .reader import Reader, shorten
from .sections import Field, ParsedSection, Section
from .yaml_nodes import ScalarNode

_SHORTEST_RUN = 10


@dataclass(frozen=True, slots=True)
class RunLength:
    """Mean number of points, or mean time (seconds), between false signals; one of them."""

    points: float | None = None
    duration: float | None = None


class RunLengthType(ScalarType[RunLength]):
    description = "a number of points such as 500, or a duration such as 90d"

    def read_scalar(self, node: ScalarNode, reader: Reader) -> RunLength | None:
        points = literals.parse_number(node.text)
        if points is not None and not node.text.endswith("%"):
            if points >= _SHORTEST_RUN:
                return RunLength(points=points)
            reader.add_problem(node, f"`{shorten(node.text)}` is too short: at least {_SHORTEST_RUN} points.")
            return None
        duration = literals.parse_duration(node.text.strip())
        return RunLength(duration=duration) if duration else self._reject(node, reader)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        pattern = r"^(?=.)([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$"
        return {"anyOf": [{"type": "number", "minimum": _SHORTEST_RUN}, {"type": "string", "pattern": pattern}]}


_COMMON = {
    "data": Field(
        Enumeration("what a point is", ChartData),
        "`individuals`: values of one spread; `xbar`: means of `weight` values; `p`: shares of `weight` trials; `u`: "
        "events for each unit of `weight`; `laney_p` and `laney_u`: the same where counts vary more than by chance. By "
        "default `laney_p` where the interval is `wilson`, else `individuals`.",
    ),
    "remove_autocorrelation": Field(
        Enumeration("`true` or `false`", BOOLEANS),
        "Judge what each point adds to what the one before it lets expect, so that run lengths hold.",
    ),
}
_LIMITED = {
    "arl": Field(
        RunLengthType(),
        "The mean number of points, or the mean time, between false signals of a series; the limit follows from it. "
        "By default the tier's budget of false alarms.",
    ),
    **_COMMON,
}
_LIMIT = Field(Number(above=0.0), "The limit itself instead of `arl`, in standard deviations of what is charted.")
SHEWHART = Section(
    "a Shewhart chart",
    {"limit": _LIMIT, **_LIMITED},
    "Signals at a point beyond the limit; classically 3.",
    dataclass=ControlChart,
)
EWMA = Section(
    "an EWMA chart",
    {
        "limit": _LIMIT,
        "lambda": Field(Number(low=0.02, high=1.0), "The weight of the newest point.", attribute="smoothing"),
        **_LIMITED,
    },
    "Signals where the exponentially weighted moving average is beyond its limit, exact from the first point on.",
    dataclass=ControlChart,
)
CUSUM = Section(
    "a CUSUM chart",
    {
        "limit": _LIMIT,
        "shift": Field(Number(above=0.0), "The change to find soonest, in standard deviations; the allowance is half."),
        "head_start": Field(
            Enumeration("`true` or `false`", BOOLEANS),
            "Start, and restart at each deployment, at half of the limit (fast initial response).",
        ),
        **_LIMITED,
    },
    "Signals where the cumulative sum of what exceeds the allowance reaches its limit.",
    dataclass=ControlChart,
)
NELSON = Section(
    "the Nelson rules",
    {"rules": Field(one_or_more(Count(1, 8)), "Which of the eight count; by default all."), **_COMMON},
    "Signal at runs, trends and points beyond 1, 2 or 3 standard deviations.",
    dataclass=ControlChart,
)
WESTERN_ELECTRIC = Section(
    "the Western Electric rules",
    {"rules": Field(one_or_more(Count(1, 4)), "Which of the four count; by default all."), **_COMMON},
    "Signal at runs and points beyond 1, 2 or 3 standard deviations.",
    dataclass=ControlChart,
)
_SECTIONS = {
    ChartMethod.SHEWHART: SHEWHART,
    ChartMethod.EWMA: EWMA,
    ChartMethod.CUSUM: CUSUM,
    ChartMethod.NELSON: NELSON,
    ChartMethod.WESTERN_ELECTRIC: WESTERN_ELECTRIC,
}
_WORDS = {
    **{str(method): ControlChart(method) for method in ChartMethod},
    **{str(data): ControlChart(ChartMethod.SHEWHART, data) for data in ChartData},
}
CHART = Section(
    "a control chart",
    {str(method): Field(section, section.doc) for method, section in _SECTIONS.items()},
    "One of these. A chart judges points, not windows; its name alone has the defaults, and the name of some `data` "
    "alone is a Shewhart chart of it.",
)
CHART_FIELD = Field(
    AnyOf(scalar=Enumeration("the name of a control chart", _WORDS), mapping=CHART),
    "A control chart that reaches the tier as well: `ewma`, or `{cusum: {shift: 1, arl: 500}}`.",
)
_POINTWISE = (Aggregate.MEAN, Aggregate.LAST)


def read_chart(tier: ParsedSection) -> ControlChart | None:
    """The chart of a tier; problems are reported where they are."""
    stated: Any = tier.get("chart")
    if not isinstance(stated, ParsedSection):
        chart: ControlChart | None = stated
        return chart
    names = stated.key_names()
    if len(names) != 1:
        stated.add_problem("a tier has exactly one control chart.", f"Known: {', '.join(map(str, ChartMethod))}.")
        return None
    section = stated.get(names[0])
    if section is None:
        return None
    length: RunLength = section.get("arl", RunLength())
    if "arl" in section and "limit" in section:
        section.add_problem("`limit` and `arl` both set the limit; give only one of them.", key="limit")
    built: ControlChart = section.build(
        method=ChartMethod(names[0]), run_length=length.points, duration=length.duration
    )
    return built


def check_charts(section: ParsedSection, rule: Rule) -> None:
    """What charts need of a rule, and what they cannot be combined with."""
    tiers = (*rule.tiers, *(tier for override in rule.overrides for tier in override.tiers))
    charted = [tier for tier in tiers if tier.chart is not None]
    if not charted:
        return
    for problem, hint, key in _rule_problems(section, rule, charted):
        section.add_problem(problem, hint, key=key)
    for tier in charted:
        if tier.chart is not None and rule.chart_data(tier.chart) in COUNTED_DATA and "weight" not in section:
            message = f"a chart of `{rule.chart_data(tier.chart)}` needs the count behind each point: give `weight`."
            section.add_problem(message, key="tiers")
    for own in (rule.tiers, *(override.tiers for override in rule.overrides)):
        _check_order(section, own)


def _rule_problems(section: ParsedSection, rule: Rule, charted: Sequence[Tier]) -> list[tuple[str, str, str]]:
    """Each with a hint and the key that it is about."""
    found = []
    if "drift" in section:
        found.append(("a control chart judges logged points, and `drift` compares distributions.", "", "tiers"))
    elif rule.aggregate not in _POINTWISE:
        text = f"a control chart judges points, which `aggregate: {rule.aggregate}` cannot be compared with."
        found.append((text, "Use `mean` or `last`.", "aggregate"))
    if "baseline" not in section:
        hint = "Give `baseline:`, for example `{rolling: 28d}`."
        found.append(("a control chart has its centre line from a baseline, and the rule has none.", hint, "tiers"))
    if any((tier.for_ or rule.for_) > 1 for tier in charted):
        hint = "Give the chart's tier `for: 1`; for fewer false signals raise its `arl`, or use `ewma` or `cusum`."
        text = (
            "`for` has no meaning in a tier with a chart, whose run length already says how often it signals falsely."
        )
        found.append((text, hint, "for"))
    if any(_is_proportion_chart(rule, tier.chart) for tier in charted) and rule.interval is Interval.NORMAL:
        found.append(("a chart of proportions contradicts `interval: normal`.", "Use `wilson`.", "interval"))
    return found


def _is_proportion_chart(rule: Rule, chart: ControlChart | None) -> bool:
    return chart is not None and rule.chart_data(chart) in PROPORTION_DATA


def _check_order(section: ParsedSection, tiers: Collection[Tier]) -> None:
    """A more severe tier needs a rarer signal: else it never adds anything, or the milder one does not."""
    milder: dict[tuple[ChartMethod, str], tuple[Tier, float]] = {}
    for tier in tiers:
        chart = tier.chart
        if chart is None:
            continue
        for name, value in (("limit", chart.limit), ("arl", chart.run_length), ("arl in time", chart.duration)):
            if value is None:
                continue
            before = milder.get((chart.method, name))
            if before is not None and value <= before[1]:
                word = name.split()[0]
                message = (
                    f"the chart's `{word}` of `{tier.severity}` must be higher than that of `{before[0].severity}`."
                )
                section.add_problem(message, value="tiers")
            milder[(chart.method, name)] = (tier, value)
