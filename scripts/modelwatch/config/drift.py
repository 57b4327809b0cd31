"""Keys of drift rules alone: several baselines, false alarms, one number across features."""

from __future__ import annotations

from collections.abc import Collection

from ..model.drift import DEFAULT_LIMITS, SHARE_LIMITS, drift_spec
from ..model.keys import KeyPattern
from ..model.rule import BaselineKind, BaselineSpec, LimitKind, Tier
from .reader import Reader, did_you_mean, shorten
from .sections import ParsedSection
from .yaml_nodes import ScalarNode

DRIFT_ONLY_KEYS = ("method", "false_alarms", "across", "importances")
MAX_REFERENCES = 3


def check_drift_keys(section: ParsedSection, reader: Reader) -> None:
    """Report keys that need ``drift``, and importances that weigh nothing."""
    if "drift" not in section:
        for name in DRIFT_ONLY_KEYS:
            if name in section:
                reader.add_problem(section.key_node(name), f"`{name}` belongs to `drift`.")
        return
    importances = section.get("importances", {})
    if "importances" in section and "across" not in section:
        message = "`importances` needs `across: share`."
        reader.add_problem(section.key_node("importances"), message)
    if importances and not any(weight > 0 for _, weight in importances.values()):
        reader.add_problem(section.key_node("importances"), "all importances are 0.")


def count_key(metric: KeyPattern | None) -> str | None:
    """The key ``n`` beside a drift metric holds its count; other metrics name theirs."""
    if metric is None or drift_spec(metric) is None:
        return None
    return f"{KeyPattern(metric.text.rpartition('/')[0]).name}/n"


def default_limits(section: ParsedSection) -> tuple[float, ...]:
    """``above`` of tiers without a limit, from the mildest on; none where the rule is not about drift, or by a measure
    that we do not know."""
    if "drift" not in section:
        return ()
    if section.get("across") is not None:
        return SHARE_LIMITS
    return DEFAULT_LIMITS.get(section.get("method", ""), ())


def check_drift(
    section: ParsedSection, tiers: Collection[Tier], baselines: Collection[BaselineSpec], reader: Reader
) -> None:
    """What must fit together."""
    if "drift" not in section:
        if len(baselines) > 1:
            reader.add_problem(section.value_node("baseline"), "only rules with `drift` take several baselines.")
        for spec in baselines:
            if spec.profile:
                message = f"{spec.path} is a profile, which only rules with `drift` can use."
                reader.add_problem(section.value_node("baseline"), message)
        return
    method = section.value_node("method")
    if section.get("across") is not None and section.get("method", "psi") not in DEFAULT_LIMITS:
        hint = did_you_mean(section.get("method"), DEFAULT_LIMITS) + f" Known: {', '.join(DEFAULT_LIMITS)}."
        message = f"`across` needs a method with a known minimum effect: `{shorten(section.get('method'))}` has none."
        reader.add_problem(method, message, hint)
    if len(baselines) > MAX_REFERENCES:
        reader.add_problem(section.value_node("baseline"), f"at most {MAX_REFERENCES} baselines.")
    for spec in baselines if len(baselines) > 1 else ():
        if spec.kind is BaselineKind.CONSTANT:
            reader.add_problem(
                section.value_node("baseline"), "drift cannot be compared with a constant: remove `value`."
            )
    _check_feature_share(section, tiers, reader)


def _check_feature_share(section: ParsedSection, tiers: Collection[Tier], reader: Reader) -> None:
    if section.get("across") is None:
        return
    limits = [limit for tier in tiers for limit in tier.limits if limit.form is LimitKind.ABOVE]
    for value in sorted({limit.value for limit in limits if limit.value >= 1}):
        where = next(
            (node for node in _above_nodes(section) if node.text.strip() == f"{value:g}"), section.key_node("tiers")
        )
        reader.add_problem(where, f"the share of features that drifted is never above {value:g}.", "For example `30%`.")


def _above_nodes(section: ParsedSection) -> list[ScalarNode]:
    tiers = section.get("tiers")
    nodes = []
    for name in tiers.key_names() if tiers is not None else ():
        tier = tiers.get(name)
        if isinstance(tier, ParsedSection):
            node = tier.value_node("above")
            nodes += [node] if isinstance(node, ScalarNode) else []
    return nodes
