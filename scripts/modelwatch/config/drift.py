"""Keys of drift rules alone: several baselines, false alarms, one number across features."""

from __future__ import annotations

from collections.abc import Collection

from ..errors import did_you_mean
from ..model.drift import DEFAULT_LIMITS, SHARE_LIMITS, drift_spec
from ..model.keys import KeyPattern
from ..model.rule import BaselineKind, BaselineSpec, LimitKind, Tier
from .reader import shorten
from .sections import ParsedSection
from .yaml_nodes import ScalarNode

DRIFT_ONLY_KEYS = ("method", "across", "importances")
MAX_REFERENCES = 3


def check_drift_keys(section: ParsedSection) -> None:
    """Report keys that need ``drift``, and importances that weigh nothing."""
    if "drift" not in section:
        for name in DRIFT_ONLY_KEYS:
            if name in section:
                section.add_problem(f"`{name}` belongs to `drift`.", key=name)
        return
    importances = section.get("importances", {})
    if "importances" in section and "across" not in section:
        section.add_problem("`importances` needs `across: share`.", key="importances")
    if importances and not any(weight > 0 for _, weight in importances.values()):
        section.add_problem("all importances are 0.", key="importances")


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


def check_drift(section: ParsedSection, tiers: Collection[Tier], baselines: Collection[BaselineSpec]) -> None:
    """What must fit together."""
    if "drift" not in section:
        if len(baselines) > 1:
            section.add_problem("only rules with `drift` take several baselines.", value="baseline")
        for spec in baselines:
            if spec.profile:
                message = f"{spec.path} is a W&B artifact, which only rules with `drift` can use."
                hint = "Give the file that `modelwatch baseline capture --from-table TABLE --out FILE` writes."
                section.add_problem(message, hint, value="baseline")
        return
    if section.get("across") is not None and section.get("method", "psi") not in DEFAULT_LIMITS:
        hint = did_you_mean(section.get("method"), DEFAULT_LIMITS)
        message = f"`across` needs a method with a known minimum effect: `{shorten(section.get('method'))}` has none."
        section.add_problem(message, hint, value="method")
    if len(baselines) > MAX_REFERENCES:
        section.add_problem(f"at most {MAX_REFERENCES} baselines.", value="baseline")
    for spec in baselines if len(baselines) > 1 else ():
        if spec.kind is BaselineKind.CONSTANT:
            section.add_problem("drift cannot be compared with a constant: remove `value`.", value="baseline")
    _check_feature_share(section, tiers)


def _check_feature_share(section: ParsedSection, tiers: Collection[Tier]) -> None:
    if section.get("across") is None:
        return
    limits = [limit for tier in tiers for limit in tier.limits if limit.form is LimitKind.ABOVE]
    for value in sorted({limit.value for limit in limits if limit.value >= 1}):
        message = f"the share of features that drifted is never above {value:g}."
        where = next((node for node in _above_nodes(section) if node.text.strip() == f"{value:g}"), None)
        section.reader.add_problem(where or section.key_node("tiers"), message, "For example `30%`.")


def _above_nodes(section: ParsedSection) -> list[ScalarNode]:
    tiers = section.get("tiers")
    sections = [tiers.get(name) for name in tiers.key_names()] if tiers is not None else []
    nodes = [tier.value_node("above") for tier in sections if tier is not None]
    return [node for node in nodes if isinstance(node, ScalarNode)]
