"""The view of those who answer for the result: value a day, gain against the model before and the promise, costs and
return, business metrics, what alerts cost, experiments and cohorts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..evaluate.business.return_on_investment import compute_roi
from ..model.alert import BUSINESS_DIVERGENCE, AlertState, Group
from ..model.money import DailyValue, ReturnOnInvestment
from ..report.alert_phrase import describe_alert
from ..report.formatting import utc_time
from ..report.markdown import plain_line
from ..report.money import impact_sentence, impact_text, money
from ..report.return_on_investment import COLUMNS, cost_rows, roi_rows, roi_sentence
from ..timeutil import DAY
from .bars import segment_bars
from .experiment_panels import cohort_panels, experiment_panels
from .page import Line, LineRole, Panel, Table, TimeChart, View, ViewName
from .panel_ids import panel_id
from .rule_views import rules_of
from .sentences import MAX_NAME, series_sentence, series_title
from .series_lookup import SeriesLookup
from .snapshot import ModelSnapshot
from .time_charts import series_chart, track_chart
from .view_layout import arrange_view

WEEK_DAYS = 7
EMPTY = (
    'No business metric is configured. `business: {currency: EUR, value: "{business/revenue}"}` says what the model '
    "earns; rules of kind `business-metric` watch it."
)


def business_view(snapshot: ModelSnapshot) -> View:
    """What fires first, then value and gain, the return on investment and what alerts cost."""
    result, lookup = snapshot_roi(snapshot), SeriesLookup(snapshot)
    rules = rules_of(snapshot, ViewName.BUSINESS)
    charts = [(own, track_chart(own.whole or own.tracks[0], own.alerts, snapshot.now)) for own in rules]
    ranked: list[Panel] = [chart for own, chart in charts if own.badness]
    ranked += [
        panel for panel in (_divergence(snapshot), _value_chart(result), _gain_chart(result)) if panel is not None
    ]
    ranked += [panel for panel in (_roi_table(result), _money_table(snapshot), _cost_table(result)) if panel]
    ranked += [chart for own, chart in charts if not own.badness]
    ranked += _derived_charts(snapshot, lookup, {own.rule.metric.text for own in rules})
    business = snapshot.model.business
    for experiment in business.experiments if business else ():
        ranked += experiment_panels(experiment, lookup)
    if business is not None and business.cohorts is not None:
        ranked += cohort_panels(business.cohorts, lookup, snapshot.now)
    folded = [bars for own in rules for bars in [segment_bars(own, snapshot.now)] if bars is not None]
    empty = f"The source cannot be read: {plain_line(snapshot.pull.error)}" if snapshot.pull.error else EMPTY
    return arrange_view(ViewName.BUSINESS, ranked, folded, empty)


def business_answer(snapshot: ModelSnapshot) -> str:
    """What it costs: the money of the worst alert that has some, else the result; empty where nothing is configured."""
    costs = [group for group in snapshot.groups if group.state is AlertState.FIRING and group.evidence.money]
    if costs:
        worst = min(costs, key=lambda group: group.evidence.money.amount if group.evidence.money else 0.0)
        return f"{plain_line(worst.rule, MAX_NAME)}: {impact_sentence(worst.evidence.money)}"
    result = snapshot_roi(snapshot)
    if result is not None and result.total is not None:
        return roi_sentence(result)
    firing = [group for group in snapshot.groups if group.state is AlertState.FIRING]
    if snapshot.model.business is None:
        return ""
    return "No alert has a stated worth." if firing else "Nothing fires, so nothing is lost that is known."


def snapshot_roi(snapshot: ModelSnapshot) -> ReturnOnInvestment | None:
    """Of the history that was read; `modelwatch business roi` reads it from the beginning."""
    if snapshot.model.business is None or snapshot.pull.error:
        return None
    registry = snapshot.registry
    retrainings = [version.created for version in registry.versions] if registry else None
    return compute_roi(snapshot.model, snapshot.pull, retrainings, snapshot.now)


def _value_chart(result: ReturnOnInvestment | None) -> TimeChart | None:
    """Value, that of the model before, and costs, by day."""
    if result is None or not result.days:
        return None
    newest = result.days[-1]
    against = f", against {money(newest.before, result.currency)} before" if newest.before is not None else ""
    lines = [Line("value", LineRole.VALUE, tuple(day.value for day in result.days))]
    if any(day.before is not None for day in result.days):
        lines.append(Line("before", LineRole.BASELINE, tuple(day.before for day in result.days)))
    if any(day.cost is not None for day in result.days):
        lines.append(Line("cost", LineRole.OTHER, tuple(day.cost for day in result.days)))
    return TimeChart(
        panel_id("business", "value"),
        f"Value a day ({result.currency})",
        f"On {utc_time(newest.day)[:10]} the model earned {money(newest.value, result.currency)}{against}.",
        tuple(day.day for day in result.days),
        tuple(lines),
        note="Whole days (UTC).",
    )


def _gain_chart(result: ReturnOnInvestment | None) -> TimeChart | None:
    """The mean gain of the last seven days, and what was promised."""
    if result is None or result.total is None or result.total.gained is None:
        return None
    gains = [(day.day, gain) for day in result.days if (gain := _gain(day)) is not None]
    if not gains:
        return None
    means = [_mean([gain for _, gain in gains[max(0, row + 1 - WEEK_DAYS) : row + 1]]) for row in range(len(gains))]
    lines = [Line("gain, mean of 7 days", LineRole.VALUE, tuple(means))]
    total, promised = result.total, ""
    if total.predicted is not None:
        rate = _promised_rate(result)
        lines.append(Line("promised", LineRole.BASELINE, (rate,) * len(gains)))
        promised = f"; {money(rate, result.currency)} a day were promised"
    return TimeChart(
        panel_id("business", "gain"),
        f"Gain a day against the model before ({result.currency})",
        f"The gain of the last {min(WEEK_DAYS, len(gains))} days: {money(means[-1], result.currency)} a day{promised}.",
        tuple(day for day, _ in gains),
        tuple(lines),
    )


def _gain(day: DailyValue) -> float | None:
    return None if day.before is None else day.value - day.before


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _promised_rate(result: ReturnOnInvestment) -> float:
    """What was promised a day, from the total of the days that it is about."""
    months = [row for row in result.months if row.predicted is not None]
    own = months[-1] if months else result.total
    assert own is not None  # noqa: S101
    return (own.predicted or 0.0) / max(own.promised_days, 1)


def _roi_table(result: ReturnOnInvestment | None) -> Table | None:
    if result is None or result.total is None:
        return None
    rows = roi_rows(result)
    missing = f" Missing: {'; '.join(result.missing)}." if result.missing else ""
    note = f"Of the history that was read; `modelwatch business roi` reads all of it.{missing}"
    return Table(
        panel_id("business", "roi"),
        "Value, costs and return",
        roi_sentence(result),
        COLUMNS,
        tuple(tuple(plain_line(cell) for cell in row) for row in rows),
        note=plain_line(note, 1000),
    )


def _cost_table(result: ReturnOnInvestment | None) -> Table | None:
    rows = cost_rows(result) if result else []
    if result is None or not rows:
        return None
    total = result.total.cost if result.total else None
    sentence = f"It cost {money(total or 0.0, result.currency)} in the history that was read."
    return Table(panel_id("business", "costs"), "Costs", sentence, ("Cost", "Amount"), tuple(rows))


def _money_table(snapshot: ModelSnapshot) -> Table | None:
    """What each alert costs or gains, the costliest first."""
    known = [group for group in snapshot.groups if group.alerts and group.evidence.money is not None]
    known.sort(key=lambda group: group.evidence.money.amount if group.evidence.money else 0.0)
    if not known:
        return None
    first = known[0]
    return Table(
        panel_id("business", "alerts"),
        "What alerts cost",
        f"{plain_line(first.rule, MAX_NAME)}: {impact_sentence(first.evidence.money)}",
        ("Alert", "State", "A day", "Since", "What"),
        tuple(_money_row(group) for group in known),
    )


def _money_row(group: Group) -> tuple[str, ...]:
    return (
        plain_line(group.rule, MAX_NAME),
        str(group.state.value),
        impact_text(group.evidence.money),
        utc_time(group.start),
        plain_line(describe_alert(group).phrase),
    )


def _divergence(snapshot: ModelSnapshot) -> Table | None:
    """That business and technical metrics disagree, where they do."""
    groups = [group for group in snapshot.groups if group.rule == BUSINESS_DIVERGENCE and group.alerts]
    if not groups:
        return None
    alerts = [alert for group in groups for alert in group.alerts]
    rows = [
        (
            plain_line(dict(alert.labels).get("rule", ""), MAX_NAME),
            str(alert.state.value),
            utc_time(alert.start),
            plain_line(alert.finding.reason or "over"),
        )
        for alert in alerts
    ]
    sentence = f"{rows[0][0]} {rows[0][3]}." if groups[0].state is AlertState.FIRING else "They agree again."
    columns = ("Business metric", "State", "Since", "What")
    return Table(
        panel_id("business", "divergence"), "Business against technical metrics", sentence, columns, tuple(rows)
    )


def _derived_charts(snapshot: ModelSnapshot, lookup: SeriesLookup, watched: set[str]) -> Iterator[TimeChart]:
    """Derived metrics that no rule watches."""
    business = snapshot.model.business
    for metric in business.derived if business else ():
        series = lookup.whole(metric.name)
        if series is None or metric.name in watched:
            continue
        title = series_title(metric.name, ())
        unit = f" ({metric.unit.text})" if metric.unit.text else ""
        sentence = series_sentence(title, series, "")
        since = snapshot.now - max(snapshot.model.history, DAY)
        yield series_chart(panel_id("derived", metric.name), title + unit, sentence, {metric.name: series}, since)
