"""Features before and after: the reference against the newest window in the same bins, what changed, week by week."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ..evaluate.drift.change import QUANTILES
from ..evaluate.drift.compared_shares import ShownFeature, ShownSide, compared_features, unwatched_feature
from ..model.drift import CATEGORIES_PART, FeatureDrift, ReferenceDrift, drift_spec
from ..model.finding import Track
from ..model.rule import BaselineKind
from ..model.series import Histograms, Labels
from ..report.formatting import bare_value, count, duration, labels_text, number, percent, quantity
from ..report.markdown import plain_line
from ..timeutil import DAY
from .page import DistributionChart, Histogram, StatisticChange
from .panel_ids import panel_id
from .rule_views import RuleTracks
from .sentences import MAX_NAME, track_sentence
from .series_lookup import SeriesLookup, newest_value, value_at
from .snapshot import ModelSnapshot
from .thinning import finite

MAX_CATEGORY = 40
"""Characters of a category's name."""
MAX_SHARES = 4
"""Categories whose change is written out."""
LEAST_SHIFT = 0.05
"""Standard deviations; a smaller move of the mean is none worth a sentence."""
COMMON_NAMES = ("true", "false", "True", "False", "1", "0", "yes", "no")
"""Of categories that nothing else names."""
EARLIER = 28 * DAY
"""Seconds before the newest window, of what no reference says."""
_QUANTILE_NAMES = {0.1: "10 % lie below", 0.5: "median", 0.9: "90 % lie below"}


@dataclass(frozen=True, slots=True)
class RankedFeature:
    """The chart of a feature, and how far it is from its reference."""

    chart: DistributionChart
    score: float
    has_drifted: bool
    """A tier holds for it, or a rule over all features counts it as drifted."""


def feature_charts(
    snapshot: ModelSnapshot, rules: Sequence[RuleTracks], unwatched: Sequence[str] = ("features", "predictions")
) -> list[RankedFeature]:
    """Every feature that has histograms, once: of drift rules first, the worst first; then those that no rule watches,
    in the order of their names. ``unwatched``: the first parts of their keys."""
    lookup = SeriesLookup(snapshot)
    found: dict[tuple[str, Labels], RankedFeature] = {}
    for own in rules:
        for ranked, key in _rule_features(snapshot, own, lookup):
            known = found.get(key)
            if known is None or (ranked.has_drifted, ranked.score) > (known.has_drifted, known.score):
                found[key] = ranked
    watched = sorted(found.values(), key=lambda one: (-one.has_drifted, -one.score, one.chart.title))
    others = []
    for histograms in lookup.histograms():
        head = histograms.name.partition("/")[0]
        if (histograms.name, histograms.labels) not in found and head in unwatched:
            shown = unwatched_feature(name_categories(histograms, lookup), categorical=is_categorical(histograms))
            if shown is not None:
                others.append(RankedFeature(_unwatched_chart(shown, lookup), 0.0, False))
    return [*watched, *others]


def is_categorical(histograms: Histograms) -> bool:
    """Whether a column's histograms have one bin for each category."""
    return histograms.name.rpartition("/")[2] == CATEGORIES_PART


def name_categories(histograms: Histograms, lookup: SeriesLookup) -> Histograms:
    """With the names that its categories may have: their histograms hold checksums only."""
    if not is_categorical(histograms):
        return histograms
    names = dict.fromkeys((*histograms.categories, *lookup.label_values(), *COMMON_NAMES))
    return replace(histograms, categories=tuple(names))


def _rule_features(
    snapshot: ModelSnapshot, own: RuleTracks, lookup: SeriesLookup
) -> Iterator[tuple[RankedFeature, tuple[str, Labels]]]:
    spec = drift_spec(own.rule.metric)
    if spec is None or not spec.patterns:
        return
    tracks = {track.labels: track for track in own.tracks if own.rule.across is None}
    drifted = {drift.feature: drift for track in own.tracks for drift in track.drifted}
    places = {labels: _place(track) for labels, track in tracks.items() if track.drifted}
    pull = snapshot.pull
    pull = replace(pull, histograms=tuple(name_categories(one, lookup) for one in pull.histograms))
    for labels, shown in compared_features(pull, own.rule, spec, places, snapshot.now).items():
        track = tracks.get(labels)
        drift = track.drifted[0] if track and track.drifted else drifted.get(labels_text(labels))
        holds = own.severity_of(track) is not None if track else drift is not None
        if track is not None:
            sentence = track_sentence(track, own.alerts, snapshot.now)
        elif drift is not None:
            sentence = f"{_title(shown)}: {quantity(drift.value, drift.method)}, counted as drifted."
        else:
            sentence = f"{_title(shown)} is not counted as drifted."
        reference = _reference_name(drift, own)
        chart = feature_chart(
            panel_id("feature", own.rule.name, shown.name, *(part for pair in labels for part in pair)),
            f"{sentence} {change_sentence(shown)}".strip(),
            shown,
            reference,
            lookup,
        )
        yield RankedFeature(chart, drift.value if drift else 0.0, holds), (shown.name, labels)


def _place(track: Track) -> tuple[float, int]:
    """When the newest window ends that has a value, and which reference it is furthest from."""
    rows = [row for row in range(track.grid.count) if track.value[row] == track.value[row]]
    drift = track.drifted[0]
    number = next((place for place, one in enumerate(drift.against) if one.value == drift.value), 0)
    return (track.grid.time(rows[-1]) if rows else track.grid.last), number


def _unwatched_chart(shown: ShownFeature, lookup: SeriesLookup) -> DistributionChart:
    name = panel_id("feature", shown.name, *(part for pair in shown.labels for part in pair))
    sentence = f"{_title(shown)}: the newest week beside the weeks before it. {change_sentence(shown)}"
    return feature_chart(name, f"{sentence} No rule watches it.", shown, "4 weeks before", lookup)


def feature_chart(
    id: str,
    sentence: str,
    shown: ShownFeature,
    reference: str,
    lookup: SeriesLookup | None = None,
    *,
    title: str = "",
    current: str = "",
) -> DistributionChart:
    """``reference`` and ``current``: how the two sides are called; ``lookup``: to find the share of missing cells."""
    statistics = _statistics(shown)
    if lookup is not None:
        statistics += _missing_share(shown, lookup)
    notes = []
    if shown.beyond >= 0.001:
        notes.append(f"{percent(shown.beyond).removeprefix('+')} of the values lie beyond and are in the outer bars.")
    return DistributionChart(
        id,
        title or _title(shown),
        sentence,
        _histogram(reference, shown, shown.before),
        _histogram(current or "current", shown, shown.after),
        tuple(statistics),
        tuple(_histogram(f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}", shown, week) for at, week in shown.weeks),
        " ".join(notes),
    )


def _title(shown: ShownFeature) -> str:
    return plain_line(labels_text(shown.labels) or shown.name.removesuffix(f"/{CATEGORIES_PART}"), MAX_NAME)


def _histogram(name: str, shown: ShownFeature, side: ShownSide) -> Histogram:
    shares = tuple(finite(share) or 0.0 for share in side.shares)
    edges = tuple(finite(edge) or 0.0 for edge in shown.edges)
    return Histogram(name, shares, edges, tuple(plain_line(one, MAX_CATEGORY) for one in shown.categories))


def _statistics(shown: ShownFeature) -> list[StatisticChange]:
    before, after = shown.before, shown.after
    rows = [StatisticChange("values", count(before.n), count(after.n))]
    if shown.categories:
        changed = sorted(range(len(shown.categories)), key=lambda at: -abs(after.shares[at] - before.shares[at]))
        return [
            *(
                StatisticChange(
                    plain_line(shown.categories[at], MAX_CATEGORY), _share(before.shares[at]), _share(after.shares[at])
                )
                for at in changed[:MAX_SHARES]
            ),
            *rows,
        ]
    pairs = [("mean", before.mean, after.mean), ("standard deviation", before.sd, after.sd)]
    names = [_QUANTILE_NAMES[share] for share in QUANTILES]
    pairs += zip(names, before.quantiles, after.quantiles, strict=True)
    return [*(StatisticChange(name, number(one), number(other)) for name, one, other in pairs), *rows]


def _share(share: float) -> str:
    return bare_value(share, "%")


def _missing_share(shown: ShownFeature, lookup: SeriesLookup) -> list[StatisticChange]:
    """Of cells, in the newest window and four weeks before it, where ``measure`` publishes it."""
    if not shown.labels:
        return []
    labels = (("feature", shown.labels[-1][1]),)
    series = next((one for one in lookup.segments("quality/feature=*/missing_rate") if one.labels == labels), None)
    newest = newest_value(series) if series is not None else None
    if series is None or newest is None:
        return []
    before = value_at(series, newest[0] - EARLIER)
    return [StatisticChange("missing", "—" if before is None else _share(before), _share(newest[1]))]


def change_sentence(shown: ShownFeature) -> str:
    """``The mean fell from 32.1 to 11.2, by 1.3 standard deviations.``; ``phone 12.1 % → 31.4 %, web ...``"""
    before, after = shown.before, shown.after
    if shown.categories:
        moved = sorted(range(len(shown.categories)), key=lambda at: -abs(after.shares[at] - before.shares[at]))
        parts = [
            f"{plain_line(shown.categories[at], MAX_CATEGORY)} {_share(before.shares[at])} → {_share(after.shares[at])}"
            for at in moved[:2]
            if abs(after.shares[at] - before.shares[at]) >= 0.0005
        ]
        return f"Largest changes: {', '.join(parts)}." if parts else "No share has changed."
    shift = (after.mean - before.mean) / before.sd if before.sd > 0 else 0.0
    ends = f"from {number(before.mean)} to {number(after.mean)}"
    if abs(shift) >= LEAST_SHIFT:
        return f"The mean {'rose' if shift > 0 else 'fell'} {ends}, by {abs(shift):.2g} standard deviations."
    if before.mean == after.mean or before.sd > 0:
        return f"The mean has hardly moved ({number(before.mean)} → {number(after.mean)})."
    return f"The mean went {ends}."


def _reference_name(drift: FeatureDrift | None, own: RuleTracks) -> str:
    against = [one for one in drift.against if one.value == drift.value] if drift else []
    if against:
        return reference_name(against[0])
    spec = own.rule.baseline
    return reference_name(ReferenceDrift(spec.kind, spec.path or spec.version, spec.length, None))


def reference_name(reference: ReferenceDrift) -> str:
    match reference.kind:
        case BaselineKind.FILE:
            return plain_line(reference.what, MAX_NAME)
        case BaselineKind.ROLLING:
            return f"{duration(reference.length)} before"
        case BaselineKind.SEASONAL:
            return f"same hours, {duration(reference.length)} before"
        case BaselineKind.VERSION:
            return "version before" if reference.what == "previous" else plain_line(reference.what, MAX_NAME)
        case _:
            return "reference"
