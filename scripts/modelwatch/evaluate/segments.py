"""Which series a rule is about: the whole, and its segments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from ..model.keys import KeyPattern
from ..model.rule import Rule
from ..model.series import Histograms, Labels, Series

MAX_SEGMENTS = 50
"""At most this many segments of a rule are judged."""

SeriesByName = Mapping[str, Sequence[Series]]


Named = TypeVar("Named", Series, Histograms)


def group_by_name(columns: Iterable[Named]) -> Mapping[str, list[Named]]:
    """By name, each group in the order given; a name without any has an empty group."""
    groups: dict[str, list[Named]] = defaultdict(list)
    for column in columns:
        groups[column.name].append(column)
    return groups


def whole_labels(rule: Rule) -> Labels | None:
    """The labels of the rule's whole: none, or the fixed ones of its key; ``None`` where the metric is a pattern and
    there is no whole."""
    return rule.metric.match(rule.metric.text) if rule.metric.is_plain else None


def find_series(series: SeriesByName, name: str, labels: Labels) -> Series | None:
    return next((candidate for candidate in series.get(name, ()) if candidate.labels == labels), None)


def segment_series(rule: Rule, series: SeriesByName) -> list[Series]:
    """Every series that the rule's patterns name, ordered by labels; the whole is not among them."""
    whole = whole_labels(rule)
    patterns = [rule.metric] if whole is None else []
    patterns += rule.segments
    return [candidate for candidate in match_patterns(patterns, series) if candidate.labels != whole]


def match_patterns(patterns: Iterable[KeyPattern], columns: Mapping[str, Sequence[Named]]) -> list[Named]:
    """Whatever the patterns name, ordered by labels; of equal labels what the first pattern names."""
    matches: dict[Labels, Named] = {}
    for pattern in patterns:
        for candidate in columns.get(pattern.name, ()):
            if pattern.allows(candidate.labels):
                matches.setdefault(candidate.labels, candidate)
    return [matches[labels] for labels in sorted(matches)]
