"""``quality:``, short for one rule of the kind data-quality a check; what it means is written here as rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from ..model.rule import Rule
from ..timeutil import DAY
from . import rules
from .reader import Reader
from .rules import RuleContext, build_rule
from .sections import ParsedSection
from .yaml_nodes import MappingNode, Node, ScalarNode, SequenceNode, parse_yaml

REFERENCE_RULE = (
    "{kind: data-quality, metric: 'quality/feature=*/%s_excess', tiers: {warning: {above: %s}, error: {above: %s}}}"
)
"""How far a share lies above that of the reference, at the least: significance is in the metric already."""
SEASONAL_RULE = (
    "{kind: data-quality, metric: 'quality/feature=*/%s_rate', weight: quality/n, baseline: {seasonal: 4w}, "
    "tiers: {warning: {rise_points: %s}, error: {rise_points: %s}}}"
)
"""The same for a model without a reference: against the weeks before."""


@dataclass(frozen=True, slots=True)
class QualityCheck:
    """A rule as YAML. Empty where there is none: ``alone`` is for a model without a reference profile."""

    with_reference: str
    without_reference: str


def _share_check(name: str, warning: str, error: str, *, without_reference: bool = True) -> QualityCheck:
    limits = (name, warning, error)
    return QualityCheck(REFERENCE_RULE % limits, SEASONAL_RULE % limits if without_reference else "")


def _same_check(text: str) -> QualityCheck:
    return QualityCheck(text, text)


QUALITY_CHECKS = {
    "missing": _share_check("missing", "2%", "10%"),
    "type": _share_check("type", "1%", "10%"),
    "format": _share_check("format", "5%", "20%", without_reference=False),
    "infinite": QualityCheck(
        REFERENCE_RULE % ("infinite", "0", "1%"),
        "{kind: data-quality, metric: 'quality/feature=*/infinite_rate', "
        "tiers: {warning: {above: 0}, error: {above: 1%}}}",
    ),
    "range": _share_check("out_of_range", "5%", "20%", without_reference=False),
    "new": _share_check("new", "5%", "20%", without_reference=False),
    "vanished": QualityCheck(
        "{kind: data-quality, metric: 'quality/feature=*/vanished', tiers: {warning: {above: 0}}}",
        "",
    ),
    "cardinality": _same_check(
        "{kind: data-quality, metric: 'quality/feature=*/cardinality', baseline: {seasonal: 4w}, "
        "tiers: {warning: {drop: 50%, rise: 100%}, error: {drop: 80%, rise: 400%}}}"
    ),
    "duplicates": _same_check(
        "{kind: data-quality, metric: quality/duplicate_rate, weight: quality/n, "
        "tiers: {warning: {above: 1%}, error: {above: 10%}}}"
    ),
    "freshness": _same_check(
        "{kind: data-quality, metric: quality/freshness, tiers: {warning: {above: EIGHTH}, error: {above: HALF}}}"
    ),
    "volume": _same_check(
        "{kind: data-quality, metric: quality/volume, baseline: {seasonal: 4w}, "
        "tiers: {warning: {drop: 30%, rise: 100%}, error: {drop: 60%, rise: 400%}}}"
    ),
}
"""Shares of rows; ``vanished`` counts categories, ``freshness`` is in seconds: an EIGHTH and HALF of the window."""


def build_quality_rules(
    section: ParsedSection, window: float, reference: bool, reader: Reader, context: RuleContext
) -> Iterator[tuple[Rule, ParsedSection]]:
    """The rules of the quality section. ``window``: seconds of one measurement; ``reference``: whether there is one.

    Rules are called ``quality-<check>``; problems point at what the user wrote.
    """
    value = section.get("quality", False)
    if value is False:
        return
    stated = value if isinstance(value, ParsedSection) else ParsedSection(section.value_node("quality"), {}, {})
    for name, check in QUALITY_CHECKS.items():
        own = stated.get(name)
        text = check.with_reference if reference else check.without_reference
        if own is False or (not text and name not in stated):
            continue
        if not text:
            hint = "Give `measure: {reference: ...}`; `modelwatch baseline capture --from-table` writes it."
            reader.add_problem(stated.key_node(name), f"the check `{name}` needs a reference profile.", hint)
            continue
        node = stated.key_node(name) if name in stated else stated.node
        defaults = _default_rule(name, text, window, node, reader)
        common = stated.select(rules.TIMING_KEYS)
        merged = common.with_defaults(defaults)
        merged = own.with_defaults(merged) if isinstance(own, ParsedSection) else merged
        yield build_rule(merged, reader, context), merged


def _default_rule(name: str, text: str, window: float, place: Node, reader: Reader) -> ParsedSection:
    """The default rule of a check, located at ``place``."""
    root = _relocate(_parse_template(text, window), place)
    assert isinstance(root, MappingNode)  # noqa: S101
    # The newest measurement of the last two windows: one that is late by less than a window is not missed.
    for key, value in (("name", f"quality-{name}"), ("aggregate", "last"), ("window", f"{2 * window:g}s")):
        root.pairs.append(
            (_relocate(ScalarNode(1, 1, key, True), place), _relocate(ScalarNode(1, 1, value, True), place))
        )
    section = rules.RULE.read(root, reader)
    assert section is not None  # noqa: S101
    return section


@cache
def _parse_template(text: str, window: float = DAY) -> Node:
    filled = text.replace("EIGHTH", f"{window / 8:g}").replace("HALF", f"{window / 2:g}")
    return parse_yaml(filled.encode(), "quality")


def _relocate(node: Node, place: Node) -> Node:
    if isinstance(node, ScalarNode):
        return ScalarNode(place.line, place.column, node.text, node.plain)
    if isinstance(node, SequenceNode):
        sequence = SequenceNode(place.line, place.column)
        sequence.items = [_relocate(item, place) for item in node.items]
        return sequence
    assert isinstance(node, MappingNode)  # noqa: S101
    mapping = MappingNode(place.line, place.column)
    mapping.pairs = [(_relocate(key, place), _relocate(value, place)) for key, value in node.pairs]
    return mapping
