"""The figures of a period from its alerts; pure. Each function says exactly what it counts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from itertools import pairwise
from statistics import median

from ..model.monitored_model import Config
from ..model.register import DispatchState
from ..model.rule import Rule
from ..model.scorecard import (
    AlertWorkflow,
    DurationFigure,
    LedgerAlert,
    Period,
    PeriodFigures,
    RuleFigures,
    ShareFigure,
    WorkflowFigures,
)
from ..stats.intervals import wilson_bounds
from ..timeutil import WEEK

TOO_SOON = WEEK
"""A workflow that is started so soon (seconds) after the one before it, of the same model, did not last."""
SURELY = 0.05
"""A rule is over its budget where so many false alarms are rarer than this if it keeps it."""


def period_figures(alerts: Sequence[LedgerAlert], period: Period, config: Config) -> PeriodFigures:
    """The figures of the alerts that began in ``period``; ``alerts`` are all that were read, from before it, too.

    Lengths of time, and what automation did, are those of real alerts: not of false ones, and not of those whose record
    has gaps.
    """
    own = [alert for alert in alerts if period.contains(alert.began)]
    whole = [alert for alert in own if is_measured(alert)]
    recovered = [alert for alert in whole if alert.recovered is not None]
    tried = [alert for alert in recovered if any(flow.is_automatic and flow.has_ended for flow in alert.workflows)]
    helped = [alert for alert in tried if any(flow.is_automatic and flow.helped for flow in alert.workflows)]
    return PeriodFigures(
        period,
        alerts=len(own),
        open=sum(alert.is_open for alert in own),
        joined=sum(len(alert.followers) for alert in own),
        pages=sum(alert.pages for alert in own),
        detect=duration_figure([_length(alert.began, alert.detected) for alert in whole]),
        acknowledge=duration_figure([_length(alert.detected, alert.acknowledged) for alert in whole]),
        mitigate=duration_figure([_length(alert.began, alert.mitigated) for alert in whole]),
        recover=duration_figure([_length(alert.began, alert.recovered) for alert in whole]),
        false=false_share(own),
        answered=share_figure(sum(alert.answered_alone for alert in recovered), len(recovered)),
        helped=share_figure(len(helped), len(tried)),
        rules=rule_figures(own, period, config),
        workflows=workflow_figures(alerts, period),
        incomplete=sum(bool(alert.gaps) for alert in own),
    )


def is_measured(alert: LedgerAlert) -> bool:
    """Whether its lengths of time count: it is no false alarm, and its record has no gaps."""
    return not alert.false_reason and not alert.gaps


def _length(start: float, end: float | None) -> float | None:
    """Seconds; 0 where it was found before people say that it began."""
    return None if end is None else max(end - start, 0.0)


def duration_figure(lengths: Iterable[float | None]) -> DurationFigure:
    """Median and 90th percentile of the lengths that there are; an alert without one is counted in ``without``.

    The median is the middle length, or the mean of the two in the middle. The percentile is the nearest rank: the
    shortest length that at least 90 % of the alerts do not exceed.
    """
    every = list(lengths)
    known = sorted(length for length in every if length is not None)
    if not known:
        return DurationFigure(0, None, None, len(every))
    return DurationFigure(len(known), median(known), known[math.ceil(len(known) * 9 / 10) - 1], len(every) - len(known))


def share_figure(count: int, of: int) -> ShareFigure:
    """``count`` of ``of`` with Wilson's 95 % interval; without one of nothing.

    Wilson's and not Clopper and Pearson's: with the few alerts of a quarter the latter is much wider than 95 %, and an
    interval that is too wide hides what changed (Brown, Cai and DasGupta 2001, Statistical Science 16:101).
    """
    if not of:
        return ShareFigure(count, of)
    low, high = wilson_bounds(count / of, of)
    return ShareFigure(count, of, low, high)


def false_share(alerts: Iterable[LedgerAlert]) -> ShareFigure:
    """False alarms among the alerts that are decided: over, or called false. One under way may still be called so."""
    decided = [alert for alert in alerts if alert.is_decided]
    return share_figure(sum(bool(alert.false_reason) for alert in decided), len(decided))


def rule_figures(own: Sequence[LedgerAlert], period: Period, config: Config) -> tuple[RuleFigures, ...]:
    """A row for each rule that alerted in ``period``, also as part of another one's alert; the busiest first."""
    joined = Counter(name for alert in own for name in alert.followers)
    names = {(alert.model, alert.rule) for alert in own} | set(joined)
    rows = []
    for model, rule in names:
        alerts = [alert for alert in own if (alert.model, alert.rule) == (model, rule)]
        false = false_share(alerts)
        allowed = allowed_false_alarms(_find_rule(config, model, rule), period)
        rows.append(
            RuleFigures(
                model,
                rule,
                len(alerts),
                len(alerts) / period.weeks,
                joined[model, rule],
                false,
                sum(alert.pages for alert in alerts),
                duration_figure([_length(alert.began, alert.recovered) for alert in alerts if is_measured(alert)]),
                allowed,
                allowed is not None and poisson_tail(false.count, allowed) < SURELY,
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.alerts, -row.joined, row.model, row.rule)))


def _find_rule(config: Config, model: str, rule: str) -> Rule | None:
    spec = config.model(model)
    return next((known for known in spec.rules if known.name == rule), None) if spec else None


def allowed_false_alarms(rule: Rule | None, period: Period) -> float | None:
    """How many false alarms the budget of ``rule`` allows in ``period`` on average; ``None`` without a budget.

    That of the tier that may alarm falsely most often, since a worse tier's false alarm is on the same issue.
    """
    budgets = [tier.false_alarms for tier in rule.tiers if tier.do and tier.false_alarms] if rule else []
    return period.length / min(budgets) if budgets else None


def poisson_tail(count: int, mean: float) -> float:
    """The probability of ``count`` or more events where ``mean`` are expected."""
    term, below = math.exp(-mean), 0.0
    for number in range(count):
        below += term
        term *= mean / (number + 1)
    return max(1.0 - below, 0.0)


def workflow_figures(alerts: Sequence[LedgerAlert], period: Period) -> tuple[WorkflowFigures, ...]:
    """A row for each workflow of each model that alerts of ``period`` started or proposed.

    *Helped* is counted among the runs that succeeded for real alerts that have recovered. *Too soon* is a start less
    than a week after the one before it, of the same workflow of the same model, whichever alert that was for.
    """
    soon = _too_soon(alerts)
    rows: dict[tuple[str, str], list[tuple[LedgerAlert, AlertWorkflow]]] = {}
    for alert in alerts:
        if period.contains(alert.began):
            for flow in alert.workflows:
                rows.setdefault((alert.model, flow.verb), []).append((alert, flow))
    return tuple(_workflow_row(*name, rows[name], soon) for name in sorted(rows))


def _workflow_row(
    model: str, verb: str, pairs: Sequence[tuple[LedgerAlert, AlertWorkflow]], soon: Set[str]
) -> WorkflowFigures:
    flows = [flow for _, flow in pairs]
    ended = [flow for flow in flows if flow.has_ended]
    judged = [flow for alert, flow in pairs if flow.succeeded and alert.recovered is not None and is_measured(alert)]
    return WorkflowFigures(
        model,
        verb,
        started=sum(flow.state.is_dispatched for flow in flows),
        automatic=sum(flow.is_automatic for flow in flows),
        proposed=sum(flow.state in (DispatchState.PROPOSED, DispatchState.REJECTED) for flow in flows),
        success=share_figure(sum(flow.succeeded for flow in ended), len(ended)),
        helped=share_figure(sum(flow.helped for flow in judged), len(judged)),
        too_soon=sum(flow.key in soon for flow in flows),
    )


def _too_soon(alerts: Iterable[LedgerAlert]) -> set[str]:
    """The keys of workflows that were started less than a week after the one before them."""
    starts: dict[tuple[str, str], list[AlertWorkflow]] = {}
    for alert in alerts:
        for flow in alert.workflows:
            if flow.state.is_dispatched:
                starts.setdefault((alert.model, flow.verb), []).append(flow)
    found: set[str] = set()
    for flows in starts.values():
        ordered = sorted(flows, key=lambda flow: flow.at)
        found.update(flow.key for before, flow in pairwise(ordered) if flow.at - before.at < TOO_SOON)
    return found
