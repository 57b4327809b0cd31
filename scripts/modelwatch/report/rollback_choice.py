"""Ranks the versions to roll back to: the newest healthy one first that does not share the cause of the failure.

Issue, page, ``diagnose``, ``release status`` and the plan ask here, so they agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..model.alert import ROLLBACK_FAILED, AlertState, Group
from ..model.register import FALSE_POSITIVE, Register
from ..model.release import PREVIOUS, PRODUCTION, MoveVerb, Registry, Version
from ..model.unit import ESTIMATE
from ..model.version_health import RollbackCandidate, VersionFailure, VersionHealth, healthy_names
from .formatting import count, duration, labels_text, utc_time
from .markdown import code, table

ROLLBACK_KINDS = frozenset(
    ["accuracy-drop", "segment-drop", "calibration", "prediction-drift", "business-metric", "latency", "error-rate"]
)
"""Kinds that an earlier version can fix; data and labels do not depend on the version that serves."""
NO_HEALTHY_VERSION = "no healthy version is on record under the same rules"
ALREADY_SERVES = "is in production already; wait for its metrics"
MAX_CANDIDATES = 10
MAX_REASON = 300


@dataclass(frozen=True, slots=True)
class RollbackChoice:
    """The versions that could be rolled back to, latest service first."""

    candidates: tuple[RollbackCandidate, ...]

    @property
    def target(self) -> str:
        """The version to roll back to; empty where none will do."""
        return next((candidate.version for candidate in self.candidates if not candidate.objection), "")

    @property
    def reason(self) -> str:
        """Why each version later than the target will not do, in one line; empty where the first will do."""
        texts = []
        for candidate in self.candidates:
            if not candidate.objection:
                break
            texts.append(f"{candidate.title} {candidate.objection}")
        return "; ".join(texts)

    @property
    def ranked(self) -> tuple[RollbackCandidate, ...]:
        """Those that will do first."""
        return tuple(sorted(self.candidates, key=lambda candidate: bool(candidate.objection)))


def is_fixed_by_rollback(group: Group) -> bool:
    """Whether an earlier version can fix it. An estimate does not prove that anything is broken."""
    return group.kind in ROLLBACK_KINDS and group.unit != ESTIMATE


def choose_rollback_target(registry: Registry | None, failing: str, health: Sequence[VersionHealth]) -> RollbackChoice:
    """The versions to roll back to from ``failing``, each with what speaks against it.

    ``health``: the records of versions, by their names in the history of metrics. Without a registry nothing else is
    known.
    """
    if registry is None:
        others = [record for record in health if record.version != failing and record.until is not None]
        return RollbackChoice(
            tuple(
                RollbackCandidate(record.version, record.version, _record_objection(record), record_text(record))
                for record in others
            )
        )
    candidates = []
    for version in _candidates(registry, health):
        record = _record_of(version, health)
        objection = unfit_reason(version, registry, failing, health)
        text = record_text(record) if record else ""
        candidates.append(RollbackCandidate(version.name, version.title, objection, text))
    return RollbackChoice(tuple(candidates))


def add_rollback_choice(group: Group, registry: Registry | None, registers: Iterable[Register | None]) -> Group:
    """``group`` with the versions that could be rolled back to, if it fires and an earlier version can fix it.

    ``registers``: those of the model's issues, with the verdicts of people.
    """
    evidence = group.evidence
    fixable = is_fixed_by_rollback(group) or group.kind == ROLLBACK_FAILED or "rollback" in group.do
    if group.state is not AlertState.FIRING or not evidence.health or not fixable:
        return group
    health = excuse_false_positives(evidence.health, registers)
    choice = choose_rollback_target(registry, evidence.version, health)
    names = known_healthy_names(registry, evidence.version, health)
    return replace(group, evidence=replace(evidence, health=health, previous=names, rollback=choice.candidates))


def known_healthy_names(registry: Registry | None, failing: str, health: Sequence[VersionHealth]) -> tuple[str, ...]:
    """Versions that were healthy, newest service first; none that is unknown to a registry which knows others, such as
    the fallback of a degraded model."""
    names = healthy_names(health, failing)
    if registry is None or not any(registry.version(record.version) for record in health):
        return names
    return tuple(name for name in names if registry.version(name))


def unfit_reason(version: Version, registry: Registry, failing: str, health: Sequence[VersionHealth]) -> str:
    """Why ``version`` cannot be rolled back to; empty where it can."""
    current = registry.holder(PRODUCTION)
    bad = registry.version(failing) or current
    if version == current and (version != bad or _was_rolled_back_to(version, registry)):
        return ALREADY_SERVES
    if bad is not None and version.name == bad.name:
        return "is the version that just failed"
    if not version.available:
        return "is no longer available: its files are deleted"
    reasons = registry.rolled_back
    if version.name in reasons:
        return f"was itself rolled back: {reasons[version.name]}"
    if cause := _shared_cause(version, bad):
        return f"shares the likely cause: {cause}"
    return _record_objection(_record_of(version, health))


def _was_rolled_back_to(version: Version, registry: Registry) -> bool:
    """Whether the last deployment was a rollback to it: what fired before is not its failure."""
    last = next(iter(registry.deployments), None)
    return last is not None and last.verb is MoveVerb.ROLLBACK and last.target == version.name


def _record_of(version: Version, health: Sequence[VersionHealth]) -> VersionHealth | None:
    return next((record for record in health if version.is_called(record.version)), None)


def _record_objection(record: VersionHealth | None) -> str:
    if record is not None and record.failures:
        worst = max(record.failures, key=lambda failure: (failure.severity.code, failure.until))
        return f"was not healthy while it served: {failure_text(worst)}"
    if record is not None and record.rolled_back:
        return f"was itself rolled back: {record.rolled_back}"
    if record is None or not record.judged:
        return "has no record of being healthy under the same rules while it served"
    return ""


def failure_text(failure: VersionFailure) -> str:
    """``accuracy (region=eu) was critical from 2026-11-03 10:00 UTC to 2026-11-04 02:00 UTC``"""
    where = f" ({labels_text(failure.labels)})" if failure.labels else ""
    return f"{failure.rule}{where} was {failure.severity} from {utc_time(failure.since)} to {utc_time(failure.until)}"


def record_text(record: VersionHealth) -> str:
    """``served 12 d until 2026-11-03 10:00 UTC, judged 280 times, 1 alert explained by its data``"""
    parts = []
    if record.until is not None:
        least = "at least " if record.at_least else ""
        parts.append(f"served {least}{duration(record.until - record.since)} until {utc_time(record.until)}")
    if record.judged:
        parts.append(f"judged {count(record.judged)} times")
    if record.excused:
        parts.append(f"{record.excused} alert{'s' if record.excused > 1 else ''} explained by its data")
    return ", ".join(parts)


def excuse_false_positives(
    health: Sequence[VersionHealth], registers: Iterable[Register | None]
) -> tuple[VersionHealth, ...]:
    """``health`` without the alerts that a person called false positives, once they are over: a version that serves in
    an alert which still fires, and the one before it, are not healthy on somebody's word."""
    verdicts = [
        (register.rule, register.start, register.closed)
        for register in registers
        if register is not None and register.verdict == FALSE_POSITIVE and register.closed is not None
    ]

    def is_excused(failure: VersionFailure) -> bool:
        return any(
            rule == failure.rule and failure.until >= start and failure.since <= closed
            for rule, start, closed in verdicts
        )

    records = []
    for record in health:
        failures = tuple(failure for failure in record.failures if not is_excused(failure))
        excused = record.excused + len(record.failures) - len(failures)
        records.append(replace(record, failures=failures, excused=excused))
    return tuple(records)


def candidate_rows(candidates: Sequence[RollbackCandidate]) -> list[tuple[str, str, str]]:
    """(rank, version, reason) of each, the fit ones first; texts as they are, not escaped."""
    rows = []
    for rank, candidate in enumerate(sorted(candidates, key=lambda one: bool(one.objection)), start=1):
        reason = f"healthy: {candidate.record}" if not candidate.objection else f"no: it {candidate.objection}"
        rows.append(("–" if candidate.objection else str(rank), candidate.title, reason.rstrip(": ")))
    return rows[:MAX_CANDIDATES]


def candidates_json(candidates: Sequence[RollbackCandidate]) -> list[dict[str, Any]]:
    return [
        {"version": one.version, "title": one.title, "fit": not one.objection, "reason": one.objection or one.record}
        for one in candidates
    ]


def candidate_table(candidates: Sequence[RollbackCandidate]) -> str:
    """The ranking as a Markdown table."""
    rows = [(rank, code(title), code(reason, MAX_REASON)) for rank, title, reason in candidate_rows(candidates)]
    return table(("Rank", "Version", "Why"), rows)


def _candidates(registry: Registry, health: Sequence[VersionHealth]) -> Iterator[Version]:
    """Versions that served, the latest first; then the one with the alias ``previous``, if no move has recorded it.
    Before the first move the history of metrics says which served."""
    versions = [*map(registry.version, registry.served_versions), registry.holder(PREVIOUS)]
    if not registry.deployments:
        versions += [registry.version(record.version) for record in health]
    current = registry.holder(PRODUCTION)
    unique = {version.name: version for version in versions if version is not None and version != current}
    yield from unique.values()


def _shared_cause(version: Version, bad: Version | None) -> str:
    if bad is None:
        return ""
    causes = []
    if version.data and version.data == bad.data:
        causes.append(f"trained on the same data ({version.data})")
    if version.commit and version.commit == bad.commit:
        causes.append(f"built from the same commit ({version.commit[:12]})")
    return ", ".join(causes)
