"""Reading the tiers of a rule: limits in order, actions, the derived warning, and which direction is better."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from ..errors import did_you_mean
from ..model.keys import KeyPattern
from ..model.rule import FALL_LIMITS, RISE_LIMITS, Direction, Limit, LimitKind, Tier
from ..model.severity import Severity
from . import vocabulary
from .charts import read_chart
from .metric_directions import metric_direction
from .reader import shorten
from .sections import ParsedSection
from .yaml_nodes import Node, ScalarNode, SequenceNode

DERIVED_WARNING_FRACTION = 0.9
"""How far along the way to a lone critical limit the warning lies."""


def read_tiers(
    section: ParsedSection, verbs: Collection[str], default_limits: Sequence[float] | None
) -> tuple[Tier, ...]:
    """From the mildest to the most severe, with the derived warning; problems are reported where they are.

    ``default_limits``: the ``above`` of tiers that give no limit, for the mildest, the next one, and so on;
    ``None``: tiers have no limits, their budget of false alarms says when they are reached.
    """
    tiers: list[Tier] = []
    for severity in Severity:
        tier = section.get(str(severity))
        if tier is not None:
            place = len(tiers)
            limits = None if default_limits is None else default_limits[place : place + 1]
            tiers.append(_read_tier(severity, tier, verbs, limits))
    if not section.key_names():
        section.add_problem("the tiers are empty, so the rule would never fire.", "Give at least one severity.")
    _check_limit_order(section, tiers)
    if [tier.severity for tier in tiers] == [Severity.CRITICAL] and _has_limit(section.get("critical")):
        derived = derived_warning(tiers[0])
        return (derived, *tiers) if derived else tuple(tiers)
    return tuple(tiers)


def _read_tier(
    severity: Severity, section: ParsedSection, verbs: Collection[str], default_limits: Sequence[float] | None
) -> Tier:
    limits = read_limits(section)
    chart = read_chart(section)
    if default_limits is None:
        for name in [*(str(limit.form) for limit in limits), *(["chart"] if "chart" in section else [])]:
            message = f"`{name}` has no meaning in tiers of a rule with `anomaly`, which have no limits."
            section.add_problem(message, "Say with `false_alarms` how seldom it is reached.", key=name)
        limits, chart = (), None
    elif not _has_limit(section) and "chart" not in section:
        limits = tuple(Limit(LimitKind.ABOVE, value) for value in default_limits)
        if not limits:
            known = ", ".join(f"`{form}`" for form in LimitKind)
            section.add_problem(f"this tier has no limit: give one of {known}.")
    actions, budget = read_actions(section, verbs), section.get("false_alarms")
    return Tier(severity, limits, actions, section.get("for"), budget=budget, chart=chart)


def _has_limit(section: ParsedSection | None) -> bool:
    return section is not None and any(form in section for form in LimitKind)


def read_limits(section: ParsedSection) -> tuple[Limit, ...]:
    """The limits of a tier or of ``recover``, in the order of the forms."""
    pairs = ((form, section.get(str(form))) for form in LimitKind)
    return tuple(Limit(form, value) for form, value in pairs if value is not None)


def read_actions(section: ParsedSection, verbs: Collection[str]) -> tuple[str, ...]:
    """The actions of a tier: none where the list is empty, else with ``issue`` first."""
    if "do" not in section:
        return vocabulary.DEFAULT_ACTIONS
    actions = list(dict.fromkeys(section.get("do", [])))
    known = (*vocabulary.BUILT_IN_ACTIONS, *verbs)
    nodes = {node.text: node for node in _scalar_nodes(section.value_node("do"))}
    for name in actions:
        if name not in known:
            where = nodes.get(name, section.value_node("do"))
            message = f"`{shorten(name)}` is neither `issue` nor `page` nor a workflow of this model."
            hint = did_you_mean(name, known) + " Workflows must be listed in the model's `workflows`."
            section.reader.add_problem(where, message, hint)
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


def _check_limit_order(section: ParsedSection, tiers: list[Tier]) -> None:
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
                side = "lower" if limit.form is LimitKind.BELOW else "higher"
                message = f"`{limit.form}` of `{tier.severity}` must be {side} than that of `{milder[0]}`."
                section.get(str(tier.severity)).add_problem(message, value=str(limit.form))


def infer_direction(section: ParsedSection, tiers: Collection[Tier], metric: KeyPattern | None) -> Direction | None:
    """Which direction is good: what ``better`` says, else what the limits say (drop: higher; rise, above: lower), else
    what is known of a ``metric`` that ``measure`` publishes."""
    stated = section.get("better")
    forms = {limit.form for tier in tiers for limit in tier.limits}
    higher, lower = forms & FALL_LIMITS, forms & RISE_LIMITS
    if isinstance(stated, Direction):
        wrong = sorted(lower if stated is Direction.HIGHER else higher)
        if wrong:
            message = f"`better: {stated}` contradicts the limit `{wrong[0]}`."
            section.add_problem(message, "Where both directions are bad, write `better: neither`.", key="better")
        return stated
    silent = "sigma" if LimitKind.SIGMA in forms else "chart" if any(tier.chart for tier in tiers) else ""
    if stated is None and "better" not in section and not higher and not lower and silent:
        if metric is not None and (known := metric_direction(metric)):
            return known
        hint = (
            "Give `better: higher`, `lower` or `neither` (then both directions count), or limit one side by `above` or "
            "`below`."
        )
        section.add_problem(f"`{silent}` does not say which direction is worse.", hint, key="tiers")
    if stated == "neither" or bool(higher) == bool(lower):
        return None
    return Direction.HIGHER if higher else Direction.LOWER


def first_limit(section: ParsedSection | None, forms: Collection[LimitKind]) -> tuple[ParsedSection, LimitKind] | None:
    """The first limit of one of these kinds, and its tier."""
    for tier in [section.get(name) for name in section.key_names()] if section else []:
        for name in tier.key_names() if tier else []:
            if name in forms:
                return tier, LimitKind(name)
    return None
