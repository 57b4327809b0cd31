"""Rules over estimated metrics: what an estimate alone may not start."""

from __future__ import annotations

from ..model.release import RECOVERY_VERBS
from ..model.rule import Rule, Tier
from ..model.unit import is_estimated
from .sections import ParsedSection


def check_estimate_actions(section: ParsedSection, rule: Rule) -> None:
    """An estimate changes nothing that serves: it assumes that scores mean what they meant."""
    if not is_estimated(rule.metric):
        return
    stated = section.get("tiers")
    for tier in rule.tiers:
        if (verbs := _serving_verbs(tier)) and stated is not None and (own := stated.get(str(tier.severity))):
            _refuse(own, "do", verbs)
    verbs = sorted({verb for override in rule.overrides for tier in override.tiers for verb in _serving_verbs(tier)})
    if verbs:
        _refuse(section, "overrides", verbs)


def _serving_verbs(tier: Tier) -> list[str]:
    return [verb for verb in tier.do if verb in RECOVERY_VERBS]


def _refuse(section: ParsedSection, key: str, verbs: list[str]) -> None:
    names = " and ".join(f"`{verb}`" for verb in verbs)
    hint = "Use `issue`, `page` or `retrain`, and give it to a rule over labels, such as `eval/accuracy`."
    section.add_problem(f"an estimate is no reason for {names}.", hint, value=key)
