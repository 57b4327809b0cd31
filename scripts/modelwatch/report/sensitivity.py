"""Texts about what a rule can see: for the issue, for notes, and for the table of ``modelwatch sensitivity``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ..model.drift import drift_spec
from ..model.monitored_model import Model
from ..model.rule import FalseAlarmBudget, Limit, Rule
from ..model.sensitivity import DetectionDelay, LevelSensitivity, ModelSensitivity, Sensitivity, TierSensitivity
from ..timeutil import DAY, WEEK
from .formatting import bare_value, duration, labels_text, limit_text, number
from .markdown import plain_line

COLUMNS = ("model", "rule", "tier", "limit", "seen in\na day", "seen in\na week", "false alarms\na year", "found in")
_ROUNDING = 1.005
"""A change that is this close to the limit reads like the limit."""


def visible_changes(sensitivity: Sensitivity, unit: str = "") -> str:
    """``drop 3.1 % within a day, drop 2 % within a week``, of the mildest tier."""
    tier = sensitivity.tiers[0]
    if is_limit(tier, tier.within_day) and tier.own.seconds is not None:
        return f"its limit ({limit_text(tier.limit, unit)}) within {duration(tier.own.seconds)}"
    periods = (("a day", tier.within_day), ("a week", tier.within_week))
    parts = [f"{change_text(tier, change, unit)} within {period}" for period, change in periods if change is not None]
    return ", ".join(parts) or "no change within a week"


def is_limit(tier: TierSensitivity, change: float | None) -> bool:
    """Whether a change is that of the tier's own limit."""
    return change is not None and change <= tier.limit.value * _ROUNDING


def change_text(tier: TierSensitivity, change: float | None, unit: str = "") -> str:
    """``drop 3.1 %``; a dash for none."""
    if change is None:
        return "—"
    value = tier.limit.value if is_limit(tier, change) else _two_digits(change)
    return limit_text(Limit(tier.limit.form, value), unit)


def _two_digits(value: float) -> float:
    """Rounded up."""
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / step - 1e-9) * step:.2g}")


def blindness_note(first: Sensitivity, blind: int, segments: int, unit: str = "") -> str:
    """Why a rule does not find its own limit within a week, and what to change. ``first``: the first of ``blind``
    series on which it does not; ``segments``: how many the rule has."""
    tier = first.tiers[0]
    where = f" in {labels_text(first.labels)}" if first.labels else ""
    if first.labels and blind > 1:
        where = f" in {blind} of {segments} segments such as {labels_text(first.labels)}"
    return f"{_blindness(first, where, unit)} {advice(tier, unit, is_segment=bool(first.labels))}"


def _blindness(sensitivity: Sensitivity, where: str, unit: str) -> str:
    tier = sensitivity.tiers[0]
    text = f"{sensitivity.rule} cannot see its own limit, {limit_text(tier.limit, unit)} ({tier.severity}),{where}"
    if tier.is_baseline_vague:
        return f"{text.rstrip(',')}: its baseline is too uncertain."
    return f"{text} within a week: at {_volume(sensitivity)} that takes {delay_text(tier.own)}."


def _volume(sensitivity: Sensitivity) -> str:
    noise = sensitivity.noise
    what = "row" if noise.is_proportion else "point"
    amount = number(_two_digits((noise.exposure if noise.is_proportion else 1.0) * DAY / noise.gap))
    return f"{amount} {what} a day" if amount == "1" else f"{amount} {what}s a day"


def advice(tier: TierSensitivity, unit: str = "", *, is_segment: bool = False) -> str:
    """What to change so that the limit is seen within a week."""
    choices = list(_choices(tier, unit, is_segment))
    text = f"{', '.join(choices[:-1])} or {choices[-1]}" if len(choices) > 1 else choices[0]
    return f"{text[0].upper()}{text[1:]}."


def _choices(tier: TierSensitivity, unit: str, is_segment: bool) -> Iterator[str]:
    if tier.within_week is not None and not is_limit(tier, tier.within_week):
        yield f"raise the limit to {change_text(tier, tier.within_week, unit)}"
    if tier.is_baseline_vague:
        yield "compare with a longer baseline"
    elif tier.own.seconds is not None:
        yield f"log {number(_two_digits(tier.own.seconds / WEEK))} times as much"
        if tier.own.seconds <= 2 * WEEK:
            yield "allow more false alarms"
    else:
        yield "log much more"
    if is_segment:
        yield "have fewer, larger segments"


def sensitivity_rows(found: ModelSensitivity, *, with_model: bool = True) -> list[tuple[str, ...]]:
    """Of each rule and tier the whole, and the segment that sees least: a cell for each of ``COLUMNS``."""
    units = dict(found.units)
    model = found.model if with_model else ""
    rows = []
    for rule in units:
        series = [sensitivity for sensitivity in found.series if sensitivity.rule == rule]
        for sensitivity in [*_wholes(series), *_blindest(series)]:
            rows += [_row(model, sensitivity, tier, units[rule]) for tier in sensitivity.tiers]
    return rows


def _wholes(series: Sequence[Sensitivity]) -> list[Sensitivity]:
    return [sensitivity for sensitivity in series if not sensitivity.labels]


def _blindest(series: Sequence[Sensitivity]) -> list[Sensitivity]:
    """The segment that takes longest to see its mildest limit."""
    segments = [sensitivity for sensitivity in series if sensitivity.labels]
    return sorted(segments, key=lambda segment: -_seconds(segment.tiers[0].own))[:1]


def _seconds(delay: DetectionDelay) -> float:
    return math.inf if delay.seconds is None else delay.seconds


def _row(model: str, sensitivity: Sensitivity, tier: TierSensitivity, unit: str) -> tuple[str, ...]:
    where = f" {labels_text(sensitivity.labels)}" if sensitivity.labels else ""
    delays = [tier.own, *(delay for delay in tier.delays if delay.change > tier.limit.value)]
    return (
        plain_line(model),
        plain_line(sensitivity.rule + where),
        str(tier.severity),
        limit_text(tier.limit, unit),
        _size_text(tier, tier.within_day, unit),
        _size_text(tier, tier.within_week, unit),
        number(float(f"{tier.false_alarms:.2g}")),
        "\n".join(f"{_size_text(tier, delay.change, unit)}: {delay_text(delay)}" for delay in delays),
    )


def _size_text(tier: TierSensitivity, change: float | None, unit: str) -> str:
    """A change without the word that the limit has already: ``3.1 %``."""
    word = tier.limit.form.value.replace("_", " ")
    return change_text(tier, change, unit).removeprefix(word).strip()


def delay_text(delay: DetectionDelay) -> str:
    """``5 h``, from four days on in whole days; or that it is not found within a year."""
    if delay.seconds is None:
        return "over a year"
    return duration(delay.seconds if delay.seconds < 4 * DAY else math.ceil(delay.seconds / DAY) * DAY)


def advice_lines(found: ModelSensitivity) -> Iterator[str]:
    """A sentence for each rule that does not see its own limit within a week."""
    for rule, unit in found.units:
        series = [sensitivity for sensitivity in found.series if sensitivity.rule == rule]
        if blind := blind_series(series):
            segments = sum(bool(sensitivity.labels) for sensitivity in series)
            yield blindness_note(blind[0], len(blind), segments, unit)


def level_lines(found: ModelSensitivity) -> Iterator[str]:
    """A sentence for each static limit and each limit of a quantile, of the whole or of the first segment."""
    units = dict(found.units)
    for rule in units:
        own = [level for level in found.levels if level.rule == rule]
        yield from (_level_line(level, units[rule]) for level in own if level.labels == own[0].labels)


def _level_line(level: LevelSensitivity, unit: str) -> str:
    where = f" in {labels_text(level.labels)}" if level.labels else ""
    parts = [
        f"within {period} {_level_text(level, value, unit)}"
        for period, value in (("a day", level.within_day), ("a week", level.within_week))
        if value is not None
    ]
    found = f"is found {', '.join(parts)}" if parts else "is not found within a week"
    if level.is_share:
        usual = f"{_percent(level.healthy)} are usual"
    else:
        usual = f"the newest week is at {bare_value(level.healthy, unit)}"
    return f"{level.rule}{where}: {level.severity} ({limit_text(level.limit, unit)}) {found}; {usual}."


def _level_text(level: LevelSensitivity, value: float, unit: str) -> str:
    if level.is_share:
        return f"where {_percent(value)} of the points lie beyond it"
    return f"where the metric is {limit_text(Limit(level.limit.form, float(f'{value:.4g}')), unit)}"


def _percent(share: float) -> str:
    return f"{number(_two_digits(100 * share))} %"


def unknown_reason(rule: Rule, *, has_data: bool) -> str:
    """Why it is not known what a rule can see."""
    limits = [(tier, limit) for tier in rule.tiers for limit in tier.limits]
    if not has_data:
        return "there is no data yet"
    if rule.anomaly is not None:
        return "it has no limit, but looks for what is unlike its own past"
    if drift_spec(rule.metric) is not None:
        return "what a rule about drift can see is not computed"
    if not limits:
        return "`modelwatch config check` says how soon its control charts signal"
    if rule.sampling_model is None:
        return "nothing says how sure its points are; `weight` or `interval: normal` would"
    if not any(rule.can_prove(limit) for _, limit in limits):
        return "its limits are facts: a tier is reached as soon as a window passes its limit"
    if all(tier.false_alarms is None for tier, _ in limits):
        return "every window is decided alone (`false_alarms: off`), so a delay cannot be stated"
    return "there is no baseline yet"


def blind_series(series: Sequence[Sensitivity]) -> list[Sensitivity]:
    """Those that do not see the limit of their mildest tier within a week."""
    return [
        sensitivity for sensitivity in series if not is_limit(sensitivity.tiers[0], sensitivity.tiers[0].within_week)
    ]


def budget_lines(model: Model) -> Iterator[str]:
    """How the budget of false alarms is shared, and which rules are outside of it."""
    decided = [rule for rule in model.rules if any(tier.false_alarms is not None for tier in rule.tiers)]
    sharing = [rule.name for rule in decided if rule.budget is None]
    if sharing and model.false_alarms is not None:
        budget = f"the budget of false alarms is {_yearly(model.false_alarms)}"
        who = f"{sharing[0]} has all of it" if len(sharing) == 1 else f"each of {len(sharing)} rules has an equal share"
        yield f"{model.name}: {budget}, on average; {who}."
    for rule in decided:
        if rule.budget is not None:
            yield f"{model.name}: {rule.name} has a budget of its own: {_yearly(rule.budget)}, on average."
    if any(rule.segments for rule in decided):
        yield f"{model.name}: in each rule, one half is for the whole and one for all segments together."
    if others := [rule.name for rule in model.rules if rule not in decided]:
        yield f"{model.name}: the budget does not cover {', '.join(others)}: a single window decides."
    yield from unproven_budget(model)


def unproven_budget(model: Model) -> Iterator[str]:
    """For which rules the budget of false alarms is no promise, if there are some."""
    decided = (rule for rule in model.rules if any(tier.false_alarms is not None for tier in rule.tiers))
    if unsure := [rule.name for rule in decided if not _is_proven(rule)]:
        names = ", ".join(unsure)
        how = "give `weight` or `interval: normal`, which say how sure a point is"
        yield f"{model.name}: the budget cannot hold for {names}, whose windows decide alone; to change that, {how}."


def _is_proven(rule: Rule) -> bool:
    """Whether some tier is reached by what points prove, and not by a window's value alone."""
    if rule.anomaly is not None or drift_spec(rule.metric) is not None:
        return True
    return any(tier.chart is not None or any(map(rule.can_prove, tier.limits)) for tier in rule.tiers)


def _yearly(budget: FalseAlarmBudget) -> str:
    """``4.1 warnings, 1 page and 0.2 automatic actions a year``."""
    amounts = (("warning", budget.warnings), ("page", budget.pages), ("automatic action", budget.actions))
    numbers = [(number(float(f"{365 * DAY / between:.2g}")), what) for what, between in amounts]
    texts = [f"{amount} {what}" if amount == "1" else f"{amount} {what}s" for amount, what in numbers]
    return f"at most {texts[0]}, {texts[1]} and {texts[2]} a year"
