"""Which settings of a rule are within a budget of false alerts, and which of them is suggested.

The best of 200 settings looks better than it is. So a setting is within the budget only in one of two ways.

- Its detectors promise it (``is_promised``, with a budget of the mildest tier that is not shorter): the promise holds
  for every setting alike, so no choice among them breaks it. The tuning span must not contradict it: no more false
  alerts than the budget has in it.
- Else the span has to prove it. Settings that differ only in the limits and the budget of their detectors are a family;
  each is tried from the longest budget and the furthest limits on, and the walk ends at the first whose upper bound
  (Poisson, exact: Garwood 1936) is beyond the budget. Such a walk in an order that the data did not choose keeps its
  level without a correction for its length (fixed sequence: Maurer, Hothorn and Lehmacher 1995; Angelopoulos et al.
  2021, Learn then Test). The doubt of 5 % is shared by the families (Bonferroni), half of it for that of the present
  setting.

Delays of a few incidents are as noisy. So the present setting, where it is within the budget, is left only for one that
is no less sensitive by its words (no longer window, `for` or budget, no limit further out; limits that points prove
stay, since a nearer one is proven sooner or later, as the change has it), that finds no marked incident later by more
than one evaluation, and all of them sooner by one on average. Of these the one is chosen that misses fewest incidents,
and then finds them soonest; where the present setting is not within the budget, of all that are. Where no incident is
marked the most sensitive setting is chosen: the one that alerts most.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence

from ..model.tuning import AlertBudget, Setting, SettingScore, TriedSetting
from ..report.formatting import duration
from ..report.tuning import budget_text
from ..stats.intervals import poisson_upper
from .tuning_grid import is_promised

DOUBT = 0.05
"""How often a setting that is proven within the budget may be beyond it."""
BROKEN = 10
"""A promise that is broken so many times over has to show on the tuning span, with the same doubt."""
_ROUNDING = 1e-9


def find_within_budget(
    grid: Sequence[Setting], scores: Sequence[SettingScore], budget: AlertBudget
) -> tuple[TriedSetting, ...]:
    """Which settings are within the budget; see the module."""
    kept = set[int]()
    families: dict[Hashable, list[int]] = {}
    for place, (setting, score) in enumerate(zip(grid, scores, strict=True)):
        if _promises(setting, budget):
            if score.false_alerts <= budget.rate * score.exposure + _ROUNDING:
                kept.add(place)
        else:
            families.setdefault(_family(setting), []).append(place)
    own = _family(grid[0])
    for family, places in families.items():
        doubt = _family_doubt(families, family, own)
        for place in sorted(places, key=lambda place: _sensitivity(grid[place])):
            score = scores[place]
            if poisson_upper(score.false_alerts, score.exposure, 1 - doubt) > budget.rate:
                break
            kept.add(place)
    return tuple(
        TriedSetting(setting, score, place in kept)
        for place, (setting, score) in enumerate(zip(grid, scores, strict=True))
    )


def _family_doubt(families: Iterable[Hashable], family: Hashable, present: Hashable) -> float:
    """Its share of the doubt: half for the family of the present setting."""
    others = [one for one in families if one != present]
    if len(others) == len(list(families)):
        return DOUBT / len(others)
    if not others:
        return DOUBT
    return DOUBT / 2 if family == present else DOUBT / 2 / len(others)


def _promises(setting: Setting, budget: AlertBudget) -> bool:
    period = setting.rule.tiers[0].false_alarms
    return is_promised(setting.rule) and period is not None and period >= budget.interval * (1 - _ROUNDING)


def _family(setting: Setting) -> Hashable:
    """All but how far out the limits lie, and the budget of the detectors."""
    rule = setting.rule
    mildest = rule.tiers[0]
    return (rule.window, rule.for_, mildest.for_, mildest.chart)


def _sensitivity(setting: Setting) -> tuple[float, float]:
    """Ascending within a family, by the configuration alone."""
    return (-(setting.rule.tiers[0].false_alarms or 0.0), -setting.scale)


def choose_setting(tried: Sequence[TriedSetting], budget: AlertBudget, every: float) -> tuple[Setting | None, str]:
    """The setting, and why it or why none. ``tried``: the present one first; ``every``: seconds between evaluations."""
    span = tried[0].score
    within = [one for one in tried if one.within_budget]
    stated = budget_text(budget)
    if any(_promises(one.setting, budget) for one in tried):
        least = -math.log(DOUBT) * budget.interval / BROKEN
        if span.exposure < least:
            return None, (
                f"The {duration(span.exposure)} to tune on are too short for {stated}: in less than {duration(least)} "
                f"even a setting with {BROKEN} times as many could show none, so nothing is suggested."
            )
    elif not within and poisson_upper(0, span.exposure, 1 - DOUBT / 2) > budget.rate:
        least = -math.log(DOUBT / 2) / budget.rate
        return None, (
            f"The {duration(span.exposure)} to tune on cannot prove {stated}, which takes {duration(least)} without a "
            "false alert: nothing is suggested."
        )
    if not within:
        return None, f"No setting is shown to keep {stated}: nothing is suggested."
    if not span.delays:
        best = max(within, key=lambda one: one.score.alerts)  # the first of equals is nearest to the present one
        return best.setting, (
            "No incident is marked in the part to tune on, so there was none to find: of the settings within "
            f"{stated} this one alerts most."
        )
    return _soonest(within, tried[0], every, stated)


def _soonest(within: Sequence[TriedSetting], present: TriedSetting, every: float, stated: str) -> tuple[Setting, str]:
    """The setting that is better than the present one; else that one."""
    better = list(within)
    if present.within_budget:
        better = [
            one
            for one in within
            if _is_as_sensitive(one.setting, present.setting) and _is_better(one.score, present.score, every)
        ]
    if not better:
        return present.setting, (
            f"Within {stated} no setting finds the incidents sooner by one evaluation, and none of them later: keep "
            "this one."
        )
    least = min(one.score.missed for one in better)
    found = [one for one in better if one.score.missed == least]
    soonest = min(one.score.mean_delay or 0.0 for one in found)
    # The grid goes on from the present setting to the nearest ones.
    best = next(one for one in found if (one.score.mean_delay or 0.0) <= soonest + every)
    return best.setting, f"It misses fewest of the incidents and finds them soonest, within {stated}."


def _is_as_sensitive(setting: Setting, present: Setting) -> bool:
    """Whether, by the configuration alone, it has nothing that makes it later."""
    own, other = setting.rule, present.rule
    budgets = [rule.tiers[0].false_alarms or 0.0 for rule in (own, other)]
    counts = [rule.tiers[0].for_ or rule.for_ for rule in (own, other)]
    are_limits_near = setting.scale == 1 if is_promised(other) else setting.scale <= 1
    return are_limits_near and budgets[0] <= budgets[1] and counts[0] <= counts[1] and own.window <= other.window


def _is_better(score: SettingScore, present: SettingScore, every: float) -> bool:
    """Sooner on average by one evaluation, and for no incident later by more than one."""
    pairs = zip(score.delays, present.delays, strict=True)
    is_later = any(own.seconds > other.seconds + every for own, other in pairs)
    return not is_later and (score.mean_delay or 0.0) <= (present.mean_delay or 0.0) - every
