"""Judges the history of models at each evaluation of a span, as a live evaluation would have.

One pass judges a block of evaluations (see ``blocks``). Rules that found something bad there are verified: a pass at
the first evaluation of the block, and at those with which an alert begins or ends, has to find what the one at the end
found until then; a rule for which it does not is judged by blocks half as long. Where no alert is pending, fires or has
just ended, and nothing waits at GitHub or PagerDuty, an evaluation needs no more.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from ..alerts.builtin_rules import TRAINING_TIMEOUT, derive_health_tracks, derive_release_tracks, source_rule_name
from ..alerts.causes import find_causes, unsettled_groups
from ..alerts.divergence import BUSINESS_KIND
from ..alerts.grouping import judge_model
from ..alerts.state_machine import RESOLVED_RETENTION, alert_stretches
from ..evaluate.explanation.explainer import explain
from ..model.alert import BUILT_IN_RULES, Alert, AlertState, Group, Judgement, SourceFailure, fingerprint
from ..model.explanation import Explanation
from ..model.finding import Cause, ModelFindings, Track
from ..model.monitored_model import Config, Model
from ..model.series import FailureScope, PulledSeries
from ..model.unit import can_be_withheld
from ..report.next_steps import version_lead
from ..stats.arrays import Bools
from ..timeutil import WEEK
from .block_pool import BlockQueue
from .blocks import cut_blocks, deployments_until
from .judged_block import JudgedBlock
from .logged_history import LoggedHistory
from .passes import cut_track, run_pass, track_rows
from .world import WatchedGroup

_NEVER_WATCHED = (Cause.NO_DATA_YET.code, Cause.NOTHING_WATCHED.code)


@dataclass(slots=True)
class _OpenBlock:
    """A block while its evaluations are gone through."""

    block: JudgedBlock
    loud: dict[str, Bools]
    """By rule the evaluations of the block, from its first one on, that have an alert of it, or of a built-in rule
    about it."""


@dataclass(frozen=True, slots=True)
class OpenQuestions:
    """Rules of one model about which a plan needs to know more, besides which versions were healthy."""

    explained: set[str] = field(default_factory=set)
    """Their explanation matters: to the causes that groups share, to which alert describes a group, to whether it began
    with a version."""
    exactly: set[str] = field(default_factory=set)
    """Whether they got worse gradually matters, which only a pass of then knows: to whether a page waits for working
    hours, and to what began with a version."""


class ModelJudge:
    """One model through the evaluations at ``times``, in their order."""

    def __init__(
        self, history: LoggedHistory, times: Sequence[float], executor: ProcessPoolExecutor | None = None
    ) -> None:
        self.history, self.model, self.times = history, history.model, times
        self._configured = {rule.name for rule in self.model.rules}
        self.rolls_back = self.model.release is not None or self.model.workflow("rollback") is not None
        """Whether it matters which versions were healthy, whenever an alert fires."""
        measured = (rule.name for rule in self.model.rules if not can_be_withheld(rule.metric))
        self._measured_rule = next(measured, "")
        self.business_rules = {rule.name for rule in self.model.rules if rule.kind == BUSINESS_KIND}
        self._queues = [
            BlockQueue(history, rules, times, deque(blocks), executor)
            for rules, blocks in cut_blocks(history, times).items()
        ]
        self._open: list[_OpenBlock] = []
        self._ahead: list[JudgedBlock] = []

    def advance(self, place: int) -> None:
        """Judge what the evaluation at ``place`` needs."""
        self._open = [one for one in self._open if one.block.last >= place]
        for queue in self._queues:
            self._ahead += queue.take(place)
        begun = [block for block in self._ahead if block.first <= place]
        self._ahead = [block for block in self._ahead if block.first > place]
        self._open += [_OpenBlock(block, self._loud(block)) for block in begun]

    @property
    def error(self) -> str:
        """Why the model cannot be judged at the present evaluation; empty where it can."""
        return next((one.block.error for one in self._open if one.block.error), "")

    def loud_rules(self, place: int) -> set[str]:
        """The rules of which an alert, or one of a built-in rule about them, is pending, fires or has just ended."""
        return {rule for one in self._open for rule, places in one.loud.items() if places[place - one.block.first]}

    def has_release_alerts(self, place: int) -> bool:
        """Whether a built-in rule about moves can have an alert."""
        now, registry = self.times[place], self.history.registry
        if registry is None or not self._open:
            return False
        moves = [move for move in registry.moves if move.at <= now]
        if not any(move.at > now - self.model.history - WEEK - TRAINING_TIMEOUT for move in moves):
            return False
        return bool(derive_release_tracks(self.model.with_whole_history(now), self._pull(now).moves, now))

    def rules_behind(self, fingerprints: Collection[str]) -> set[str]:
        """The configured rules that alerts of built-in rules are about."""
        found = set()
        for one in self._open:
            for tracks in one.block.end.tracks.values():
                for track in tracks:
                    labels = tuple(sorted((*track.labels, ("rule", track.rule.name))))
                    names = (fingerprint(track.model, rule, labels) for rule in BUILT_IN_RULES)
                    if any(name in fingerprints for name in names):
                        found.add(track.rule.name)
        return found

    def judge(self, place: int, rules: Collection[str], questions: OpenQuestions | None = None) -> list[Group]:
        """The groups of ``rules``, and of the built-in rules as far as they are about these, with the answers to what
        is open."""
        now = self.times[place]
        model = self.model.with_whole_history(now)
        pull = self._pull(now)
        explained, exactly = (questions.explained, questions.exactly) if questions else (set[str](), set[str]())
        needs_health = questions is not None and (bool(exactly) or self.rolls_back)
        tracks = self._tracks(model, now, None if needs_health else rules)
        if exactly:
            again = run_pass(self.history, [rule for rule in model.rules if rule.name in exactly], now)
            tracks |= {name: list(own) for name, own in again.tracks.items()}

        def explain_some(
            own: Sequence[Track], alerts: Sequence[Alert], every: Sequence[Track], known: PulledSeries
        ) -> Explanation | None:
            return explain(own, alerts, every, known) if own and own[0].rule.name in explained else None

        every = [track for rule in model.rules for track in tracks.get(rule.name, ())]
        found = ModelFindings(tuple(track for track in every if track.rule.name in rules))
        # Where not every rule can be withheld, silence of those that can be is no alert: one of the others stays.
        brief = replace(model, rules=tuple(r for r in model.rules if r.name in rules or r.name == self._measured_rule))
        judged = every if needs_health else ()
        groups = judge_model(brief, found, pull, now, explain_some, judged, is_shown=False)
        return [group for group in groups if group.rule in rules or group.rule not in self._configured]

    def _pull(self, now: float) -> PulledSeries:
        """What the evaluation pulled, but for points that came after it."""
        # Of a key that rules with different lags read, the least is known where the block ends first.
        blocks = sorted((one.block for one in self._open), key=lambda block: -block.last)
        pull = blocks[-1].end.pull
        series = {(series.name, series.labels): series for block in blocks for series in block.end.pull.series}
        deployments = deployments_until(pull.deployments, now)
        versions = {deployment.version for deployment in deployments}
        return replace(
            pull,
            series=tuple(series.values()),
            deployments=deployments,
            starts=tuple(start for start in pull.starts if start.since <= now),
            rolled_back=tuple(pair for pair in pull.rolled_back if pair[0] in versions),
        )

    def _tracks(self, model: Model, now: float, rules: Collection[str] | None) -> dict[str, list[Track]]:
        return {
            rule.name: [cut_track(track, track_rows(track, model, now)) for track in one.block.end.tracks[rule.name]]
            for one in self._open
            for rule in one.block.rules
            if rules is None or rule.name in rules
        }

    def _loud(self, block: JudgedBlock) -> dict[str, Bools]:
        """See ``_OpenBlock``."""
        loud = {rule.name: np.zeros(block.last - block.first + 1, bool) for rule in block.rules}
        if block.error:
            return loud
        now = np.asarray(self.times[block.first : block.last + 1])
        tracks = [track for rule in block.rules for track in block.end.tracks[rule.name]]
        for track in tracks:
            if track.cause and track.cause[-1] in _NEVER_WATCHED:
                loud[track.rule.name][:] = True
        first_model = self.model.with_whole_history(self.times[block.first])
        derived = self._derived(tracks, first_model, self.times[block.first])
        for track, name in [*((track, track.rule.name) for track in tracks), *derived]:
            for stretch in alert_stretches(track):
                rule = track.rule
                row = np.floor((now - rule.label_age - rule.lag) / rule.every) - round(track.grid.start / rule.every)
                inside = (row >= stretch.first) & (row <= stretch.last)
                if stretch.end is not None:
                    inside |= (row >= stretch.first) & (now - RESOLVED_RETENTION < stretch.end)
                loud[name] |= inside
        return loud

    def _derived(self, tracks: Sequence[Track], model: Model, first: float) -> Iterator[tuple[Track, str]]:
        """The tracks of built-in rules that have a breach, or can have had one when only a part of the history was
        known, with the rules that they are about."""
        known = []
        for track in tracks:
            rows, young = track_rows(track, model, first), Cause.TOO_YOUNG.code
            if young in track.cause[rows:]:
                causes = (Cause.NONE.code if why == young else why for why in track.cause[rows:])
                track = replace(track, cause=array("b", [*track.cause[:rows], *causes]))
            known.append(track)
        settings = [known]
        if any(any(track.implausible) and 1 in track.improved for track in known):
            settings.append([replace(track, improved=array("b", bytes(track.grid.count))) for track in known])
        for setting in settings:
            for own in derive_health_tracks(model, setting)[0].values():
                yield from ((track, source_rule_name(track.labels)) for track in own)


class SpanJudge:
    """All models through the evaluations at ``times``, in their order."""

    def __init__(
        self,
        config: Config,
        histories: Mapping[str, LoggedHistory],
        times: Sequence[float],
        executor: ProcessPoolExecutor | None = None,
    ) -> None:
        self._config, self._times = config, times
        self._models = {model.name: ModelJudge(histories[model.name], times, executor) for model in config.models}

    def judge(self, place: int, watched: Sequence[WatchedGroup] = (), *, explains: bool = True) -> Judgement | None:
        """What the evaluation at ``place`` finds about groups that are not quiet, and about those in ``watched``;
        ``None``: nothing. Explanations, and the causes that groups share, matter where something is planned only."""
        needed: dict[str, set[str]] = {}
        failures = []
        for name, model in self._models.items():
            model.advance(place)
            if model.error:
                failures.append(SourceFailure(name, model.error, FailureScope.DATA))
                continue
            own = [group for group in watched if group.model == name]
            rules = model.loud_rules(place)
            rules |= {group.rule for group in own}
            built_in = {one for group in own if group.rule in BUILT_IN_RULES for one in group.fingerprints}
            rules |= model.rules_behind(built_in) if built_in else set()
            if rules or own or model.has_release_alerts(place):
                business = model.business_rules & rules
                needed[name] = {rule.name for rule in model.model.rules} if business else rules
        if not needed and not failures:
            return None
        groups = {name: self._models[name].judge(place, rules) for name, rules in needed.items()}
        every = [group for own in groups.values() for group in own]
        for name, questions in (self._open_questions(every, watched) if explains else {}).items():
            groups[name] = self._models[name].judge(place, needed[name], questions)
        every = [group for own in groups.values() for group in own]
        causes = find_causes(self._config, every) if explains else ()
        return Judgement(self._times[place], self._config.digest, tuple(every), tuple(failures), causes=causes)

    def _open_questions(self, groups: Sequence[Group], watched: Sequence[WatchedGroup]) -> dict[str, OpenQuestions]:
        """By model what else is to be known before anything is planned."""
        leaders = {group.key: group.leader for group in watched if group.leader}
        registers = {group.key: group.register for group in watched if group.register is not None}
        keys = unsettled_groups(self._config, groups, leaders)
        found: dict[str, OpenQuestions] = {}
        for group in groups:
            if group.state is not AlertState.FIRING or group.built_in:
                continue
            waits = self._models[group.model].model.hours is not None
            leads = any(version_lead(group, register) is not None for register in (None, registers.get(group.key)))
            # By its segments an explanation says which alert of several describes the group.
            several = len(group.alerts) > 1 and any(alert.labels for alert in group.alerts)
            exactly = waits or (leads and bool(group.evidence.previous))
            if self._models[group.model].rolls_back:
                found.setdefault(group.model, OpenQuestions())
            if group.key in keys or several or exactly:
                questions = found.setdefault(group.model, OpenQuestions())
                questions.explained.add(group.rule)
                questions.exactly.update([group.rule] if exactly else ())
        return found
