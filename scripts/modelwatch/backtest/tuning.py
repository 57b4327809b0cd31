"""Suggests a setting of a rule that finds marked incidents sooner, within a budget of false alerts.

Nothing is tuned and judged on the same span: settings are tried on its first part, and the one that is chosen is
replayed in full on the last, which lies so much later that no window shares data with a window of the first.
``tuning_choice.py`` says which setting is chosen, and what keeps that honest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from statistics import median

from ..evaluate.evaluator import evaluate_model
from ..model.backtest import MarkedIncident
from ..model.monitored_model import Model
from ..model.rule import STATIC_LIMITS, Rule
from ..model.tuning import (
    AlertBudget,
    HeldOutScore,
    IncidentDelay,
    Setting,
    SettingScore,
    Suggestion,
    mark_curve,
)
from ..report.formatting import duration
from ..stats.intervals import poisson_upper
from ..timeutil import DAY
from .logged_history import LoggedHistory
from .replay import replay_alerts
from .result import ReplayedEpisode, Span
from .rule_alerts import replay_rules
from .scoring import news_times
from .tuning_choice import choose_setting, find_within_budget
from .tuning_grid import MOST_SETTINGS, tuning_grid

AT_ONCE = 16
"""Settings that one replay judges: series and points are prepared once for all."""


@dataclass(frozen=True, slots=True)
class TuningOptions:
    """How to tune."""

    split: float = 2 / 3
    """The share of the span to tune on; the rest is held out."""
    settings: int = MOST_SETTINGS
    margin: float = DAY
    """Seconds after an incident in which an alert still belongs to it, as do alerts of its recovery."""
    processes: int = 1


@dataclass(frozen=True, slots=True)
class SplitSpan:
    tune: Span
    held_out: Span


def suggest(
    model: Model,
    rule: Rule,
    history: LoggedHistory,
    span: Span,
    incidents: Sequence[MarkedIncident],
    budget: AlertBudget | None = None,
    options: TuningOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Suggestion:
    """The suggestion for one rule of ``model``, whose ``history`` covers ``span``.

    ``incidents``: those of the model; ``budget``: ``None`` is that of the rule's own mildest tier. ``progress`` is
    called with how many settings of how many were tried.
    """
    options = options or TuningOptions()
    incidents = [one for one in incidents if one.model == model.name and one.is_about(rule.name)]
    budget = budget or own_budget(model, rule)
    empty = Suggestion(model.name, rule.name, rule.where, budget, (), "", margin=options.margin)
    if budget is None:
        return replace(empty, reason="There is no budget of false alerts to keep: state one with `--budget`.")
    grid = tuning_grid(model, rule, budget, _usual_level(model, rule, history, span), options.settings)
    if len(grid) < 2:
        return replace(empty, reason="The rule has no setting that can be varied.")
    parts = split_span(span, options.split, max(setting.rule.window for setting in grid))
    if parts is None:
        return replace(empty, reason=f"{duration(span.until - span.since)} of history cannot be split into two parts.")
    episodes = _try_settings(model, history, parts.tune, grid, options.processes, progress)
    scores = [score_alerts(own, incidents, parts.tune, options.margin) for own in episodes]
    tried = find_within_budget(grid, scores, budget)
    best, reason = choose_setting(tried, budget, rule.every)
    notes = _unnamed_note(incidents) if len(model.rules) > 1 else ()
    found = replace(empty, tried=mark_curve(tried), chosen=best, reason=reason, notes=notes)
    return _add_held_out(found, model, history, parts.held_out, incidents, options)


def _unnamed_note(incidents: Sequence[MarkedIncident]) -> tuple[str, ...]:
    count = sum(not one.rules for one in incidents)
    if not count:
        return ()
    which = "1 marked incident names" if count == 1 else f"{count} marked incidents name"
    return (f"{which} no rules, so this rule is expected to find what another may be for: name `rules:` in the marks.",)


def own_budget(model: Model, rule: Rule) -> AlertBudget | None:
    """The budget of the rule's mildest tier, which is a share of the model's where the rule states none; the model's
    where the rule's tiers have none."""
    period = rule.tiers[0].false_alarms if rule.tiers else None
    if period is None and model.false_alarms is not None:
        period = model.false_alarms.warnings
    return AlertBudget(1.0, period) if period else None


def split_span(span: Span, share: float, apart: float) -> SplitSpan | None:
    """Two spans on the same grid of evaluations, the second at least ``apart`` seconds after the first; ``None`` where
    one of them would have no evaluation."""
    steps = math.floor(share * (span.until - span.since) / span.every)
    until = span.since + steps * span.every
    since = until + (math.ceil(apart / span.every) + 1) * span.every
    if steps < 1 or since > span.until:
        return None
    return SplitSpan(replace(span, until=until), replace(span, since=since))


def score_alerts(
    episodes: Iterable[ReplayedEpisode], incidents: Iterable[MarkedIncident], span: Span, margin: float
) -> SettingScore:
    """What one setting alerted in ``span``, by the definitions of ``scoring``, but for two: every alert that is about
    no incident counts as false, also where nobody said so, and one that comes up to ``margin`` seconds after an
    incident is still about it. Delays are of the incidents that lie in the span."""
    own = list(episodes)
    marked = sorted(incidents, key=lambda one: one.start)
    windows = [(one.start, one.end + margin) for one in marked]
    outside = [
        one
        for one in own
        if not any(begin <= time <= end for time in (one.start, *news_times(one)) for begin, end in windows)
    ]
    news = [time for episode in own for time in news_times(episode)]
    delays = [
        IncidentDelay(
            one.name,
            one.start,
            min((time - one.start for time in news if one.start <= time <= one.end), default=None),
            one.end - one.start,
        )
        for one in marked
        if span.since <= one.start and one.end <= span.until
    ]
    exposure = span.until - span.since - _covered(windows, span)
    return SettingScore(span.since, span.until, exposure, len(own), len(outside), tuple(delays))


def _covered(windows: Iterable[tuple[float, float]], span: Span) -> float:
    """Seconds of ``span`` in the union of ``windows``, which are in order."""
    total, reached = 0.0, span.since
    for begin, end in windows:
        first, last = max(begin, reached), min(end, span.until)
        total += max(0.0, last - first)
        reached = max(reached, last)
    return total


def _usual_level(model: Model, rule: Rule, history: LoggedHistory, span: Span) -> float | None:
    """The median of the windows of the first series, of what was known at the beginning of the span: it belongs to no
    part that is judged. Only static limits need it."""
    if not any(limit.form in STATIC_LIMITS for tier in rule.tiers for limit in tier.limits):
        return None
    known = history.as_of(span.since)
    tracks = evaluate_model(replace(model, rules=(rule,)), known, span.since).tracks
    values = [value for track in tracks[:1] for value in track.value if value == value]
    return median(values) if values else None


def _try_settings(
    model: Model,
    history: LoggedHistory,
    span: Span,
    settings: Sequence[Setting],
    processes: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[tuple[ReplayedEpisode, ...]]:
    """The alerts of each setting."""
    chunks = [settings[first : first + AT_ONCE] for first in range(0, len(settings), AT_ONCE)]
    models = [_with_rules(model, chunk) for chunk in chunks]
    found: list[tuple[ReplayedEpisode, ...]] = []

    def add(episodes: dict[str, tuple[ReplayedEpisode, ...]]) -> None:
        found.extend(episodes.values())
        if progress is not None:
            progress(len(found), len(settings))

    if processes < 2 or len(chunks) < 2:
        for one in models:
            add(replay_rules(one, history, span))
        return found
    context = get_context("spawn")  # a fork would copy the threads of NumPy and of W&B's client
    with ProcessPoolExecutor(processes, context, _keep_history, (history, span)) as pool:
        for episodes in pool.map(_replay_here, models):
            add(episodes)
    return found


_history: list[tuple[LoggedHistory, Span]] = []
"""Of this worker: sent once, not with every chunk."""


def _keep_history(history: LoggedHistory, span: Span) -> None:
    _history[:] = [(history, span)]


def _replay_here(model: Model) -> dict[str, tuple[ReplayedEpisode, ...]]:
    return replay_rules(model, *_history[0])


def _with_rules(model: Model, settings: Sequence[Setting]) -> Model:
    """The model with these rules alone, each under its place as name. Nothing is muted, since a mute hides no alert and
    depends on other rules; and nothing is rolled back."""
    rules = tuple(replace(setting.rule, name=f"setting-{place}") for place, setting in enumerate(settings))
    return replace(model, rules=rules, silences=(), inhibitions=(), workflows=(), release=None)


def _add_held_out(
    found: Suggestion,
    model: Model,
    history: LoggedHistory,
    span: Span,
    incidents: Sequence[MarkedIncident],
    options: TuningOptions,
) -> Suggestion:
    """The present setting, and the chosen one, on the span that nothing was chosen by."""
    settings = [found.tried[0].setting]
    if found.changes_something and found.chosen is not None:
        settings.append(found.chosen)
    scores = []
    for setting in settings:
        own = _with_rules(model, [setting])
        alerts = [one for one in replay_alerts(own, history, span) if one.rule == own.rules[0].name]
        score = score_alerts(alerts, incidents, span, options.margin)
        scores.append(HeldOutScore(score, poisson_upper(score.false_alerts, score.exposure)))
    chosen = scores[-1] if found.chosen is not None else None
    return replace(found, present_held_out=scores[0], chosen_held_out=chosen)
