"""Scores a replay: what each rule would have found and done, compared with what people marked.

Three definitions, on which every figure rests:

- **An alert detects an incident** at the first evaluation within it at which the alert fires or gets worse. Only then
  somebody learns something new. One that fired before the incident began and goes on is no detection, however right it
  looks: it would have fired without the incident, too. One that fires only after the end came too late for anybody.
- **An alert is about an incident** if it fired or got worse within it, or began within it and fired at most a week
  after its end. So one that comes too late is no detection, and no alert without a reason either.
- **An alert is false** if people said so of this rule at that time, and no marked incident that names the rule says
  otherwise. The more specific mark counts: an incident of the whole model does not clear a rule that people called
  wrong. Without a mark nothing is false: the alert is unmarked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import median

from ..model.backtest import (
    AlertVerdict,
    BacktestReport,
    FalseMark,
    IncidentScore,
    MarkedIncident,
    Marks,
    RuleScore,
    ScoredAlert,
)
from ..model.monitored_model import Config
from ..model.plan import ChangeKind
from ..report.sensitivity import unproven_budget
from ..timeutil import WEEK
from .result import ReplayedEffect, ReplayedEpisode, ReplayResult, Span

TOO_LATE = WEEK
"""An alert that fires so long (seconds) after an incident has ended has another reason, wherever its breach began."""


def score(config: Config, result: ReplayResult, marks: Marks) -> BacktestReport:
    """Score what ``config`` would have done. Marks outside of the span, or of other models, are left out."""
    models = tuple(model.name for model in config.models)
    failed = {model for model, _ in result.errors}
    marks, notes = _within(marks, result.span, models, failed)
    kinds = {(model.name, rule.name): rule.kind for model in config.models for rule in model.rules}
    for episode in result.episodes:
        kinds.setdefault((episode.model, episode.rule), episode.kind)
    for effect in result.effects:
        kinds.setdefault((effect.model, effect.rule), effect.rule)  # only built-in rules have no episode or rule
    incidents = tuple(
        _score_incident(incident, result) for incident in marks.incidents if not _is_cut(incident, result.span)
    )
    if open_ones := sum(not score.is_counted for score in incidents):
        notes.append(f"{_count(open_ones, 'marked incident')} under way at the end, and not found yet: not counted.")
    alerts = tuple(
        ScoredAlert(
            episode.model,
            episode.rule,
            episode.start,
            episode.fired,
            episode.end,
            episode.peak,
            _verdict(episode, marks),
        )
        for episode in sorted(result.episodes, key=lambda episode: (episode.fired, episode.model, episode.rule))
    )
    rules = tuple(
        _score_rule(RuleScore(*name, kind), alerts, incidents, result)
        for name, kind in kinds.items()
        if name[0] not in failed
    )
    return BacktestReport(
        config=result.config,
        since=result.span.since,
        until=result.span.until,
        every=result.span.every,
        evaluations=result.evaluations,
        models=models,
        rules=rules,
        incidents=incidents,
        alerts=alerts,
        marks=marks,
        errors=result.errors,
        notes=(*notes, *result.notes, *(note for model in config.models for note in unproven_budget(model))),
    )


def news_times(episode: ReplayedEpisode) -> tuple[float, ...]:
    """The evaluations at which an alert told something new: when it fired, and whenever it got worse than ever."""
    times, worst = [episode.fired], None
    for step in sorted(episode.steps, key=lambda step: step.time):
        if step.severity is None:
            continue
        if worst is not None and step.severity > worst and step.time > episode.fired:
            times.append(step.time)
        worst = step.severity if worst is None else max(worst, step.severity)
    return tuple(times)


def _is_cut(incident: MarkedIncident, span: Span) -> bool:
    """Whether it began before the replay: when it would have been found is then not known."""
    return incident.start < span.since


def _within(marks: Marks, span: Span, models: Sequence[str], failed: set[str]) -> tuple[Marks, list[str]]:
    """The marks of the models that were replayed, and that touch the span; notes about the others."""
    known = [mark for mark in marks.incidents if mark.model in models and mark.model not in failed]
    touching = tuple(mark for mark in known if mark.end >= span.since and mark.start <= span.until)
    notes = []
    if lost := sum(mark.model in failed for mark in marks.incidents):
        notes.append(f"{_count(lost, 'marked incident')} of models that could not be replayed: left out.")
    if outside := len(known) - len(touching):
        notes.append(f"{_count(outside, 'marked incident')} outside of the replayed time: left out.")
    if cut := sum(_is_cut(mark, span) for mark in touching):
        notes.append(f"{_count(cut, 'marked incident')} from before the replayed time: how soon found is not known.")
    false_marks = tuple(
        mark
        for mark in marks.false_marks
        if mark.model in models and mark.end >= span.since and mark.start <= span.until
    )
    return replace(marks, incidents=tuple(sorted(touching, key=_order)), false_marks=false_marks), notes


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _order(incident: MarkedIncident) -> tuple[float, str, str]:
    return incident.start, incident.model, incident.name


def _is_about(episode: ReplayedEpisode, incident: MarkedIncident) -> bool:
    """Whether the alert fired or got worse within the incident, or began within it and fired soon after, and is one of
    the rules that should find it."""
    if episode.model != incident.model or not incident.is_about(episode.rule):
        return False
    if incident.start <= episode.start <= incident.end and episode.fired <= incident.end + TOO_LATE:
        return True
    return any(incident.start <= time <= incident.end for time in news_times(episode))


def _verdict(episode: ReplayedEpisode, marks: Marks) -> AlertVerdict:
    about = [incident for incident in marks.incidents if _is_about(episode, incident)]
    if any(incident.rules for incident in about):
        return AlertVerdict.INCIDENT
    if any(_contradicts(mark, episode) for mark in marks.false_marks):
        return AlertVerdict.FALSE
    return AlertVerdict.INCIDENT if about else AlertVerdict.UNMARKED


def _contradicts(mark: FalseMark, episode: ReplayedEpisode) -> bool:
    if mark.model != episode.model or mark.rule not in ("", episode.rule):
        return False
    return episode.start <= mark.end and (episode.end is None or episode.end >= mark.start)


def _score_incident(incident: MarkedIncident, result: ReplayResult) -> IncidentScore:
    found: dict[str, float] = {}
    before: dict[str, None] = {}
    for episode in result.episodes:
        if episode.model != incident.model or not incident.is_about(episode.rule):
            continue
        times = [time for time in news_times(episode) if incident.start <= time <= incident.end]
        if times:
            found[episode.rule] = min([*times, found.get(episode.rule, times[0])])
        if episode.fired < incident.start and (episode.end is None or episode.end > incident.start):
            before[episode.rule] = None
    ordered = tuple(sorted(found.items(), key=lambda pair: (pair[1], pair[0])))
    calls = (
        effect.at
        for effect in result.effects
        if effect.model == incident.model
        and incident.is_about(effect.rule)
        and _is_call(effect)
        and incident.start <= effect.at <= incident.end
    )
    first = ordered[0] if ordered else ("", None)
    called = min(calls, default=None)
    return IncidentScore(
        incident, first[1], first[0], called, ordered, tuple(before), under_way=incident.end > result.span.until
    )


def _is_call(effect: ReplayedEffect) -> bool:
    return effect.kind is ChangeKind.TRIGGER_INCIDENT and effect.notifies


def _score_rule(
    blank: RuleScore, alerts: Iterable[ScoredAlert], incidents: Iterable[IncidentScore], result: ReplayResult
) -> RuleScore:
    own = [alert for alert in alerts if (alert.model, alert.rule) == (blank.model, blank.rule)]
    durations = [(result.span.until if alert.end is None else alert.end) - alert.fired for alert in own]
    marked = [score for score in incidents if score.incident.model == blank.model]
    delays = [at - score.incident.start for score in marked for rule, at in score.by_rule if rule == blank.rule]
    verdicts = Counter(alert.verdict for alert in own)
    effects = [effect for effect in result.effects if (effect.model, effect.rule) == (blank.model, blank.rule)]
    kinds = Counter(effect.kind for effect in effects)
    verbs = Counter(effect.verb for effect in effects if effect.kind is ChangeKind.DISPATCH_WORKFLOW)
    length = result.span.until - result.span.since
    return replace(
        blank,
        alerts=len(own),
        per_week=len(own) * WEEK / length if length > 0 else 0.0,
        median_duration=median(durations) if durations else None,
        longest_duration=max(durations, default=None),
        still_firing=any(alert.end is None for alert in own),
        detected=len(delays),
        missed=sum(
            blank.rule in score.incident.rules and blank.rule not in dict(score.by_rule) and not score.under_way
            for score in marked
        ),
        median_delay=median(delays) if delays else None,
        false_alarms=verdicts[AlertVerdict.FALSE],
        unmarked=verdicts[AlertVerdict.UNMARKED],
        issues=kinds[ChangeKind.OPEN_ISSUE] + kinds[ChangeKind.REOPEN_ISSUE],
        pages=sum(map(_is_call, effects)),
        dispatches=tuple(sorted(verbs.items())),
        proposals=sum(bool(effect.verb) and effect.kind is not ChangeKind.DISPATCH_WORKFLOW for effect in effects),
        messages=kinds[ChangeKind.SEND_MESSAGE],
    )
