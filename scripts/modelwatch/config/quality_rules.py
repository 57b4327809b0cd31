"""``quality:``, short for one rule of the kind data-quality a check; what it means is written here as rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from ..model.rule import Rule
from .baselines import capture_command
from .field_types import AnyOf
from .rules import RULE, RULE_FIELDS, RuleContext, build_rule
from .sections import Field, ParsedSection, Section
from .vocabulary import ON_OR_MAPPING
from .yaml_nodes import MappingNode, Node, ScalarNode, parse_yaml

REFERENCE_RULE = "metric: 'quality/feature=*/%s_excess', tiers: {warning: {above: %s}, error: {above: %s}}"
"""How far a share lies above that of the reference, at the least: significance is in the metric already."""
SEASONAL_RULE = (
    "metric: 'quality/feature=*/%s_rate', weight: quality/n, baseline: {seasonal: 4w}, "
    "tiers: {warning: {rise_points: %s}, error: {rise_points: %s}}"
)
"""The same for a model without a reference: against the weeks before."""


@dataclass(frozen=True, slots=True)
class QualityCheck:
    """A rule as keys in YAML, for a model with and for one without a reference profile; empty where there is none."""

    doc: str
    with_reference: str
    without_reference: str
    optional: bool = True
    """Whether only some logs have columns for it."""


def _share_check(
    doc: str, name: str, warning: str, error: str, without_reference: str = "", *, optional: bool = True
) -> QualityCheck:
    """``without_reference``: the rule for a model without a reference, with the same limits."""
    limits = (name, warning, error)
    doc = f"{doc}: warning {warning}, error {error}."
    without = without_reference % limits if without_reference else ""
    return QualityCheck(doc, REFERENCE_RULE % limits, without, optional)


def _same_check(doc: str, text: str, *, optional: bool = True) -> QualityCheck:
    return QualityCheck(doc, text, text, optional)


QUALITY_CHECKS = {
    "missing": _share_check(
        "Share of missing cells above the reference", "missing", "2%", "10%", SEASONAL_RULE, optional=False
    ),
    "type": _share_check("Cells that are not numbers in a numeric column", "type", "1%", "10%", SEASONAL_RULE),
    "format": _share_check("Texts in a format that the reference does not have", "format", "5%", "20%"),
    "infinite": QualityCheck(
        "Infinite numbers: warning 0, error 1%.",
        REFERENCE_RULE % ("infinite", "0", "1%"),
        "metric: 'quality/feature=*/infinite_rate', tiers: {warning: {above: 0}, error: {above: 1%}}",
    ),
    "range": _share_check("Numbers outside the range of the reference", "out_of_range", "5%", "20%"),
    "new": _share_check("Rows in categories that the reference does not have", "new", "5%", "20%"),
    "vanished": QualityCheck(
        "Categories of the reference that do not occur although 20 rows of each were expected.",
        "metric: 'quality/feature=*/vanished', tiers: {warning: {above: 0}}",
        "",
    ),
    "cardinality": _same_check(
        "The number of categories against four weeks: half as many or twice as many.",
        "metric: 'quality/feature=*/cardinality', baseline: {seasonal: 4w}, "
        "tiers: {warning: {drop: 50%, rise: 100%}, error: {drop: 80%, rise: 400%}}",
    ),
    "duplicates": _same_check(
        "Rows whose id occurred before: warning 1%, error 10%.",
        "metric: quality/duplicate_rate, weight: quality/n, tiers: {warning: {above: 1%}, error: {above: 10%}}",
    ),
    "files": _same_check(
        "Files of the log that are truncated, or of another format: warning 0. The others are measured.",
        "metric: quality/unreadable_files, tiers: {warning: {above: 0}}",
    ),
    "freshness": _same_check(
        "Seconds from the newest row to the window's end: warning at an eighth of the window, error at half.",
        "metric: quality/freshness, tiers: {warning: {above: EIGHTH}, error: {above: HALF}}",
        optional=False,
    ),
    "volume": _same_check(
        "The number of rows against the same hours of four weeks: 30% less or twice as many.",
        "metric: quality/volume, baseline: {seasonal: 4w}, "
        "tiers: {warning: {drop: 30%, rise: 100%}, error: {drop: 60%, rise: 400%}}",
        optional=False,
    ),
}
"""Shares of rows; ``vanished`` counts categories, ``freshness`` is in seconds: an EIGHTH and HALF of the window."""

TIMING_KEYS = ("window", "every", "lag", "for", "hold", "min_points")
"""Keys of a rule that `quality` takes for all its checks."""
_CHECK_KEYS = (*TIMING_KEYS, "better", "recover", "baseline", "min_weight", "tiers", "runbook")
_CHECK = Section("a check of quality", {name: RULE_FIELDS[name] for name in _CHECK_KEYS}, "Settings of one check.")
_check_setting = AnyOf(scalar=ON_OR_MAPPING, mapping=_CHECK)
QUALITY = Section(
    "the quality section",
    {
        **{name: RULE_FIELDS[name] for name in TIMING_KEYS},
        **{name: Field(_check_setting, check.doc) for name, check in QUALITY_CHECKS.items()},
    },
    "Each check is a rule of the kind data-quality, with the name `quality-<check>`.",
)


def build_quality_rules(
    section: ParsedSection, window: float, reference: bool, context: RuleContext
) -> Iterator[tuple[Rule, ParsedSection]]:
    """The rules of the quality section. ``window``: seconds of one measurement; ``reference``: whether there is one.

    Rules are called ``quality-<check>``; problems point at what the user wrote.
    """
    value = section.get("quality", False)
    if value is False:
        return
    stated = ParsedSection(QUALITY, section.value_node("quality"), section.reader) if value is True else value
    for name, check in QUALITY_CHECKS.items():
        own = stated.get(name)
        text = check.with_reference if reference else check.without_reference
        if own is False or (not text and name not in stated):
            continue
        if not text:
            command = capture_command(context.user.model, "FILE", is_profile=True)
            hint = f"Give `measure: {{reference: FILE}}`; `{command}` writes it."
            stated.add_problem(f"the check `{name}` needs a reference profile.", hint, key=name)
            continue
        defaults = _default_rule(name, text, window, stated)
        common = stated.select(TIMING_KEYS)
        merged = common.with_defaults(defaults)
        merged = own.with_defaults(merged) if isinstance(own, ParsedSection) else merged
        yield replace(build_rule(merged, context), optional=check.optional), merged


def _default_rule(name: str, text: str, window: float, quality: ParsedSection) -> ParsedSection:
    """The default rule of a check, located where ``quality`` names it."""
    # The newest measurement of the last two windows: one that is late by less than a window is not missed.
    head = f"name: quality-{name}, kind: data-quality, aggregate: last, window: {2 * window:g}s"
    filled = text.replace("EIGHTH", f"{window / 8:g}").replace("HALF", f"{window / 2:g}")
    root = _relocate(_parse_rule(f"{{{head}, {filled}}}"), quality.key_node(name))
    section = RULE.read(root, quality.reader)
    assert section is not None  # noqa: S101
    return section


@cache
def _parse_rule(text: str) -> Node:
    return parse_yaml(text.encode(), "quality")


def _relocate(node: Node, place: Node) -> Node:
    if isinstance(node, MappingNode):
        pairs = [(_relocate(key, place), _relocate(value, place)) for key, value in node.pairs]
        return MappingNode(place.line, place.column, pairs)
    assert isinstance(node, ScalarNode)  # noqa: S101
    return ScalarNode(place.line, place.column, node.text, node.plain)
