"""Which versions were healthy while they served: what an alert proves against one, and what it does not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress, groupby

from ..model.finding import Outcome, Track
from ..model.rule import Rule
from ..model.series import Deployment, ServiceStart, StartOrigin
from ..model.severity import Severity
from ..model.version_health import VersionFailure, VersionHealth

INPUT_KINDS = frozenset({"data-quality", "data-drift", "concept-drift", "label-drift", "label-delay", "label-quality"})
"""Kinds of rules about what goes into a model; every other rule is about the model."""
CHANCE, END_CHANCE = 0.001, 0.01
"""An alert proves nothing about a version if chance makes one as long at least this often: anywhere in the history, or
at the very moment when the version was replaced."""
MOSTLY = 0.5
"""A version in alert for this share of what was judged of it since its first whole window is bad, however short it
served."""

_DECIDED = frozenset((Outcome.OK.code, Outcome.BREACH.code))
_BREACH = Outcome.BREACH.code
_IS_DECIDED = bytes(code in _DECIDED for code in range(256))
_FAILING = Severity.ERROR.code


@dataclass(frozen=True, slots=True)
class BreachRun:
    """Findings that reached a tier long enough to fire, in one service of a version. Rows of the track."""

    version: int
    """Index into the track's versions."""
    first: int
    last: int
    streak: int
    """How many findings in a row reached the tier, at most."""
    recovered: bool
    """Whether it ended while the version served."""


def judge_versions(
    deployments: Sequence[Deployment],
    tracks: Sequence[Track],
    starts: Sequence[ServiceStart] = (),
    rolled_back: Iterable[tuple[str, str]] = (),
) -> tuple[VersionHealth, ...]:
    """The record of each version that served, newest service first, by every track of a model.

    An alert of error or worse counts against the version that served, unless it is of a rule about data, shorter than
    chance explains, or explained by an alert about the data that began later than the version did. So does a rollback:
    ``rolled_back`` is ``(version, reason)``.
    """
    if not deployments:
        return ()
    model_tracks = [track for track in tracks if track.rule.kind not in INPUT_KINDS]
    causes = list(_data_causes(tracks)) if model_tracks else []
    model_tracks = model_tracks or list(tracks)  # where there is no rule about the model, those about data have to do
    failures: dict[str, list[VersionFailure]] = {}
    excused: dict[str, int] = {}
    for track in model_tracks:
        for run in _damning_runs(track, len(model_tracks)):
            name = track.versions[run.version]
            if _is_explained(track, run, causes):
                excused[name] = excused.get(name, 0) + 1
            else:
                failures.setdefault(name, []).append(_failure(track, run))
    counts = _judged_counts(model_tracks)
    known = {(start.version, start.since): start for start in starts}
    reasons = dict(rolled_back)
    records = []
    for name, since, until in _last_services(deployments):
        start = known.get((name, since))
        record = VersionHealth(
            name,
            start.began if start else since,
            until,
            counts.get(name, 0),
            tuple(sorted(failures.get(name, ()), key=lambda failure: failure.since)),
            excused.get(name, 0),
            at_least=start is not None and start.origin is StartOrigin.EDGE,
            rolled_back=reasons.get(name, ""),
        )
        records.append(record)
    return tuple(records)


def recount_judgements(health: Sequence[VersionHealth], tracks: Sequence[Track]) -> tuple[VersionHealth, ...]:
    """``health`` with only the findings of ``tracks``, of one rule about the model, counted as judgements: what that
    rule never judged is not healthy under it."""
    if not any(track.rule.kind not in INPUT_KINDS for track in tracks):
        return tuple(health)
    counts = _judged_counts(tracks)
    return tuple(replace(record, judged=counts.get(record.version, 0)) for record in health)


def _last_services(deployments: Sequence[Deployment]) -> Iterator[tuple[str, float, float | None]]:
    """(version, since, until) of the last service of each, newest first."""
    ordered = sorted(deployments, key=lambda deployment: -deployment.since)
    seen: set[str] = set()
    until: float | None = None
    for deployment in ordered:
        if deployment.version and deployment.version not in seen:
            seen.add(deployment.version)
            yield deployment.version, deployment.since, until
        until = deployment.since


def _judged_counts(tracks: Sequence[Track]) -> dict[str, int]:
    """Decided findings by version: of the track that decided most."""
    counts: dict[str, int] = {}
    for track in tracks:
        decided = Counter(compress(track.version, track.outcome.tobytes().translate(_IS_DECIDED)))
        for version, count in decided.items():
            if version >= 0:
                name = track.versions[version]
                counts[name] = max(counts.get(name, 0), count)
    return counts


def breach_runs(track: Track, least: int) -> Iterator[BreachRun]:
    """Runs of findings that reached a tier with a code of ``least`` or more and fired, service by service: what a
    version before it did is not held against a version."""
    if _BREACH not in track.outcome.tobytes() or max(track.severity) < least:
        return
    decided = compress(range(len(track.outcome)), track.outcome.tobytes().translate(_IS_DECIDED))
    fresh = track.fresh
    counted = [row for row in decided if track.version[row] >= 0 and (not fresh or fresh[row])]
    for version, group in groupby(counted, key=track.version.__getitem__):
        rows = list(group)
        need = _findings_to_fire(track.rule, track.versions[version], least)
        yield from _service_runs(track, version, rows, need, least)


def _service_runs(track: Track, version: int, rows: Sequence[int], need: int, least: int) -> Iterator[BreachRun]:
    first, last, streak, longest, quiet, fired = -1, -1, 0, 0, 0, False
    for row in rows:
        if track.severity[row] >= least:
            first = row if not fired and not streak else first
            last, streak, quiet = row, streak + 1, 0
            longest = max(longest, streak) if fired else streak
            fired = fired or streak >= need
            continue
        streak, quiet = 0, quiet + 1
        if fired and quiet >= track.rule.hold:
            yield BreachRun(version, first, last, longest, recovered=True)
            fired = False
    if fired:
        yield BreachRun(version, first, last, longest, recovered=False)


def _findings_to_fire(rule: Rule, version: str, least: int) -> int:
    needs = [tier.for_ or rule.for_ for tier in rule.tiers_for(version) if tier.severity.code >= least]
    return max(1, min(needs, default=rule.for_))


def _damning_runs(track: Track, series: int) -> Iterator[BreachRun]:
    """The runs of error or worse that chance does not explain, in one of so many series.

    Windows overlap, so what counts is how many windows without common data reached the tier. With k other runs in n
    such windows that did not, a window reaches it by chance with a probability of k/n, and a run of m with its m-th
    power: at the end of a version's service, and n times as often anywhere. Two windows are too few for a rule without
    a budget of false alarms, however seldom its others reached the tier.
    """
    runs = list(breach_runs(track, _FAILING))
    if not runs:
        return
    is_decided = track.outcome.tobytes().translate(_IS_DECIDED)
    columns = (range(len(is_decided)), track.severity, track.version)
    findings = list(zip(*(compress(column, is_decided) for column in columns), strict=True))
    decided = Counter(version for _, _, version in findings)
    failing = Counter(version for _, severity, version in findings if severity >= _FAILING)
    per_finding = min(1.0, track.grid.step / track.rule.window)
    calm = (decided.total() - failing.total()) * per_finding
    onset = min(1.0, max(len(runs) - 1, 1) / (calm + 1.0))
    least = 2 if track.noise is not None else 3
    for run in runs:
        windows = math.ceil(run.streak * per_finding)
        places, limit = (max(1.0, calm), CHANCE) if run.recovered else (1.0, END_CHANCE)
        mostly = failing[run.version] >= MOSTLY * decided[run.version]
        own = [(row, severity) for row, severity, version in findings if version == run.version]
        # Of whole windows.
        if severities := [severity for row, severity in own if (row - own[0][0] + 1) * per_finding >= 1.0]:
            least_bad = _FAILING if run.recovered else 0  # replaced while it failed: its warnings were the beginning
            mostly = sum(severity >= least_bad for severity in severities) >= MOSTLY * len(severities)
        if mostly or (windows >= least and series * places * onset**windows < limit):
            yield run


def _failure(track: Track, run: BreachRun) -> VersionFailure:
    worst = max(track.severity[run.first : run.last + 1])
    since, until = track.grid.time(run.first), track.grid.time(run.last)
    return VersionFailure(track.rule.name, track.labels, Severity.from_code(worst), since, until)


@dataclass(frozen=True, slots=True)
class _DataCause:
    """An alert about data: the findings of one run, and the time that their windows cover."""

    since: float
    until: float
    reach: float
    """Seconds that bad data stay in a window of the rule, and until it has recovered."""


def _data_causes(tracks: Sequence[Track]) -> Iterator[_DataCause]:
    """Alerts of rules about data, of any severity, that began after a version did and ended before it: one that came
    and went with a version is of its making."""
    for track in tracks:
        if track.rule.kind not in INPUT_KINDS or not track.outcome:
            continue
        reach = track.rule.window + track.rule.hold * track.grid.step
        starts = _service_rows(track)
        for run in breach_runs(track, 0):
            began_with_version = run.first - starts[run.first] <= reach / track.grid.step
            if run.recovered or not began_with_version:
                yield _DataCause(track.grid.time(run.first), track.grid.time(run.last), reach)


def _service_rows(track: Track) -> list[int]:
    """Per row the first one of the same service."""
    starts, first = [], 0
    for row, version in enumerate(track.version):
        if row and version != track.version[row - 1]:
            first = row
        starts.append(first)
    return starts


def _is_explained(track: Track, run: BreachRun, causes: Sequence[_DataCause]) -> bool:
    """Whether it began while data were bad, and ended when its windows no longer held them."""
    since, until = track.grid.time(run.first), track.grid.time(run.last)
    window = track.rule.window + track.rule.hold * track.grid.step
    return run.recovered and any(
        cause.since - window <= since <= cause.until + window and until <= cause.until + cause.reach + window
        for cause in causes
    )
