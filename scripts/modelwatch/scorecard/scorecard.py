"""Makes the scorecard: reads issues, W&B and workflow runs, and turns them into figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..context import RunContext
from ..errors import UserError
from ..model.backtest import Marks
from ..model.monitored_model import Config
from ..model.scorecard import Cost, EpisodeRecord, LedgerAlert, Period, Scorecard
from ..pipeline import pull
from ..report.formatting import utc_time
from .alerts import NO_MARKS, ledger_alerts
from .cost import find_workflow_files, read_cost
from .coverage import find_coverage, find_unwatched_projects, label_delays, read_logged_keys
from .earned_modes import STATED_RULE, judge_modes
from .figures import period_figures
from .issues import ReadRecords, read_records


@dataclass(frozen=True, slots=True)
class ScorecardParts:
    """The scorecard, and what it was made of."""

    scorecard: Scorecard
    records: tuple[EpisodeRecord, ...]
    alerts: tuple[LedgerAlert, ...]
    """All that were read, from before the period, too."""


def make_scorecard(
    context: RunContext, period: Period, root: Path, marks: Marks = NO_MARKS, every: Config | None = None
) -> ScorecardParts:
    """``root``: the working tree, whose workflow files are looked at. ``every``: the whole configuration, where the
    context has some of its models only.

    Issues of a year are read: for the modes of workflows, and for rules that never fired.
    """
    found = read_records(context, min(period.before.start, context.now - STATED_RULE.memory))
    records = context.redactor.redact(tuple(found.records))
    alerts = ledger_alerts(records, marks)
    readable = len(found.unread) < len(context.config.models)
    problems = [*found.problems, *marks.problems]
    shown = _readable_period(period, found, problems)
    figures = period_figures(alerts, shown, context.config) if readable else None
    earlier = period.before if shown == period and found.complete_since <= period.before.start else None
    before = period_figures(alerts, earlier, context.config) if readable and earlier else None
    logged = read_logged_keys(context)
    projects = find_unwatched_projects(context, every or context.config)
    files = find_workflow_files(context.config, root)
    calls = _count_calls(context, problems)
    costs = [read_cost(context, files, span, calls) for span in (shown, period.before)]
    scorecard = Scorecard(
        context.now,
        shown,
        figures,
        before,
        find_coverage(context.config, logged, alerts if not found.unread else None, projects, context.now),
        label_delays(context.config, logged),
        costs[0],
        costs[1] if shown == period else Cost(),
        tuple(problems),
        judge_modes(context.config, records, context.now, marks, unread=found.unread),
        tuple(sorted(found.unread)),
    )
    return ScorecardParts(context.redactor.redact(scorecard), records, alerts)


def _readable_period(period: Period, found: ReadRecords, problems: list[str]) -> Period:
    """The period, or the part of it of which every alert was read."""
    if found.complete_since <= period.before.start:
        return period
    if found.complete_since <= period.start:
        problems.append(
            f"the period before is not complete: every alert since {utc_time(found.complete_since)} was read"
        )
        return period
    start = min(found.complete_since, period.end)
    problems.append(f"the period begins later, at {utc_time(start)}: of alerts before that some may be missing")
    return Period(start, period.end)


def _count_calls(context: RunContext, problems: list[str]) -> int | None:
    """The calls to W&B of one evaluation, counted while the metrics are read as it reads them; ``None`` where a source
    cannot be read."""
    if not any(model.wandb for model in context.config.models):
        return 0
    before = context.wandb.calls
    try:
        failed: Sequence[str] = [pulled.error for pulled in pull(context).values() if pulled.error]
    except UserError as error:
        failed = [str(error)]
    if failed:
        problems.append(f"the calls to W&B are not known: {failed[0]}")
        return None
    return context.wandb.calls - before
