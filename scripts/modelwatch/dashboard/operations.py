"""The view of those who run the model: uptime, latency, throughput, errors, resources, freshness, cost; what was
deployed, what fires, what was done about it, and who is called."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..model.cadence import LONG_GAP, series_overdue_after, usual_gap
from ..model.finding import Track
from ..model.monitored_model import Model
from ..model.rule import STATIC_LIMITS
from ..model.series import Series
from ..model.severity import Severity
from ..model.unit import unit_of_time
from ..report.formatting import bare_value, duration, limit_text, utc_time
from ..report.markdown import plain_line
from ..sources.shown_keys import quantile_siblings
from ..timeutil import DAY, HOUR
from .bars import segment_bars
from .operations_tables import alerts_table, automation_table, deployments_table, escalation_table
from .page import DecidedSpan, Line, LineRole, Panel, Table, TimeChart, View, ViewName
from .panel_ids import panel_id
from .rule_views import RuleTracks, rules_of
from .sentences import MAX_NAME, series_sentence, series_title, series_unit, track_sentence
from .series_lookup import SeriesLookup, newest_value
from .snapshot import ModelSnapshot
from .thinning import finite
from .time_charts import series_chart, track_chart
from .view_layout import arrange_view

PERIODS = (("24 h", DAY), ("7 d", 7 * DAY), ("30 d", 30 * DAY))
MAX_SERIES = 30
MIN_POINTS = 4
"""With fewer points the cadence of a series is not known."""
MAX_IRREGULAR = 0.1
"""Share of gaps that are long: above it a series is logged at irregular times, and no point of it is expected."""
ERRORS = "errors/rate"
_QUANTILE = re.compile(r"p(?:50|90|95|99)")
EMPTY = (
    "Nothing to show: nothing about serving is logged. With `measure: {operations: {latency: …, error: …, cost: …}}` "
    "latency, errors, throughput and cost are computed from the log; rules such as `metric: latency/p95` watch them."
)


def operations_view(snapshot: ModelSnapshot) -> View:
    """Uptime, latency and errors first, unless something else fires."""
    lookup = SeriesLookup(snapshot)
    since = snapshot.now - snapshot.model.history
    rules = rules_of(snapshot, ViewName.OPERATIONS)
    latency = list(_latency_charts(snapshot, lookup, rules, since))
    covered = {id for _, ids in latency for id in ids}
    charts = [
        (own, track_chart(own.whole or own.tracks[0], own.alerts, snapshot.now))
        for own in rules
        if own.rule.name not in covered
    ]
    firing = [chart for own, chart in charts if own.badness]
    ranked: list[Panel] = [*firing, *_uptime(snapshot, lookup), *(chart for chart, _ in latency)]
    ranked += [chart for own, chart in charts if not own.badness]
    ranked += _unwatched(snapshot, lookup, since)
    resources = list(_resources(lookup, since))
    ranked += resources[:2]
    tables: list[Table | None] = [
        alerts_table(snapshot),
        freshness_table(snapshot),
        deployments_table(snapshot),
        automation_table(snapshot),
        escalation_table(snapshot),
    ]
    found = [table for table in tables if table is not None]
    room = max(12 - len(found), 3)
    folded = [*ranked[room:], *resources[2:]]
    folded += [bars for own in rules for bars in [segment_bars(own, snapshot.now)] if bars is not None]
    empty = f"The source cannot be read: {plain_line(snapshot.pull.error)}" if snapshot.pull.error else EMPTY
    return arrange_view(ViewName.OPERATIONS, [*ranked[:room], *found], folded, empty)


def _uptime(snapshot: ModelSnapshot, lookup: SeriesLookup) -> Iterator[TimeChart]:
    """Of calls where errors are logged; else of the points that monitoring expects."""
    errors = _error_series(snapshot.model, lookup)
    if errors is not None:
        yield calls_chart(errors, snapshot.now)
        return
    series = _most_regular(snapshot)
    if series is not None:
        yield points_chart(series, snapshot.now)


def _error_series(model: Model, lookup: SeriesLookup) -> Series | None:
    names = [ERRORS, *(rule.metric.name for rule in model.rules if rule.kind == "error-rate" and rule.metric.is_plain)]
    for name in names:
        series = lookup.whole(name)
        if series is not None and all(0 <= value <= 1 for value in series.values if math.isfinite(value)):
            return series
    return None


def calls_chart(errors: Series, now: float) -> TimeChart:
    """The share of calls that succeeded, day by day (UTC)."""
    counted = errors.weights is not None and any(map(math.isfinite, errors.weights))
    shares = [(name, _success(errors, now - length, now)) for name, length in _periods(errors, now)]
    known = [f"{bare_value(share, '%')} in the {name}" for name, share in shares if share is not None]
    how = "weighted by the number of calls" if counted else "each point counts the same, since calls are not counted"
    key = plain_line(errors.name, MAX_NAME)
    found = f"Calls that succeeded: {', '.join(known)}." if known else "No call is logged in the last 30 d."
    return _daily_chart(
        panel_id("uptime"),
        "Uptime: share of calls that succeeded",
        f"{found} This is 1 − {key}, {how}.",
        [(day, _success(errors, day, day + DAY)) for day in _days(now)],
    )


def _periods(series: Series, now: float) -> list[tuple[str, float]]:
    """Those of ``PERIODS`` that the series covers, and the time since it began where it is younger than the longest."""
    age = now - series.times[0] + (usual_gap(series.times) or HOUR)
    covered = [(f"last {name}", length) for name, length in PERIODS if length <= age]
    return covered if len(covered) == len(PERIODS) else [*covered, (f"{duration(age)} since it began", age)]


def _success(errors: Series, begin: float, end: float) -> float | None:
    """The share of calls after ``begin``, up to ``end``, without an error; ``None`` where none is known."""
    total = failed = 0.0
    for place, (time, rate) in enumerate(zip(errors.times, errors.values, strict=True)):
        if begin < time <= end and math.isfinite(rate):
            weight = errors.weights[place] if errors.weights is not None else 1.0
            weight = weight if math.isfinite(weight) and weight > 0 else 0.0
            total, failed = total + weight, failed + weight * rate
    return 1.0 - failed / total if total > 0 else None


def points_chart(series: Series, now: float) -> TimeChart:
    """The share of the points that are there which the usual time between two lets expect, day by day (UTC)."""
    gap = usual_gap(series.times)
    shares = [(name, expected_share(series, gap, now - length, now)) for name, length in _periods(series, now)]
    known = [f"{bare_value(share, '%')} in the {name}" for name, share in shares if share is not None]
    key = plain_line(series.name, MAX_NAME)
    return _daily_chart(
        panel_id("uptime"),
        "Uptime: share of expected points",
        f"Points of {key} that came: {', '.join(known) or 'not known yet'}, with one expected "
        f"every {duration(gap)}. This is about the data that monitoring reads, not about the service: errors of calls "
        "are not logged.",
        [(day, expected_share(series, gap, day, min(day + DAY, now))) for day in _days(now)],
        note="Log the share of failed calls as errors/rate, or set `measure: {operations: {error: …}}`.",
    )


def expected_share(series: Series, gap: float, begin: float, end: float) -> float | None:
    """Of the stretches of ``gap`` seconds between two times those that hold a point; before the series began none are
    expected. ``None`` where not one whole stretch is."""
    begin = max(begin, series.times[0] - gap) if len(series) else end
    expected = math.floor((end - begin) / gap + 1e-9) if gap > 0 else 0
    if expected < 1:
        return None
    inside = [time for time in series.times if begin < time <= end]
    # Counted from the newest point, so that points a little early or late fill the stretch that they are meant for.
    filled = {round((inside[-1] - time) / gap) for time in inside}
    return min(len(filled) / expected, 1.0)


def _most_regular(snapshot: ModelSnapshot) -> Series | None:
    """Of the series that rules watch the one with the shortest usual gap, if it is logged at regular times."""
    names = {rule.metric.name for rule in snapshot.model.rules}
    candidates = [series for series in snapshot.pull.series if series.name in names and len(series) > 2]
    series = min(candidates, key=lambda one: (usual_gap(one.times), one.name, one.labels), default=None)
    if series is None:
        return None
    gap = usual_gap(series.times)
    gaps = [after - before for before, after in pairwise(series.times)]
    long = sum(one > LONG_GAP * gap for one in gaps)
    return series if long <= MAX_IRREGULAR * len(gaps) else None


def _days(now: float) -> list[float]:
    """The beginnings of the last 30 UTC days, today's included."""
    today = now // DAY * DAY
    return [today - back * DAY for back in range(29, -1, -1)]


def _daily_chart(
    id: str, title: str, sentence: str, days: Sequence[tuple[float, float | None]], note: str = ""
) -> TimeChart:
    known = [place for place, (_, share) in enumerate(days) if share is not None]
    shown = days[known[0] :] if known else []
    values = tuple(None if share is None else finite(share) for _, share in shown)
    line = Line("share", LineRole.VALUE, values)
    return TimeChart(id, title, sentence, tuple(day for day, _ in shown), (line,) if shown else (), unit="%", note=note)


def _latency_charts(
    snapshot: ModelSnapshot, lookup: SeriesLookup, rules: Sequence[RuleTracks], since: float
) -> Iterator[tuple[TimeChart, frozenset[str]]]:
    """One chart for the quantiles of one latency, and the names of the rules that it shows whole: those with fixed
    limits on one of them."""
    stems: dict[tuple[str, ...], None] = {}
    for name in lookup.names():
        if _QUANTILE.search(name) and (siblings := quantile_siblings(name)) and not name.startswith("labels/"):
            stems.setdefault(siblings)
    watching = {own.rule.metric.text: own for own in rules if own.rule.metric.is_plain}
    for siblings in stems:
        lines = lookup.select(*siblings)
        if len(lines) < 2 or any(name.startswith("predictions/") for name in lines):
            continue
        owners = [own for name in lines if (own := watching.get(name)) is not None]
        main = owners[0].rule.metric.text if owners else next(name for name in reversed([*lines]) if name in lines)
        main = main if owners or siblings[1] not in lines else siblings[1]
        unit = _latency_unit(main, snapshot.model)
        whole = owners[0].whole if owners else None
        sentence = (
            track_sentence(whole, owners[0].alerts, snapshot.now, unit)
            if owners and whole is not None
            else series_sentence(main, lines[main], unit)
        )
        others = [
            f"{_quantile_name(name)} {bare_value(newest[1], unit)}"
            for name, series in lines.items()
            if name != main and (newest := newest_value(series))
        ]
        shown = {_quantile_name(name): series for name, series in lines.items()}
        limits = {text: limit for own in owners for text, limit in _fixed_limits(own, unit).items()}
        chart = series_chart(
            panel_id("latency", *siblings[:1]),
            _latency_title(main),
            f"{sentence} {'; '.join(others)}.".replace("..", ".") if others else sentence,
            shown,
            since,
            unit=unit,
            limits=limits,
            decided=_spans(whole, owners, snapshot.now) if whole is not None else (),
            main=_quantile_name(main),
        )
        yield chart, frozenset(own.rule.name for own in owners if _has_fixed_limits_only(own))


def _latency_title(key: str) -> str:
    """``Latency: serve``, by what a key says beside the quantile."""
    rest = _QUANTILE.sub("", key).strip("/_-. ")
    return "Latency" if rest in ("", "latency") else f"Latency: {plain_line(rest, MAX_NAME)}"


def _quantile_name(key: str) -> str:
    found = _QUANTILE.search(key)
    return found[0] if found else key


def _latency_unit(key: str, model: Model) -> str:
    """By the key; of ``measure``'s own, which are in the unit of the log's column, by the name of that."""
    column = model.measure.operations.latency if model.measure and model.measure.operations else ""
    return series_unit(key) or (unit_of_time(column) if key.startswith("latency/") else "")


def _fixed_limits(own: RuleTracks, unit: str) -> dict[str, tuple[Severity, float]]:
    return {
        f"{tier.severity}: {limit_text(limit, unit)}": (tier.severity, limit.value)
        for tier in own.rule.tiers
        for limit in tier.limits
        if limit.form in STATIC_LIMITS
    }


def _has_fixed_limits_only(own: RuleTracks) -> bool:
    limits = [limit for tier in own.rule.tiers for limit in tier.limits]
    return bool(limits) and all(limit.form in STATIC_LIMITS for limit in limits) and not own.rule.overrides


def _spans(track: Track, owners: Sequence[RuleTracks], now: float) -> tuple[DecidedSpan, ...]:
    return track_chart(track, owners[0].alerts, now).decided


def _unwatched(snapshot: ModelSnapshot, lookup: SeriesLookup, since: float) -> Iterator[TimeChart]:
    """Throughput, errors and cost, where no rule shows them."""
    watched = {rule.metric.name for rule in snapshot.model.rules}
    operations = snapshot.model.measure.operations if snapshot.model.measure else None
    column = (
        f" In the unit of the column {plain_line(operations.cost, MAX_NAME)}." if operations and operations.cost else ""
    )
    parts = (
        ("throughput", "Throughput, rows an hour", "The number of rows an hour", ""),
        ("quality/volume", "Rows of a window", "The number of rows of a window", ""),
        (ERRORS, "Error rate", "The share of rows with an error", ""),
        ("cost/mean", "Cost of a prediction", "The mean cost of a prediction", column),
        ("cost/sum", "Cost of a window", "The cost of a window", column),
    )
    found = {name: rest for name, *rest in parts if name not in watched and lookup.whole(name)}
    if "throughput" in found:
        found.pop("quality/volume", None)
    for name, (title, subject, note) in found.items():
        series = lookup.whole(name)
        if series is not None:
            sentence = series_sentence(subject, series, series_unit(name))
            yield series_chart(
                panel_id("series", name),
                title,
                sentence,
                {title: series},
                since,
                unit=series_unit(name),
                note=note.strip(),
            )


def _resources(lookup: SeriesLookup, since: float) -> Iterator[TimeChart]:
    """CPU, memory and the like, one chart each."""
    for head in ("system", "resources"):
        # Read by the pattern `system/*`, the rest of a key is a label.
        columns = {series.labels[0][1]: series for series in lookup.segments_of(head)} | lookup.below(head)
        for name, series in columns.items():
            key = f"{head}/{name}"
            title = series_title(f"Resources: {name}", ())
            sentence = series_sentence(name, series, series_unit(key))
            yield series_chart(panel_id("series", key), title, sentence, {name: series}, since, unit=series_unit(key))


@dataclass(frozen=True, slots=True)
class _Age:
    """How old the newest point of a series is (seconds), and how old it may be."""

    series: Series
    age: float
    gap: float
    limit: float
    """Infinite while too few points are there to know."""

    @property
    def is_overdue(self) -> bool:
        return self.age > self.limit


def freshness_table(snapshot: ModelSnapshot) -> Table | None:
    """Of the series that rules watch how old the newest point is, against its own cadence: those that are overdue, then
    one row for all series of a metric that are fresh."""
    every = {rule.metric.name: rule.every for rule in snapshot.model.rules}
    ages = [_age(series, every[series.name], snapshot.now) for series in snapshot.pull.series if series.name in every]
    ages = [age for age in ages if len(age.series)]
    if not ages:
        return None
    late = sorted((age for age in ages if age.is_overdue), key=lambda age: -age.age / max(age.limit, HOUR))
    fresh: dict[str, list[_Age]] = {}
    for age in ages:
        if not age.is_overdue:
            fresh.setdefault(age.series.name, []).append(age)
    rows = [(series_title(age.series.name, age.series.labels), age) for age in late]
    for name, alike in sorted(fresh.items(), key=lambda pair: -max(age.age for age in pair[1])):
        oldest = max(alike, key=lambda age: age.age)
        title = series_title(name, oldest.series.labels if len(alike) == 1 else ())
        rows.append((f"{title}, {len(alike)} series" if len(alike) > 1 else title, oldest))
    return Table(
        panel_id("freshness"),
        "Freshness: age of the newest point",
        _freshness_sentence(late, len(ages), rows[0][0]),
        ("Series", "Newest point", "Age", "Usually every", "Overdue after", "State"),
        tuple(
            (
                title,
                utc_time(age.series.times[-1]),
                duration(age.age),
                duration(age.gap) if age.gap else "not known yet",
                "not known yet" if math.isinf(age.limit) else duration(age.limit),
                "overdue" if age.is_overdue else "fresh",
            )
            for title, age in rows[:MAX_SERIES]
        ),
        note=f"The first {MAX_SERIES} of {len(rows)}." if len(rows) > MAX_SERIES else "",
    )


def _age(series: Series, every: float, now: float) -> _Age:
    if not len(series):
        return _Age(series, 0.0, 0.0, math.inf)
    limit = series_overdue_after(series.times, every) if len(series) >= MIN_POINTS else math.inf
    return _Age(series, now - series.times[-1], usual_gap(series.times), limit)


def _freshness_sentence(late: Sequence[_Age], count: int, first: str) -> str:
    if late:
        found = f"{len(late)} of {count} series that rules watch {'is' if len(late) == 1 else 'are'} overdue"
        usually = f"usually one every {duration(late[0].gap)}"
        return f"{found}, first {first}, without a point for {duration(late[0].age)} ({usually})."
    if count == 1:
        return f"{first} is as fresh as its cadence lets expect."
    return f"All {count} series that rules watch are as fresh as their cadence lets expect."
