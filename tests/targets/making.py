"""Groups, registers and observations for the tests of this package, and a world in memory that plans are applied to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from modelwatch.alerts.grouping import judge_models
from modelwatch.model.alert import Judgement, group_key
from modelwatch.model.finding import ModelFindings
from modelwatch.model.monitored_model import Config, GitHubSpec, Model, PagerDutySpec, WorkflowSpec
from modelwatch.model.plan import (
    Change,
    ChangeKind,
    Command,
    ModelObservation,
    ObservationError,
    ObservedIncident,
    ObservedIssue,
    ObservedRun,
    Plan,
)
from modelwatch.model.register import DispatchRecord, DispatchState, PageRecord, Register
from modelwatch.model.rule import Mode, Rule
from modelwatch.model.secret import Secret
from modelwatch.model.series import Deployment, PulledSeries
from modelwatch.model.target import Target
from modelwatch.targets.plan import make_plan

from ..alerts.making import at, rule, tier, track, unexplained

MINUTE = 60.0
RULE = rule(
    tiers=(
        tier("info", ("issue",)),
        tier("warning", ("issue", "retrain")),
        tier("error", ("issue", "page")),
        tier("critical", ("issue", "page", "retrain", "rollback")),
    )
)
GROUP = group_key("churn", "accuracy")
RETRAIN = WorkflowSpec("retrain", "retrain.yml")
ROLLBACK = WorkflowSpec("rollback", "rollback.yml", automatic=365 * 86_400.0)
"""By itself at any time; what the first hours after a deployment mean has tests of its own."""


def model(*rules: Rule, **more: Any) -> Model:
    given: dict[str, Any] = {
        "github": GitHubSpec("acme/churn"),
        "pagerduty": PagerDutySpec(Secret("KEY", "k" * 32)),
        "workflows": (RETRAIN, ROLLBACK),
    }
    return Model("churn", rules or (RULE,), **(given | more))


def config(*rules: Rule, **more: Any) -> Config:
    return Config((model(*rules, **more),), "c1")


def judged(text: str, of: Config, **others: str) -> Judgement:
    """The judgement of ``text`` (see ``tests.alerts.making``) for the first rule; ``others`` by name of their rule.

    Version v1 served the first hour, v2 has served since.
    """
    texts = {of.models[0].rules[0].name: text, **others}
    versions = {"versions": ("v1", "v2"), "version": [0] + [1] * (len(text) - 1)}
    tracks = tuple(track(texts[r.name], r, **versions) for r in of.models[0].rules if r.name in texts)  # type: ignore[arg-type]
    pull = PulledSeries("churn", (), (Deployment("v1", at(0)), Deployment("v2", at(1))))
    return judge_models(of, {"churn": ModelFindings(tracks)}, {"churn": pull}, later(text), unexplained)


def later(text: str) -> float:
    """One minute after the last finding of ``text``."""
    return at(len(text) - 1) + MINUTE


def register(**more: Any) -> Register:
    from modelwatch.model.severity import Severity

    given: dict[str, Any] = {
        "group": GROUP,
        "model": "churn",
        "rule": "accuracy",
        "episode": 1,
        "start": at(1),
        "severity": Severity.ERROR,
        "peak": Severity.ERROR,
        "config": "d1",
        "config_since": at(1),
        "told": at(1),
    }
    return Register(**(given | more))


def issue(of: Register | None, number: int = 1, **more: Any) -> ObservedIssue:
    given: dict[str, Any] = {
        "number": number,
        "url": f"https://x.example/{number}",
        "group": GROUP,
        "state": "open",
        "state_reason": "",
        "closed_at": None,
        "created_at": at(1),
        "author": "bot",
        "body_digest": "b0",
        "register": of,
        "closed_by": "ada",
        "closer_may_mute": True,
    }
    return ObservedIssue(**(given | more))


def seen(*issues: ObservedIssue, **more: Any) -> dict[str, ModelObservation]:
    return {"churn": ModelObservation("churn", tuple(issues), **more)}


def kinds(plan: Plan) -> list[str]:
    return [str(change.kind) for change in plan.changes]


def skipped(plan: Plan, what: str) -> str:
    """The reasons why ``what`` was not done."""
    return " | ".join(f"[{skip.guard}] {skip.reason}" for skip in plan.skips if skip.what == what)


class CrashError(Exception):
    """The process was killed here."""


class DownError(Exception):
    """The target does not answer."""


@dataclass
class Incident:
    state: str
    created: float
    changed: float
    by_person: bool = False


@dataclass
class World:
    """GitHub and PagerDuty as far as planning sees them. ``apply`` does what DESIGN says of it, request by request."""

    config: Config
    rest: bool = False
    issues: dict[int, ObservedIssue] = field(default_factory=dict)
    notes: dict[int, list[str]] = field(default_factory=dict)
    runs: list[ObservedRun] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    paged: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """Keys of the dispatches whose end the incident was told."""
    log: list[str] = field(default_factory=list)
    budget: int = 10**9
    """Requests until the crash."""
    down: frozenset[Target] = frozenset()
    hidden: bool = False
    """Workflow runs are not listed yet."""

    def observe(self) -> dict[str, ModelObservation]:
        if Target.ISSUE in self.down:
            troubles = tuple(ObservationError(target, "503") for target in (Target.ISSUE, Target.DISPATCH))
            return {"churn": ModelObservation("churn", incidents=self._incidents(), errors=troubles)}
        runs = () if self.hidden else tuple(self.runs)
        return {"churn": ModelObservation("churn", tuple(self.issues.values()), runs, self._incidents())}

    def _incidents(self) -> tuple[ObservedIncident, ...] | None:
        if not self.rest:
            return None
        return tuple(
            ObservedIncident(GROUP, i.state, "", i.created, i.changed, i.by_person) for i in self.incidents[-1:]
        )

    def plan(self, text: str, now: float | None = None) -> Plan:
        when = later(text) if now is None else now
        return make_plan(judged(text, self.config), self.config, self.observe(), when)

    def evaluate(self, text: str, now: float | None = None) -> Plan:
        """Plan and apply; a crash ends the application, as it would."""
        plan = self.plan(text, now)
        try:
            self.apply(plan)
        except CrashError:
            self.budget = 10**9
        return plan

    def _request(self, target: Target) -> None:
        if target in self.down:
            raise DownError
        if self.budget <= 0:
            raise CrashError
        self.budget -= 1

    def apply(self, plan: Plan) -> None:
        for _, changes in groupby(plan.changes, key=lambda change: change.group):
            self._apply_group(tuple(changes), plan.at)

    def _apply_group(self, changes: tuple[Change, ...], now: float) -> None:
        number: int | None = None
        page: PageRecord | None = None
        sent: list[DispatchRecord] = []
        blocked = False
        for change in changes:
            self.log.append(f"{change.kind}")
            number = change.expect.issue or number
            try:
                if change.kind.target is Target.ISSUE:
                    number = self._issue(change, now)
                elif change.kind.target is Target.PAGE:
                    page = self._page(change, now, number) or page
                elif not blocked:
                    sent.append(self._dispatch(change, now, number))
            except DownError:
                blocked |= change.kind.target is Target.ISSUE
        if number is not None and (page or sent or self.told):
            try:
                self._record(number, page, sent)
            except DownError:
                return

    def _issue(self, change: Change, now: float) -> int:
        assert change.register is not None
        number = change.expect.issue or len(self.issues) + 1
        if change.kind is ChangeKind.OPEN_ISSUE:
            self._request(Target.ISSUE)
            self.issues[number] = issue(change.register, number, created_at=now, group=change.group)
            self.notes[number] = [note.key for note in change.notes]
            return number
        old = self.issues[number]
        assert (old.body_digest, old.state) == (change.expect.body_digest, change.expect.issue_state)
        for note in change.notes:
            if note.key not in self.notes[number]:
                self._request(Target.ISSUE)
                self.notes[number].append(note.key)
        self._request(Target.ISSUE)
        fields: dict[str, Any] = {}
        if change.kind is not ChangeKind.CLOSE_DUPLICATE:
            fields |= {"register": change.register, "body_digest": old.body_digest + "'"}
            commands = tuple(c for c in old.commands if c.comment not in change.register.commands)
            fields |= {"commands": commands}
        if change.kind is ChangeKind.REOPEN_ISSUE:
            fields |= {"state": "open", "closed_at": None, "state_reason": "reopened"}
        if change.kind in (ChangeKind.CLOSE_ISSUE, ChangeKind.CLOSE_DUPLICATE):
            reason = "completed" if change.kind is ChangeKind.CLOSE_ISSUE else "duplicate"
            fields |= {"state": "closed", "closed_at": now, "state_reason": reason}
        self.issues[number] = replace(old, **fields)
        return number

    def _page(self, change: Change, now: float, number: int | None) -> PageRecord | None:
        self._request(Target.PAGE)
        if change.kind is ChangeKind.TELL_INCIDENT:
            self.told.append(change.about)
            return None
        current = self.incidents[-1] if self.incidents and self.incidents[-1].state != "resolved" else None
        if change.kind is ChangeKind.TRIGGER_INCIDENT:
            self.paged.append(str(change.severity))
            if current is None:
                self.incidents.append(Incident("triggered", now, now))
            return PageRecord("triggered", change.severity, now)
        if current is not None:
            current.state, current.changed, current.by_person = "resolved", now, False
        return PageRecord("resolved", change.severity, now)

    def _dispatch(self, change: Change, now: float, number: int | None) -> DispatchRecord:
        assert change.dispatch is not None
        assert number is not None, "the intent stands on an issue"
        held = self.issues[number].register
        assert held is not None
        record = next(record for record in held.dispatches if record.key == change.dispatch.key)
        assert record.state is DispatchState.INTENDED
        assert self.issues[number].state == "open"
        self._request(Target.DISPATCH)
        key, verb = change.dispatch.key, change.dispatch.verb
        run = ObservedRun(len(self.runs) + 1, "", key, verb, "churn", "queued", "", now)
        self.runs.append(run)
        return replace(record, state=DispatchState.SENT, run_id=run.id)

    def _record(self, number: int, page: PageRecord | None, sent: Sequence[DispatchRecord]) -> None:
        self._request(Target.ISSUE)
        old = self.issues[number]
        assert old.register is not None
        records = {record.key: record for record in sent}
        register = replace(
            old.register,
            page=page or old.register.page,
            dispatches=tuple(
                replace(records.get(record.key, record), told=record.told or record.key in self.told)
                for record in old.register.dispatches
            ),
        )
        self.issues[number] = replace(old, register=register, body_digest=old.body_digest + "r")

    # --- people and time

    def newest(self) -> ObservedIssue | None:
        return self.issues[max(self.issues)] if self.issues else None

    def close(self, now: float, reason: str = "completed") -> None:
        found = self.newest()
        if found is not None and found.state == "open":
            self.issues[found.number] = replace(found, state="closed", closed_at=now, state_reason=reason)

    def reopen(self) -> None:
        found = self.newest()
        if found is not None and found.state == "closed":
            self.issues[found.number] = replace(found, state="open", closed_at=None, state_reason="reopened")

    def comment(self, now: float, verb: str, argument: str = "", allowed: bool = True) -> None:
        found = self.newest()
        if found is not None and found.state == "open":
            command = Command(int(now), "ada", now, verb, argument, allowed)
            self.issues[found.number] = replace(found, commands=(*found.commands, command))

    def resolve_by_hand(self, now: float) -> None:
        if self.incidents and self.incidents[-1].state != "resolved":
            self.incidents[-1] = Incident("resolved", self.incidents[-1].created, now, True)

    def finish_runs(self, conclusion: str = "success") -> None:
        self.runs = [replace(run, status="completed", conclusion=conclusion) for run in self.runs]

    @property
    def open_issues(self) -> list[ObservedIssue]:
        return [found for found in self.issues.values() if found.state == "open"]

    @property
    def open_incidents(self) -> list[Incident]:
        return [incident for incident in self.incidents if incident.state != "resolved"]


def act(*specs: WorkflowSpec) -> tuple[WorkflowSpec, ...]:
    return tuple(replace(spec, mode=Mode.ACT) for spec in specs)
