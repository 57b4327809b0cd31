"""The tiers of a rule: limits in order, what each asks for, the warning that exists by default, the better side."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from ..model.rule import Direction, Limit, LimitKind, Tier
from ..model.severity import Severity
from . import words
from .nodes import Node, Scalar
from .nodes import Sequence as SequenceNode
from .reader import Reader, did_you_mean, show
from .shapes import Given

WAY = 0.9
"""How far along the way to a lone critical limit the warning lies."""


def read_tiers(given: Given, reader: Reader, verbs: Collection[str], usual: Sequence[float] = ()) -> tuple[Tier, ...]:
    """From the mildest to the most severe, with the derived warning; each problem told where it stands.

    ``usual``: the ``above`` of tiers that give no limit, for the mildest, the next one, and so on.
    """
    tiers: list[Tier] = []
    for name, severity in words.SEVERITIES.items():
        tier = given.get(name)
        if tier is not None:
            place = len(tiers)
            tiers.append(_tier(severity, tier, reader, verbs, usual[place : place + 1]))
    if not given.names():
        reader.problem(given.node, "the tiers are empty: nothing would ever be found.", "Give at least one severity.")
    _check_growth(given, tiers, reader)
    if [tier.severity for tier in tiers] == [Severity.CRITICAL] and _has_limit(given.get("critical")):
        derived = derived_warning(tiers[0])
        return (derived, *tiers) if derived else tuple(tiers)
    return tuple(tiers)


def _tier(severity: Severity, given: Given, reader: Reader, verbs: Collection[str], usual: Sequence[float]) -> Tier:
    limits = read_limits(given)
    if not _has_limit(given):
        limits = tuple(Limit(LimitKind.ABOVE, value) for value in usual)
        if not limits:
            known = ", ".join(f"`{form}`" for form in words.FORMS)
            reader.problem(given.node, f"this tier has no limit: give one of {known}.")
    return Tier(severity, limits, read_do(given, reader, verbs), given.get("for"))


def _has_limit(given: Given | None) -> bool:
    return given is not None and any(form in given for form in words.FORMS)


def read_limits(given: Given) -> tuple[Limit, ...]:
    """The limits of a tier or of ``recover``, in the order of the forms."""
    found = ((form, given.get(str(form))) for form in LimitKind)
    return tuple(Limit(form, value) for form, value in found if value is not None)


def read_do(given: Given, reader: Reader, verbs: Collection[str]) -> tuple[str, ...]:
    """What is asked for: nothing where the list is empty, else with ``issue`` first."""
    if "do" not in given:
        return ("issue",)
    asked = list(dict.fromkeys(given.get("do", [])))
    known = (*words.TARGETS, *verbs)
    nodes = {node.text: node for node in _scalars(given.value_at("do"))}
    for name in asked:
        if name not in known:
            where = nodes.get(name, given.value_at("do"))
            hint = did_you_mean(name, known) + " A workflow must stand in the model's `workflows`."
            reader.problem(where, f"`{show(name)}` is neither `issue` nor `page` nor a workflow of this model.", hint)
    return tuple(asked) if not asked or "issue" in asked else ("issue", *asked)


def _scalars(node: Node) -> Iterable[Scalar]:
    for part in node.items if isinstance(node, SequenceNode) else [node]:
        if isinstance(part, Scalar):
            yield part


def derived_warning(critical: Tier) -> Tier | None:
    """The warning at 90 % of the way to a lone critical limit; ``None`` where there is no way (a limit of 0)."""
    limits = tuple(limit for limit in map(_on_the_way, critical.limits) if limit is not None)
    return Tier(Severity.WARNING, limits, ("issue",), critical.for_, derived=True) if limits else None


def _on_the_way(limit: Limit) -> Limit | None:
    """Nearer to health: for a negative limit that is the other direction than for a positive one."""
    if limit.value == 0:
        return None
    shrinks = limit.form is not LimitKind.BELOW if limit.value > 0 else limit.form is LimitKind.BELOW
    value = limit.value * WAY if shrinks else limit.value / WAY
    return Limit(limit.form, float(f"{value:.12g}"))  # 0.36, not 0.36000000000000004


def _check_growth(given: Given, tiers: list[Tier], reader: Reader) -> None:
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
                node = _limit_node(given, tier.severity, limit.form)
                side = "lower" if limit.form is LimitKind.BELOW else "higher"
                message = f"`{limit.form}` of `{tier.severity}` must be {side} than that of `{milder[0]}`."
                reader.problem(node, message)


def _limit_node(given: Given, severity: Severity, form: LimitKind) -> Node:
    tier = given.get(str(severity))
    return tier.value_at(str(form)) if isinstance(tier, Given) else given.node


def better_side(stated: object, tiers: Iterable[Tier], given: Given, reader: Reader, where: Node) -> Direction | None:
    """Which direction is good: what ``better`` says, else what the limits say (drop: higher; rise, above: lower)."""
    forms = {limit.form for tier in tiers for limit in tier.limits}
    higher, lower = forms & words.HIGHER_IS_BETTER, forms & words.LOWER_IS_BETTER
    if isinstance(stated, Direction):
        wrong = sorted(lower if stated is Direction.HIGHER else higher)
        if wrong:
            message = f"`better: {stated}` contradicts the limit `{wrong[0]}`."
            reader.problem(given.at("better"), message, "Where both directions are bad, write `better: neither`.")
        return stated
    if stated is None and "better" not in given and not higher and not lower and LimitKind.SIGMA in forms:
        hint = "Say `better: higher`, `lower` or `neither` (then both directions count)."
        reader.problem(where, "`sigma` does not say which direction is the worse one.", hint)
    if stated == "neither" or bool(higher) == bool(lower):
        return None
    return Direction.HIGHER if higher else Direction.LOWER


def first_of_form(given: Given, forms: Collection[LimitKind]) -> tuple[Node, LimitKind] | None:
    """Where a limit of one of these forms stands first, for pointing at."""
    for name in given.names():
        tier = given.get(name)
        if isinstance(tier, Given):
            for form in tier.names():
                if form in words.FORMS and words.FORMS[form] in forms:
                    return tier.at(form), words.FORMS[form]
    return None
