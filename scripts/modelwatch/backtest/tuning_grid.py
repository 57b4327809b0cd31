"""The settings of a rule that tuning tries: limits, windows, ``for``, charts and budgets around the present ones.

The grid follows from the rule alone, so it is the same at every call. It holds the present setting, and none that
``config check`` would refuse or advise against where it does not advise against the present one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from ..config.lint import lint_models
from ..config.literals import format_duration
from ..config.tiers import derived_warning
from ..evaluate.hypotheses import is_detectable
from ..model.control_chart import ChartMethod, ControlChart
from ..model.drift import drift_spec
from ..model.monitored_model import Config, Model
from ..model.rule import (
    RELATIVE_LIMITS,
    STATIC_LIMITS,
    Aggregate,
    BaselineKind,
    Limit,
    LimitKind,
    Rule,
    SamplingModel,
    Tier,
)
from ..model.tuning import AlertBudget, Setting, SettingChange
from ..timeutil import DAY, WEEK

MOST_SETTINGS = 200
"""Of one rule, by default."""
SCALES = tuple(2.0 ** (step / 3) for step in range(-6, 7))
"""Of the distance between a limit and health: from a quarter to four times."""
WINDOW_SCALES = (0.25, 0.5, 1.0, 2.0)
LONGEST_WINDOW = 4 * WEEK
COUNTS = (1, 2, 4)
"""Of ``for``."""
BUDGET_SCALES = (1 / 12, 1 / 3, 3.0)
"""Of the budget that the detectors of the mildest tier keep. They keep it with room to spare, so that a shorter one can
be within what is wanted; that has to be proven."""
CHARTS = (
    ControlChart(ChartMethod.EWMA),
    ControlChart(ChartMethod.EWMA, smoothing=0.3),
    ControlChart(ChartMethod.CUSUM),
    ControlChart(ChartMethod.CUSUM, shift=0.5),
    ControlChart(ChartMethod.SHEWHART),
)
"""Beside limits, with which they share the budget of their tier."""
_STEADY_CHARTS = (ChartMethod.EWMA, ChartMethod.CUSUM)
"""They average, so that their budget holds for noise with heavy tails, too."""
_SAME_BUDGET = 0.1
"""Budgets whose logarithms differ by less are the same."""
_POINTWISE = (Aggregate.MEAN, Aggregate.LAST)


@dataclass(frozen=True, slots=True)
class _Axes:
    """One place in the grid."""

    scale: float = 1.0
    window: float = 1.0
    for_: int = 0
    """0: unchanged."""
    chart: ControlChart | None = None
    """In addition to the limits."""
    false_alarms: float | None = None
    """Of the mildest tier (seconds); ``None``: unchanged."""

    @property
    def distance(self) -> float:
        """From the present setting, in doublings and steps."""
        return (
            abs(math.log2(self.scale))
            + abs(math.log2(self.window))
            + (1.0 if self.for_ else 0.0)
            + (1.0 if self.chart else 0.0)
            + (1.0 if self.false_alarms else 0.0)
        )


def tuning_grid(
    model: Model, rule: Rule, budget: AlertBudget | None = None, level: float | None = None, most: int = MOST_SETTINGS
) -> tuple[Setting, ...]:
    """At most ``most`` settings, the present one first, then the nearest to it.

    ``budget``: the stated one, which the mildest tier can have, too. ``level``: the usual value of the metric (its
    unit), from which static limits are scaled; without it they stay.
    """
    advice = _advice(model, rule)
    found: dict[tuple[SettingChange, ...], Setting] = {}
    for axes in sorted(_places(rule, budget), key=lambda axes: axes.distance):
        setting = _setting(rule, axes, level)
        if setting is None or setting.changes in found:
            continue
        if setting.changes and (not _is_valid(setting.rule) or _advice(model, setting.rule) > advice):
            continue
        found[setting.changes] = setting
        if len(found) >= most:
            break
    return tuple(found.values())


def _places(rule: Rule, budget: AlertBudget | None) -> Iterator[_Axes]:
    """The present setting among them."""
    if not rule.tiers:
        return
    yield _Axes()
    budgets = _budgets(rule, budget)
    if rule.anomaly is not None:
        yield from (_Axes(false_alarms=own) for own in budgets)
        return
    windows = WINDOW_SCALES if has_deciding_window(rule) else (1.0,)
    counts = (0, *(count for count in COUNTS if count != _own_for(rule)))
    if rule.tiers[0].derived and rule.tiers[0].for_ is not None:
        counts = (0,)
    for scale in SCALES:
        yield from (_Axes(scale, window, count) for window in windows for count in counts)
        yield from (_Axes(scale, false_alarms=own) for own in budgets)
        yield from (_Axes(scale, chart=chart) for chart in _charts(rule))


def _budgets(rule: Rule, budget: AlertBudget | None) -> list[float]:
    """Other budgets of the mildest tier (seconds, whole days), where it has one."""
    own = rule.tiers[0].false_alarms
    is_used = rule.anomaly is not None or rule.tiers[0].chart is not None or is_detectable(rule)
    if own is None or not is_used or rule.tiers[0].derived:  # a tier that is not written has no budget of its own
        return []
    wanted = [own * scale for scale in BUDGET_SCALES]
    wanted += [budget.interval] if budget is not None else []
    days = dict.fromkeys(max(DAY, round(period / DAY) * DAY) for period in wanted)
    return [period for period in days if abs(math.log(period / own)) > _SAME_BUDGET]


def has_deciding_window(rule: Rule) -> bool:
    """Whether the window decides when a tier is reached. Where every point is proven alone it only says what is
    shown; against a static limit it says whether an evening counts."""
    limits = [limit for tier in rule.tiers for limit in tier.limits]
    return not is_promised(rule) or any(limit.form in STATIC_LIMITS for limit in limits)


def is_promised(rule: Rule) -> bool:
    """Whether detectors keep the budget of each tier, wherever its limits lie. Of some charts, of drift, and of what is
    unlike the past the promise is weaker, so it is not relied on."""
    return (
        bool(rule.tiers)
        and rule.anomaly is None
        and drift_spec(rule.metric) is None
        and all(_keeps_budget(rule, tier) for tier in rule.tiers)
    )


def _keeps_budget(rule: Rule, tier: Tier) -> bool:
    if tier.false_alarms is None or not all(map(rule.can_prove, tier.limits)):
        return False
    chart = tier.chart
    if chart is None:
        return bool(tier.limits)
    is_stated = chart.limit is not None or chart.run_length is not None or chart.duration is not None
    return chart.method in _STEADY_CHARTS and not is_stated


def _charts(rule: Rule) -> tuple[ControlChart, ...]:
    """Charts that the mildest tier can have beside its limits."""
    if drift_spec(rule.metric) is not None or rule.aggregate not in _POINTWISE:
        return ()
    mildest = rule.tiers[0]
    if rule.baseline.kind is BaselineKind.NONE or mildest.derived or _own_for(rule) > 1:
        return ()
    return CHARTS if mildest.chart is None else ()


def _own_for(rule: Rule) -> int:
    return rule.tiers[0].for_ or rule.for_


def _setting(rule: Rule, axes: _Axes, level: float | None) -> Setting | None:
    """The rule there; ``None`` where it cannot be written."""
    tiers, changes = _scaled_tiers(rule, axes.scale, level)
    if axes.scale != 1 and not changes:
        return None
    mildest = tiers[0]
    name = str(mildest.severity)
    if axes.chart is not None:
        mildest = replace(mildest, chart=axes.chart)
        changes.append(SettingChange(("tiers", name, "chart"), "", _chart_text(axes.chart)))
    if axes.false_alarms is not None:
        before, after = mildest.budget, max(DAY, round(axes.false_alarms / DAY) * DAY)
        mildest = replace(mildest, budget=after, false_alarms=after)
        written = format_duration(before) if before else ""
        changes.append(SettingChange(("tiers", name, "false_alarms"), written, format_duration(after)))
    found = replace(rule, tiers=(mildest, *tiers[1:]))
    if axes.for_:
        found, change = _with_for(found, axes.for_)
        changes.append(change)
    if axes.window != 1:
        window = _round_duration(rule.window * axes.window, rule.every)
        if window == rule.window:
            return None
        changes.append(SettingChange(("window",), format_duration(rule.window), format_duration(window)))
        found = replace(found, window=window)
    return Setting(found, tuple(changes), axes.scale)


def _chart_text(chart: ControlChart) -> str:
    """As a configuration writes it: ``ewma``, ``{cusum: {shift: 0.5}}``."""
    usual = ControlChart(chart.method)
    parts = (("lambda", chart.smoothing, usual.smoothing), ("shift", chart.shift, usual.shift))
    settings = [f"{name}: {value:g}" for name, value, default in parts if value != default]
    return f"{{{chart.method}: {{{', '.join(settings)}}}}}" if settings else str(chart.method)


def _with_for(rule: Rule, count: int) -> tuple[Rule, SettingChange]:
    mildest = rule.tiers[0]
    if mildest.for_ is None:
        return replace(rule, for_=count), SettingChange(("for",), str(rule.for_), str(count))
    tiers = (replace(mildest, for_=count), *rule.tiers[1:])
    path = ("tiers", str(mildest.severity), "for")
    return replace(rule, tiers=tiers), SettingChange(path, str(mildest.for_), str(count))


def _scaled_tiers(rule: Rule, scale: float, level: float | None) -> tuple[list[Tier], list[SettingChange]]:
    """The mildest tier with its limits so much further out; the others, too, where it would reach them."""
    tiers = list(rule.tiers)
    if scale == 1:
        return tiers, []
    if tiers[0].derived and len(tiers) > 1:
        critical, changes = _scaled_tier(tiers[1], scale, level)
        warning = derived_warning(critical)
        own = replace(tiers[0], limits=warning.limits) if warning else tiers[0]
        return [own, critical], changes
    tiers[0], changes = _scaled_tier(tiers[0], scale, level)
    if changes and not _is_in_order(tiers):
        for place, tier in enumerate(rule.tiers[1:], 1):
            tiers[place], more = _scaled_tier(tier, scale, level)
            changes += more
    return tiers, changes


def _scaled_tier(tier: Tier, scale: float, level: float | None) -> tuple[Tier, list[SettingChange]]:
    limits, changes = [], []
    for limit in tier.limits:
        scaled = _scaled_limit(limit, scale, level)
        limits.append(scaled)
        if scaled != limit:
            path = ("tiers", str(tier.severity), str(limit.form))
            changes.append(SettingChange(path, limit_value(limit), limit_value(scaled)))
    return replace(tier, limits=tuple(limits)), changes


def _scaled_limit(limit: Limit, scale: float, level: float | None) -> Limit:
    if limit.form not in STATIC_LIMITS:
        return replace(limit, value=_two_digits(limit.value * scale))
    if level is None or not math.isfinite(level):
        return limit
    distance = limit.value - level
    is_beyond = distance > 0 if limit.form is LimitKind.ABOVE else distance < 0
    if not is_beyond:  # the metric usually lies beyond its limit: there is no distance from health
        return limit
    step = 10.0 ** (math.floor(math.log10(abs(distance) * scale)) - 1)
    return replace(limit, value=float(f"{round((level + distance * scale) / step) * step:.12g}"))


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


def limit_value(limit: Limit) -> str:
    """As a configuration writes it: ``2%``, ``0.15``."""
    return f"{limit.value * 100:.12g}%" if limit.form in RELATIVE_LIMITS else f"{limit.value:.12g}"


def _round_duration(seconds: float, every: float) -> float:
    """Whole evaluations, at least one, at most four weeks."""
    return min(max(every, round(seconds / every) * every), LONGEST_WINDOW)


def _is_valid(rule: Rule) -> bool:
    """Whether loading it would give no problem that a setting can cause."""
    return (
        _is_in_order(rule.tiers)
        and rule.window >= rule.every
        and all(map(_is_possible, (limit for tier in rule.tiers for limit in tier.limits)))
        and not any(tier.chart and (tier.for_ or rule.for_) > 1 for tier in rule.tiers)
        and not (rule.across and any(limit.value >= 1 for tier in rule.tiers for limit in tier.limits))
        and (rule.sampling_model is not SamplingModel.PROPORTION or _are_shares(rule))
    )


def _is_possible(limit: Limit) -> bool:
    if limit.form is LimitKind.DROP:
        return 0 < limit.value <= 1
    return limit.form in STATIC_LIMITS or limit.value > 0


def _are_shares(rule: Rule) -> bool:
    """No static limit of a share lies where a share never is."""
    limits = [limit for tier in rule.tiers for limit in tier.limits if limit.form in STATIC_LIMITS]
    return all(0 < limit.value < 1 for limit in limits)


def _is_in_order(tiers: Iterable[Tier]) -> bool:
    """Limits of one form lie further out in a more severe tier."""
    own = list(tiers)
    for form in LimitKind:
        values = [limit.value for tier in own for limit in tier.limits if limit.form is form]
        sign = -1.0 if form is LimitKind.BELOW else 1.0
        if any(sign * after <= sign * before for before, after in pairwise(values)):
            return False
    return True


def _advice(model: Model, rule: Rule) -> int:
    """How many warnings ``config check`` has where this is the model's only rule."""
    return len(lint_models(Config((replace(model, rules=(rule,)),), "")))
