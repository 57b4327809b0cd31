"""A small world for the targets: one model, one group, a plan that opens, pages and dispatches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from modelwatch.model.alert import AlertState, Group, Judgement, group_key
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Config, GitHubSpec, MessagesSpec, Model, PagerDutySpec, WorkflowSpec
from modelwatch.model.plan import (
    Change,
    ChangeKind,
    Dispatch,
    ModelObservation,
    ObservedIssue,
    Plan,
    Precondition,
    Receipts,
)
from modelwatch.model.register import DispatchRecord, DispatchState, Register
from modelwatch.model.rule import Limit, LimitKind, Rule, Tier
from modelwatch.model.secret import Secret
from modelwatch.model.severity import Severity
from modelwatch.model.target import Target
from modelwatch.targets.apply import apply_plan
from modelwatch.targets.observe import observe_models
from modelwatch.targets.sessions import TargetSessions
from modelwatch.testing.standins.github.standin import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from tests.stubs import workflows

REPO = "acme/churn"
NOW = 1_790_000_000.0
GROUP = group_key("churn", "accuracy")
KEY = f"{GROUP}.1.retrain.1"
ALL = frozenset(Target)
ELSEWHERE = """\
name: Serve
run-name: modelwatch rollback ${{ github.event.client_payload.model }} ${{ github.event.client_payload.key }}
on:
  repository_dispatch:
    types: [rollback]
jobs:
  rollback:
    runs-on: ubuntu-latest
    steps:
      - run: echo rollback
"""


@dataclass
class World:
    """The stand-ins, and what is configured to talk to them."""

    github: Server[GitHubStandIn]
    pagerduty: Server[PagerDutyStandIn]
    routing_key: str
    rest_token: str = ""
    token: str = ""
    spec: GitHubSpec = field(default_factory=lambda: GitHubSpec(repository=REPO))
    messages: MessagesSpec = field(default_factory=MessagesSpec)
    workflows: tuple[WorkflowSpec, ...] = (WorkflowSpec("retrain", "retrain.yml"),)
    owner: str = ""
    dashboard: str = ""
    timeout_scale: float = 1.0

    @property
    def state(self):  # type: ignore[no-untyped-def]
        return self.github.standin.state

    @property
    def env(self) -> dict[str, str]:
        return {
            "GITHUB_TOKEN": self.token,
            "GITHUB_API_URL": self.github.url,
            "PAGERDUTY_EVENTS_URL": self.pagerduty.url,
            "PAGERDUTY_API_URL": self.pagerduty.url,
            "MODELWATCH_WAIT_SCALE": "0.001",
            "MODELWATCH_TIMEOUT_SCALE": str(self.timeout_scale),
        }

    @property
    def model(self) -> Model:
        token = Secret("PAGERDUTY_TOKEN", self.rest_token) if self.rest_token else None
        key = Secret("PAGERDUTY_ROUTING_KEY", self.routing_key) if self.routing_key else None
        pages = PagerDutySpec(key, token, "churn-model", key_name="PAGERDUTY_ROUTING_KEY")
        tier = Tier(Severity.ERROR, (Limit(LimitKind.BELOW, 0.9),), ("issue", "page", "retrain"))
        rule = Rule("accuracy", "accuracy-drop", KeyPattern("eval/accuracy"), (tier,))
        return Model(
            "churn",
            (rule,),
            self.owner,
            pagerduty=pages,
            github=self.spec,
            workflows=self.workflows,
            messages=self.messages,
            dashboard=self.dashboard,
        )

    def connect(self) -> TargetSessions:
        return TargetSessions(Config((self.model,), "digest"), self.env)

    def observe(self) -> tuple[ObservedIssue, ...]:
        return self.observe_model().issues

    def observe_model(self, judgement: Judgement | None = None, now: float = NOW) -> ModelObservation:
        return observe_models(self.connect(), [self.model], judgement, now)["churn"]

    def apply(self, plan: Plan, only: Iterable[Target] = ALL, now: float = NOW) -> Receipts:
        return apply_plan(plan, "plan-digest", self.connect(), frozenset(only), now)

    def requests(self) -> list[str]:
        """What was asked of GitHub since the last ``clear``, but for whose token it is (which no more is asked where
        `github.authors` is configured)."""
        return [f"{asked.method} {asked.path}" for asked in self.github.requests if asked.path != "/graphql"]

    def issues(self) -> list[dict[str, object]]:
        """GitHub's own view: number, state, labels, body, comments' bodies."""
        repo = self.state.repo(REPO)
        found = []
        for issue in sorted(repo.issues.items.values(), key=lambda issue: issue.number):
            comments = [c.body for c in repo.comments.items.values() if c.issue == issue.number]
            found.append({"number": issue.number, "state": issue.state, "body": issue.body or "", "comments": comments,
                          "labels": list(issue.labels), "title": issue.title, "assignees": list(issue.assignees),
                          "reason": issue.state_reason})  # fmt: skip
        return found

    def runs(self, repository: str = REPO) -> list[str]:
        return [run.title for run in self.state.repo(repository).runs.items.values()]


def group(severity: Severity = Severity.ERROR, state: AlertState = AlertState.FIRING) -> Group:
    do = ("issue", "page", "retrain")
    return Group("churn", "accuracy", "accuracy-drop", state, severity, NOW - 7200, None, (), (), 2, NOW, "rule", do)


def register(**fields: object) -> Register:
    plain = Register(GROUP, "churn", "accuracy", 1, NOW - 7200, Severity.ERROR, Severity.ERROR, "rule", NOW - 7200)
    return replace(plain, **fields)  # type: ignore[arg-type]


def intent(key: str = KEY, state: DispatchState = DispatchState.INTENDED, verb: str = "retrain") -> DispatchRecord:
    return DispatchRecord(key, verb, state, NOW, version="v7")


def dispatch(**fields: object) -> Dispatch:
    plain = Dispatch(KEY, "retrain", "retrain.yml", "", "", "", "churn", "v7", "", "accuracy fell")
    return replace(plain, **fields)  # type: ignore[arg-type]


def change(kind: ChangeKind, **fields: object) -> Change:
    plain = Change(kind, "churn", GROUP, "because", Severity.ERROR, repository=REPO)
    return replace(plain, **fields)  # type: ignore[arg-type]


def plan(*changes: Change, at: float = NOW, groups: tuple[Group, ...] | None = None) -> Plan:
    return Plan(at, "digest", changes, (), (group(),) if groups is None else groups)


def opening() -> Plan:
    """Opens, pages and dispatches."""
    return plan(
        change(ChangeKind.OPEN_ISSUE, register=register(dispatches=(intent(),))),
        change(ChangeKind.TRIGGER_INCIDENT),
        change(ChangeKind.DISPATCH_WORKFLOW, dispatch=dispatch()),
    )


def expect(issue: ObservedIssue) -> Precondition:
    return Precondition(issue.number, issue.body_digest, issue.state)


def dispatching_again(world: World) -> Plan:
    """Adds the intent to the issue that is open, pages, and dispatches."""
    (seen,) = (issue for issue in world.observe() if issue.state == "open")
    assert seen.register is not None
    return plan(
        change(ChangeKind.UPDATE_ISSUE, expect=expect(seen), register=replace(seen.register, dispatches=(intent(),))),
        change(ChangeKind.TRIGGER_INCIDENT),
        change(ChangeKind.DISPATCH_WORKFLOW, dispatch=dispatch()),
    )


def results(receipts: Receipts) -> list[str]:
    return [receipt.result.value for receipt in receipts.receipts]


@contextmanager
def fresh_world() -> Iterator[World]:
    """A world of its own, for tests that need several."""
    with Server(GitHubStandIn(clock=lambda: NOW)) as github, Server(PagerDutyStandIn()) as pagerduty:
        yield furnished(github, pagerduty)
    assert github.errors == []
    assert pagerduty.errors == []


def furnished(github: Server[GitHubStandIn], pagerduty: Server[PagerDutyStandIn]) -> World:
    """With the repository, its workflow, a PagerDuty service and a workflow's token."""
    state = github.standin.state
    state.add_repo(REPO, files=workflows("retrain"), collaborators={"alice": "write"})
    service = pagerduty.standin.state.add_service("churn-model")
    return World(github, pagerduty, service.routing_key, token=state.add_token())
