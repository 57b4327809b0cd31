"""Simulates a long time of alerts of which everything is known: plans are made and applied against the stand-ins, and
people act there, so that the ledgers are as in production."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from modelwatch.clients.github import GitHubClient, github_retry_policy
from modelwatch.model.alert import AlertState, Group, HealthyStreak, Judgement, group_key
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Config, GitHubSpec, Model, PagerDutySpec, WorkflowSpec
from modelwatch.model.rule import Limit, LimitKind, Rule, Tier
from modelwatch.model.secret import Secret
from modelwatch.model.severity import Severity
from modelwatch.model.target import Target
from modelwatch.targets.apply import apply_plan
from modelwatch.targets.observe import observe_models
from modelwatch.targets.plan import make_plan
from modelwatch.targets.register.client import IssueClient
from modelwatch.targets.sessions import TargetSessions
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from modelwatch.timeutil import DAY, HOUR, MINUTE, WEEK

from ..report import making
from ..stubs import workflows

END = 1_795_132_800.0
"""2026-11-20 00:00 UTC."""
QUARTER = 13 * WEEK
MODELS, RULES = 10, ("accuracy", "latency")
ALICE = "alice"
ALL = frozenset(Target)
STORIES = (
    "helped", "helped", "helped", "failed", "setback", "command", "label", "not-planned", "alone", "late", "approved",
)  # fmt: skip
"""What becomes of an alert; see the methods of ``Quarter``."""


@dataclass
class TrueAlert:
    """One alert as it was simulated; times are seconds (UTC)."""

    story: str
    model: str
    rule: str
    began: float
    detected: float
    recovers: float
    recovered: float | None = None
    acknowledged: float | None = None
    mitigated: float | None = None
    false: bool = False
    alone: bool = False
    """Answered by automation alone."""
    automation_ended: bool = False
    starts: list[float] = field(default_factory=list)
    """When a workflow was started for it."""
    conclusions: list[str] = field(default_factory=list)
    number: int = 0


@dataclass
class Quarter:
    """The stand-ins with a clock of their own; ``alerts`` is the truth."""

    github: Server[GitHubStandIn]
    pagerduty: Server[PagerDutyStandIn]
    clock: list[float]
    env: dict[str, str] = field(default_factory=dict)
    alerts: list[TrueAlert] = field(default_factory=list)
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        state = self.github.standin.state
        for number in range(MODELS):
            files = workflows("retrain", "degrade")
            state.add_repo(f"acme/m{number}", files=files, collaborators={ALICE: "write"})
        service = self.pagerduty.standin.state.add_service("models")
        self._key = Secret("PAGERDUTY_ROUTING_KEY", service.routing_key)
        self.env = {
            "GITHUB_TOKEN": state.add_token(),
            "GITHUB_API_URL": self.github.url,
            "PAGERDUTY_EVENTS_URL": self.pagerduty.url,
            "MODELWATCH_WAIT_SCALE": "0.001",
        }
        self._alice = GitHubClient(self.github.url, state.add_token(ALICE, kind="user"), github_retry_policy(self.env))

    @property
    def models(self) -> tuple[Model, ...]:
        return tuple(self.model(f"m{number}") for number in range(MODELS))

    def model(self, name: str) -> Model:
        flows = tuple(
            WorkflowSpec(verb, f"{verb}.yml", cooldown=DAY, budget=1000, automatic=1e9, settle=1e9, remind=0.0)
            for verb in ("retrain", "degrade")
        )
        tiers = (
            Tier(Severity.ERROR, (Limit(LimitKind.BELOW, 0.9),), ("issue", "page", "retrain"), false_alarms=90 * DAY),
            Tier(Severity.CRITICAL, (Limit(LimitKind.BELOW, 0.5),), ("issue", "page"), false_alarms=365 * DAY),
        )
        rules = tuple(Rule(rule, "accuracy-drop", KeyPattern(f"eval/{rule}"), tiers) for rule in RULES)
        spec = GitHubSpec(f"acme/{name}", people=(ALICE,))
        return Model(name, rules, github=spec, pagerduty=PagerDutySpec(self._key), workflows=flows)

    # --- time

    def at(self, time: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._count), event))

    def play(self) -> None:
        while self._events:
            self.clock[0], _, event = heapq.heappop(self._events)
            event()

    # --- alerts

    def fill(self, start: float, slots: int, seed: int, *, keep_open: int = 0, models: int = MODELS) -> None:
        """``slots`` alerts of each rule, evenly over a quarter from ``start`` on; of the last ones ``keep_open`` are
        still under way at its end."""
        draw = random.Random(seed)
        stories = itertools.cycle(STORIES)
        for slot in range(slots):
            for number, rule in itertools.product(range(models), RULES):
                place = slot + 0.3 * RULES.index(rule) + draw.uniform(0.02, 0.2)
                began = start + place * QUARTER / slots // 1
                last = slot == slots - 1 and number * len(RULES) + RULES.index(rule) < keep_open
                self.add("open" if last else next(stories), f"m{number}", rule, float(began), draw)

    def add(self, story: str, model: str, rule: str, began: float, draw: random.Random) -> None:
        detected = began + draw.randrange(10, 300) * MINUTE
        alert = TrueAlert(story, model, rule, began, detected, detected + draw.randrange(5, 20) * HOUR)
        self.alerts.append(alert)
        self.at(detected, lambda: self._open(alert))
        {
            "helped": self._helped,
            "failed": self._failed,
            "setback": self._setback,
            "command": self._command,
            "label": self._label,
            "not-planned": self._not_planned,
            "alone": self._alone,
            "late": self._late,
            "approved": self._approved,
            "open": self._open_for_good,
        }[story](alert, draw)

    def _helped(self, alert: TrueAlert, draw: random.Random) -> None:
        """The retraining succeeds, and it recovers."""
        ended = alert.detected + draw.randrange(30, 200) * MINUTE
        self._finish(alert, ended, "success")
        self._recover(alert, alert.recovers)
        alert.mitigated, alert.alone = ended, True

    def _failed(self, alert: TrueAlert, draw: random.Random) -> None:
        """The retraining fails; Alice acknowledges, and it recovers."""
        self._finish(alert, alert.detected + 40 * MINUTE, "failure")
        self._comment(alert, alert.detected + draw.randrange(60, 200) * MINUTE, "/modelwatch ack")
        self._recover(alert, alert.recovers)

    def _setback(self, alert: TrueAlert, draw: random.Random) -> None:
        """The retraining succeeds, and it gets worse; then it recovers, nobody knows why."""
        ended = alert.detected + draw.randrange(30, 60) * MINUTE
        self._finish(alert, ended, "success")
        self.at(ended + 30 * MINUTE, lambda: self._evaluate(alert, self._firing(alert, Severity.CRITICAL, ended + 900)))
        self._recover(alert, alert.recovers)
        alert.alone = True

    def _command(self, alert: TrueAlert, draw: random.Random) -> None:
        """Alice calls it a false positive."""
        self._comment(alert, alert.detected + draw.randrange(5, 100) * MINUTE, "/modelwatch false-positive")
        self._finish(alert, alert.detected + 2 * HOUR, "cancelled")
        self._recover(alert, alert.recovers)
        alert.false = True

    def _label(self, alert: TrueAlert, draw: random.Random) -> None:
        """Alice labels the issue; a label has no time, so it acknowledges nothing."""
        self._finish(alert, alert.detected + 2 * HOUR, "cancelled")
        self.at(alert.detected + 3 * HOUR, lambda: self._add_label(alert))
        self._recover(alert, alert.recovers)
        alert.false, alert.alone = True, True

    def _not_planned(self, alert: TrueAlert, draw: random.Random) -> None:
        """Alice closes the issue as not planned."""
        closed = alert.detected + draw.randrange(5, 100) * MINUTE
        self.at(closed, lambda: self._close(alert))
        self.at(closed + HOUR, lambda: self._evaluate(alert, self._firing(alert)))
        self._finish(alert, closed + 2 * HOUR, "cancelled")
        self._recover(alert, alert.recovers)
        alert.acknowledged, alert.false = closed, True

    def _alone(self, alert: TrueAlert, draw: random.Random) -> None:
        """The retraining fails, nobody does anything, and it recovers."""
        self._finish(alert, alert.detected + 40 * MINUTE, "failure")
        self._recover(alert, alert.recovers)
        alert.alone = True

    def _late(self, alert: TrueAlert, draw: random.Random) -> None:
        """The retraining succeeds, and it recovers more than a day later."""
        ended = alert.detected + draw.randrange(30, 60) * MINUTE
        self._finish(alert, ended, "success")
        self._recover(alert, ended + 25 * HOUR)
        alert.alone = True

    def _approved(self, alert: TrueAlert, draw: random.Random) -> None:
        """The retraining fails; Alice degrades the model, which helps."""
        self._finish(alert, alert.detected + 20 * MINUTE, "failure")
        self._comment(alert, alert.detected + 60 * MINUTE, "/modelwatch degrade")
        alert.starts.append(alert.detected + 60 * MINUTE + MINUTE)
        ended = alert.detected + draw.randrange(100, 200) * MINUTE
        self._finish(alert, ended, "success")
        self._recover(alert, alert.recovers)
        alert.mitigated = ended

    def _open_for_good(self, alert: TrueAlert, draw: random.Random) -> None:
        """The retraining succeeds, and it has not recovered yet."""
        self._finish(alert, alert.detected + 40 * MINUTE, "success")

    # --- what happens

    def _open(self, alert: TrueAlert) -> None:
        self._evaluate(alert, self._firing(alert))
        alert.starts.append(alert.detected)
        alert.starts.sort()
        alert.number = max(issue.number for issue in self._repo(alert).issues.items.values())

    def _finish(self, alert: TrueAlert, ended: float, conclusion: str) -> None:
        def finish() -> None:
            runs = self._repo(alert).runs.items.values()
            key = group_key(alert.model, alert.rule)
            (run,) = (run for run in runs if run.status != "completed" and key in run.title)
            self.github.standin.state.finish_run(run.id, conclusion)
            alert.conclusions.append(conclusion)

        self.at(ended, finish)
        self.at(ended + 5 * MINUTE, lambda: self._evaluate(alert, self._firing(alert)))
        alert.automation_ended = True

    def _comment(self, alert: TrueAlert, at: float, text: str) -> None:
        def comment() -> None:
            IssueClient(self._alice, f"acme/{alert.model}").add_comment(alert.number, text, text, frozenset())
            self._evaluate(alert, self._firing(alert))

        self.at(at, comment)
        alert.acknowledged = at

    def _add_label(self, alert: TrueAlert) -> None:
        IssueClient(self._alice, f"acme/{alert.model}").add_labels(alert.number, ["false-positive"])

    def _close(self, alert: TrueAlert) -> None:
        fields = {"state": "closed", "state_reason": "not_planned"}
        IssueClient(self._alice, f"acme/{alert.model}").update(alert.number, fields)

    def _recover(self, alert: TrueAlert, recovered: float) -> None:
        self.at(recovered + 3 * HOUR, lambda: self._evaluate(alert, self._quiet(alert, recovered)))
        alert.recovered = recovered

    def _repo(self, alert: TrueAlert):  # type: ignore[no-untyped-def]
        return self.github.standin.state.repo(f"acme/{alert.model}")

    # --- evaluations

    def _firing(self, alert: TrueAlert, severity: Severity = Severity.ERROR, since: float | None = None) -> Group:
        do = ("issue", "page", "retrain") if severity is Severity.ERROR else ("issue", "page")
        newest = self.clock[0] - MINUTE
        of = making.alert(
            making.finding(model=alert.model, rule=alert.rule, time=newest),
            model=alert.model,
            rule=alert.rule,
            start=alert.began,
            fired=alert.began + HOUR,
            severity=severity,
        )
        return making.group(
            of,
            model=alert.model,
            rule=alert.rule,
            start=alert.began,
            severity=severity,
            newest=newest,
            do=do,
            config="c",
        )

    def _quiet(self, alert: TrueAlert, recovered: float) -> Group:
        fired = self._firing(alert)
        of = replace(fired.alerts[0], state=AlertState.RESOLVED, end=recovered)
        times = tuple(recovered + hours * HOUR for hours in (2, 1, 0))
        streak = HealthyStreak(of.fingerprint, times)
        return replace(fired, state=AlertState.RESOLVED, alerts=(of,), end=recovered, clear=(streak,), severity=None)

    def _evaluate(self, alert: TrueAlert, group: Group) -> None:
        now = self.clock[0]
        model = self.model(alert.model)
        config = Config((model,), "digest")
        sessions = TargetSessions(config, self.env)
        judgement = Judgement(now, "digest", (group,))
        observed = observe_models(sessions, config.models, judgement, now)
        plan = make_plan(judgement, config, observed, now)
        receipts = apply_plan(plan, "plan-digest", sessions, ALL, now, writer=f"{now}")
        failed = [receipt for receipt in receipts.receipts if receipt.result.value not in ("done", "unchanged")]
        assert failed == [], failed
