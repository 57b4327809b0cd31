"""``quality:``, short for one rule of the kind data-quality a check; what it means is written here as rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from ..model.rule import DAY, Rule
from . import rule_fields
from .nodes import Mapping, Node, Scalar, Sequence, parse
from .reader import Reader
from .rules import Surroundings, build_rule
from .shapes import Given

REFERENCED = (
    "{kind: data-quality, metric: 'quality/feature=*/%s_excess', tiers: {warning: {above: %s}, error: {above: %s}}}"
)
"""How far a share lies above that of the reference, at the least: significance is in the metric already."""
ROLLING = (
    "{kind: data-quality, metric: 'quality/feature=*/%s_rate', weight: quality/n, baseline: {seasonal: 4w}, "
    "tiers: {warning: {rise_points: %s}, error: {rise_points: %s}}}"
)
"""The same for a model without a reference: against the weeks before."""


@dataclass(frozen=True, slots=True)
class Check:
    """A rule as YAML. Empty where there is none: ``alone`` is for a model without a reference profile."""

    referenced: str
    alone: str


def _share(name: str, warning: str, error: str, *, alone: bool = True) -> Check:
    limits = (name, warning, error)
    return Check(REFERENCED % limits, ROLLING % limits if alone else "")


def _both(text: str) -> Check:
    return Check(text, text)


CHECKS = {
    "missing": _share("missing", "2%", "10%"),
    "type": _share("type", "1%", "10%"),
    "format": _share("format", "5%", "20%", alone=False),
    "infinite": Check(
        REFERENCED % ("infinite", "0", "1%"),
        "{kind: data-quality, metric: 'quality/feature=*/infinite_rate', "
        "tiers: {warning: {above: 0}, error: {above: 1%}}}",
    ),
    "range": _share("out_of_range", "5%", "20%", alone=False),
    "new": _share("new", "5%", "20%", alone=False),
    "vanished": Check(
        "{kind: data-quality, metric: 'quality/feature=*/vanished', tiers: {warning: {above: 0}}}",
        "",
    ),
    "cardinality": _both(
        "{kind: data-quality, metric: 'quality/feature=*/cardinality', baseline: {seasonal: 4w}, "
        "tiers: {warning: {drop: 50%, rise: 100%}, error: {drop: 80%, rise: 400%}}}"
    ),
    "duplicates": _both(
        "{kind: data-quality, metric: quality/duplicate_rate, weight: quality/n, "
        "tiers: {warning: {above: 1%}, error: {above: 10%}}}"
    ),
    "freshness": _both(
        "{kind: data-quality, metric: quality/freshness, tiers: {warning: {above: EIGHTH}, error: {above: HALF}}}"
    ),
    "volume": _both(
        "{kind: data-quality, metric: quality/volume, baseline: {seasonal: 4w}, "
        "tiers: {warning: {drop: 30%, rise: 100%}, error: {drop: 60%, rise: 400%}}}"
    ),
}
"""Shares of rows; ``vanished`` counts categories, ``freshness`` is in seconds: an EIGHTH and HALF of the window."""


def quality_rules(
    given: Given, window: float, reference: bool, reader: Reader, around: Surroundings
) -> Iterator[tuple[Rule, Given]]:
    """``given``: the model; ``window``: seconds of one measurement; ``reference``: whether there is one.

    Rules are called ``quality-<check>``; problems point at what the user wrote.
    """
    asked = given.get("quality", False)
    if asked is False:
        return
    stated = asked if isinstance(asked, Given) else Given(given.value_at("quality"), {}, {})
    for name, check in CHECKS.items():
        own = stated.get(name)
        text = check.referenced if reference else check.alone
        if own is False or (not text and name not in stated):
            continue
        if not text:
            hint = "Give `measure: {reference: ...}`, as `modelwatch baseline capture --from-table` writes it."
            reader.problem(stated.at(name), f"the check `{name}` needs the profile of a reference.", hint)
            continue
        place = stated.at(name) if name in stated else stated.node
        usual = _rule(name, text, window, place, reader)
        common = stated.only(rule_fields.TIMING)
        merged = common.over(usual)
        merged = own.over(merged) if isinstance(own, Given) else merged
        yield build_rule(merged, reader, around), merged


def _rule(name: str, text: str, window: float, place: Node, reader: Reader) -> Given:
    """The rule as it is where nobody says otherwise, standing at ``place``."""
    root = _placed(_parsed(text, window), place)
    assert isinstance(root, Mapping)  # noqa: S101
    # The newest measurement of the last two windows: one that is late by less than a window is not missed.
    for key, value in (("name", f"quality-{name}"), ("aggregate", "last"), ("window", f"{2 * window:g}s")):
        root.pairs.append((_placed(Scalar(1, 1, key, True), place), _placed(Scalar(1, 1, value, True), place)))
    found = rule_fields.RULE.read(root, reader)
    assert found is not None  # noqa: S101
    return found


@cache
def _parsed(text: str, window: float = DAY) -> Node:
    filled = text.replace("EIGHTH", f"{window / 8:g}").replace("HALF", f"{window / 2:g}")
    return parse(filled.encode(), "quality")


def _placed(node: Node, place: Node) -> Node:
    if isinstance(node, Scalar):
        return Scalar(place.line, place.column, node.text, node.plain)
    if isinstance(node, Sequence):
        listed = Sequence(place.line, place.column)
        listed.items = [_placed(item, place) for item in node.items]
        return listed
    assert isinstance(node, Mapping)  # noqa: S101
    mapped = Mapping(place.line, place.column)
    mapped.pairs = [(_placed(key, place), _placed(value, place)) for key, value in node.pairs]
    return mapped
