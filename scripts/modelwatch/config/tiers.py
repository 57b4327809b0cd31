"""Reading the tiers of a rule: limits in order, actions, the derived warning, and which direction is better."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from ..model.rule import Direction, Limit, LimitKind, Tier
from ..model.severity import Severity
from . import vocabulary
from .reader import Reader, did_you_mean, shorten
from .sections import ParsedSection
from .yaml_nodes import Node, ScalarNode, SequenceNode

DERIVED_WARNING_FRACTION = 0.9
"""How far along the way to a lone critical limit the warning lies."""


def read_tiers(
    section: ParsedSection, reader: Reader, verbs: Collection[str], default_limits: Sequence[float] = ()
) -> tuple[Tier, ...]:
    """From the mildest to the most severe, with the derived warning; problems are reported where they are.

    ``default_limits``: the ``above`` of tiers that give no limit, for the mildest, the next one, and so on.
    """
    tiers: list[Tier] = []
    for name, severity in vocabulary.SEVERITIES.items():
        tier = section.get(name)
        if tier is not None:
            place = len(tiers)
            tiers.append(_read_tier(severity, tier, reader, verbs, default_limits[place : place + 1]))
    if not section.key_names():
        reader.add_problem(
            section.node, "the tiers are empty, so the rule would never fire.", "Give at least one severity."
        )
    _check_limit_order(section, tiers, reader)
    if [tier.severity for tier in tiers] == [Severity.CRITICAL] and _has_limit(section.get("critical")):
        derived = derived_warning(tiers[0])
        return (derived, *tiers) if derived else tuple(tiers)
    return tuple(tiers)


def _read_tier(
    severity: Severity, section: ParsedSection, reader: Reader, verbs: Collection[str], default_limits: Sequence[float]
) -> Tier:
    limits = read_limits(section)
    if not _has_limit(section):
        limits = tuple(Limit(LimitKind.ABOVE, value) for value in default_limits)
        if not limits:
            known = ", ".join(f"`{form}`" for form in vocabulary.FORMS)
            reader.add_problem(section.node, f"this tier has no limit: give one of {known}.")
    return Tier(severity, limits, read_actions(section, reader, verbs), section.get("for"))


def _has_limit(section: ParsedSection | None) -> bool:
    return section is not None and any(form in section for form in vocabulary.FORMS)


def read_limits(section: ParsedSection) -> tuple[Limit, ...]:
    """The limits of a tier or of ``recover``, in the order of the forms."""
    pairs = ((form, section.get(str(form))) for form in LimitKind)
    return tuple(Limit(form, value) for form, value in pairs if value is not None)


def read_actions(section: ParsedSection, reader: Reader, verbs: Collection[str]) -> tuple[str, ...]:
    """What is asked for: nothing where the list is empty, else with ``issue`` first."""
    if "do" not in section:
        return vocabulary.DEFAULT_ACTIONS
    actions = list(dict.fromkeys(section.get("do", [])))
    known = (*vocabulary.BUILT_IN_ACTIONS, *verbs)
    nodes = {node.text: node for node in _scalar_nodes(section.value_node("do"))}
    for name in actions:
        if name not in known:
            where = nodes.get(name, section.value_node("do"))
            hint = did_you_mean(name, known) + " Workflows must be listed in the model's `workflows`."
            reader.add_problem(
                where, f"`{shorten(name)}` is neither `issue` nor `page` nor a workflow of this model.", hint
            )
    return tuple(actions) if not actions or "issue" in actions else ("issue", *actions)


def _scalar_nodes(node: Node) -> Iterable[ScalarNode]:
    for part in node.items if isinstance(node, SequenceNode) else [node]:
        if isinstance(part, ScalarNode):
            yield part


def derived_warning(critical: Tier) -> Tier | None:
    """The warning at 90 % of the way to a lone critical limit; ``None`` where there is no way (a limit of 0)."""
    limits = tuple(limit for limit in map(_derived_limit, critical.limits) if limit is not None)
    return Tier(Severity.WARNING, limits, vocabulary.DEFAULT_ACTIONS, critical.for_, derived=True) if limits else None


def _derived_limit(limit: Limit) -> Limit | None:
    """Nearer to health: for a negative limit that is the other direction than for a positive one."""
    if limit.value == 0:
        return None
    shrinks = limit.form is not LimitKind.BELOW if limit.value > 0 else limit.form is LimitKind.BELOW
    value = limit.value * DERIVED_WARNING_FRACTION if shrinks else limit.value / DERIVED_WARNING_FRACTION
    return Limit(limit.form, float(f"{value:.12g}"))  # 0.36, not 0.36000000000000004


def _check_limit_order(section: ParsedSection, tiers: list[Tier], reader: Reader) -> None:
    """Limits of one form must lie further out in a more severe tier: else that tier could never hold alone."""
    last: dict[LimitKind, tuple[Severity, float]] = {}
    for tier in tiers:
        for limit in tier.limits:
            milder = last.get(limit.form)
            last[limit.form] = (tier.severity, limit.value)
            if milder is None:
                continue
            further = limit.value < milder[1] if limit.form is LimitKind.BELOW else limit.value > milder[1]
            if not further:
                node = _limit_node(section, tier.severity, limit.form)
                side = "lower" if limit.form is LimitKind.BELOW else "higher"
                message = f"`{limit.form}` of `{tier.severity}` must be {side} than that of `{milder[0]}`."
                reader.add_problem(node, message)


def _limit_node(section: ParsedSection, severity: Severity, form: LimitKind) -> Node:
    tier = section.get(str(severity))
    return tier.value_node(str(form)) if isinstance(tier, ParsedSection) else section.node


def infer_direction(
    stated: object, tiers: Iterable[Tier], section: ParsedSection, reader: Reader, where: Node
) -> Direction | None:
    """Which direction is good: what ``better`` says, else what the limits say (drop: higher; rise, above: lower)."""
    forms = {limit.form for tier in tiers for limit in tier.limits}
    higher, lower = forms & vocabulary.HIGHER_IS_BETTER_FORMS, forms & vocabulary.LOWER_IS_BETTER_FORMS
    if isinstance(stated, Direction):
        wrong = sorted(lower if stated is Direction.HIGHER else higher)
        if wrong:
            message = f"`better: {stated}` contradicts the limit `{wrong[0]}`."
            reader.add_problem(
                section.key_node("better"), message, "Where both directions are bad, write `better: neither`."
            )
        return stated
    if stated is None and "better" not in section and not higher and not lower and LimitKind.SIGMA in forms:
        hint = "Give `better: higher`, `lower` or `neither` (then both directions count)."
        reader.add_problem(where, "`sigma` does not say which direction is worse.", hint)
    if stated == "neither" or bool(higher) == bool(lower):
        return None
    return Direction.HIGHER if higher else Direction.LOWER


def first_limit_node(section: ParsedSection, forms: Collection[LimitKind]) -> tuple[Node, LimitKind] | None:
    """The node of the first limit of one of these kinds, for error messages."""
    for name in section.key_names():
        tier = section.get(name)
        if isinstance(tier, ParsedSection):
            for form in tier.key_names():
                if form in vocabulary.FORMS and vocabulary.FORMS[form] in forms:
                    return tier.key_node(form), vocabulary.FORMS[form]
    return None
