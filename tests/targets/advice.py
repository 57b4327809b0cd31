"""A night on call against the stand-ins, and what the four places advise: issue, page, ``diagnose`` and runbook.

Every evaluation judges tracks that are given as text, observes the stand-ins over HTTP, plans, and applies the plan.
Time is simulated: an hour is one letter of the text.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any
from urllib.request import Request, urlopen

from modelwatch.alerts.grouping import judge_models
from modelwatch.cli import group as commands
from modelwatch.model.alert import Judgement
from modelwatch.model.finding import ModelFindings
from modelwatch.model.monitored_model import Config, GitHubSpec, Model, PagerDutySpec, ReleaseSpec, WorkflowSpec
from modelwatch.model.plan import ChangeKind, Command, ModelObservation, ObservedIssue, Plan
from modelwatch.model.release import PRODUCTION, Registry, Version
from modelwatch.model.rule import Mode, Rule
from modelwatch.model.secret import Secret
from modelwatch.model.series import Deployment, Labels, PulledSeries
from modelwatch.report.comments import mute_sentence
from modelwatch.report.diagnosis import DiagnosisInput, diagnose
from modelwatch.runbooks.page import PAGES_DIR
from modelwatch.runbooks.render import alert_context, render_page
from modelwatch.targets.apply import apply_plan
from modelwatch.targets.incidents.render import incident_details
from modelwatch.targets.issues.observe import parse_commands
from modelwatch.targets.observe import observe_models
from modelwatch.targets.plan import REFUSED_PREFIX, make_plan, sync_groups
from modelwatch.targets.register.authorization import Authorizer
from modelwatch.targets.sessions import TargetSessions
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.github.issue_actions import Person
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from tests.stubs import workflows

from ..alerts.making import at, rule, tier, track, unexplained
from .world import ALL, REPO

MINUTE = 60.0
ACTIONS = ("issue", "page", "retrain", "rollback", "degrade")
QUIET = 4
"""Healthy hours before the night; in the first two of them v1 served, then v2."""
RUNBOOKS = "https://example.org/runbooks"
EU: Labels = (("region", "eu"),)
COMMENT = re.compile(r"`(/modelwatch [^`]+)`")
RELEASE = re.compile(r"`(modelwatch release [^`]+)`")
START = re.compile(r"gh (?:workflow run|api) [^\n]+")


@dataclass(frozen=True, slots=True)
class Setup:
    """How the model is configured, and what W&B knows of its versions."""

    people: bool = True
    rollback: Mode | None = Mode.PROPOSE
    retrain: Mode | None = Mode.ACT
    degrade: Mode | None = None
    release: bool = False
    versions: str = "fit"
    """``fit``: v1 can be gone back to; ``unfit``: its files are deleted; ``down``: the registry cannot be read."""
    token: bool = True
    """PagerDuty can be read."""
    key: bool = True
    budget: int = 4
    share: float = 1.0
    """Of the rows, that of the only segment that is bad; 1: everything is bad."""
    kind: str = "accuracy-drop"
    runbook: bool = True

    @property
    def model(self) -> Model:
        modes = {"rollback": self.rollback, "retrain": self.retrain, "degrade": self.degrade}
        specs = tuple(
            WorkflowSpec(verb, f"{verb}.yml", mode=mode, budget=self.budget, automatic=365 * 24 * 3600.0)
            for verb, mode in modes.items()
            if mode is not None
        )
        do = tuple(verb for verb in ACTIONS if verb in ("issue", "page") or modes[verb] is not None)
        mild = tuple(verb for verb in do if verb in ("issue", "retrain"))
        tiers = (
            tier("info", ("issue",)),
            tier("warning", mild),
            tier("error", ("issue", "page")),
            tier("critical", do),
        )
        plain = (tier("warning", ("issue",)), tier("error", ("issue", "page")), tier("critical", ("issue", "page")))
        return Model(
            "churn",
            (
                rule(kind=self.kind, tiers=tiers),
                rule("nulls", kind="data-quality", tiers=plain),
                rule("p95", kind="latency", tiers=plain),
            ),
            github=GitHubSpec(REPO, people=("alice",) if self.people else ()),
            pagerduty=PagerDutySpec(
                Secret("KEY", "R" * 32) if self.key else None, Secret("TOKEN", "T" * 20) if self.token else None
            ),
            workflows=specs,
            release=ReleaseSpec("acme/churn/model") if self.release else None,
            runbook_base=RUNBOOKS if self.runbook else "",
        )

    @property
    def registry(self) -> Registry | None:
        if not self.release or self.versions == "down":
            return None
        old = Version("v1", ("previous",), "d1", at(0), available=self.versions == "fit")
        return Registry("churn", "acme/churn/model", (Version("v2", (PRODUCTION,), "d2", at(1)), old))


@dataclass(frozen=True, slots=True)
class Advice:
    """What the four places say of one alert, and where."""

    group: str
    issue: str
    page: str
    diagnosis: str
    runbook: str
    section: str
    """The whole section of the issue, with what follows."""


@dataclass
class Night:
    """The stand-ins, and what happened so far. ``texts``: by rule the findings, see ``tests.alerts.making``."""

    github: Server[GitHubStandIn]
    pagerduty: Server[PagerDutyStandIn]
    setup: Setup = field(default_factory=Setup)
    texts: dict[str, str] = field(default_factory=dict)
    down: bool = False
    """GitHub does not answer."""
    minutes: float = 1.0
    plans: list[Plan] = field(default_factory=list)
    _env: dict[str, str] = field(default_factory=dict)

    def begin(self, setup: Setup) -> None:
        """Empty services, and healthy hours."""
        self.setup, self.plans, self.down, self.minutes = setup, [], False, 1.0
        self.texts = {each.name: "." * QUIET for each in setup.model.rules}
        for server in (self.github, self.pagerduty):
            server.clear()
        self.github.standin, self.pagerduty.standin = GitHubStandIn(self.now), PagerDutyStandIn(self.now)
        state, pages = self.github.standin.state, self.pagerduty.standin.state
        files = workflows("retrain", "rollback", "degrade")
        state.add_repo(REPO, files=files, collaborators={"alice": "write", "bob": "write"})
        key = pages.add_service("churn-model").routing_key
        self._env = {"GITHUB_TOKEN": state.add_token(), "MODELWATCH_WAIT_SCALE": "0.001"}
        self._env |= {"GITHUB_API_URL": self.github.url, "PAGERDUTY_EVENTS_URL": self.pagerduty.url}
        self._env |= {"PAGERDUTY_API_URL": self.pagerduty.url}
        spec = setup.model.pagerduty
        token = Secret("TOKEN", pages.add_token(read_only=True)) if spec.token else None
        spec = replace(spec, routing_key=Secret("KEY", key) if spec.routing_key else None, token=token)
        self.config = Config((replace(setup.model, pagerduty=spec),), "c1")
        self.evaluate()

    @property
    def model(self) -> Model:
        return self.config.models[0]

    @property
    def rules(self) -> dict[str, Rule]:
        return {each.name: each for each in self.model.rules}

    def now(self) -> float:
        return at(len(self.texts["accuracy"]) - 1) + self.minutes * MINUTE

    # What happens.

    def hour(self, accuracy: str = ".", nulls: str = ".", p95: str = ".") -> Plan:
        """An hour passes, in which each rule finds one letter; then it is evaluated."""
        for name, letter in (("accuracy", accuracy), ("nulls", nulls), ("p95", p95)):
            self.texts[name] += letter
        self.minutes = 1.0
        return self.evaluate()

    def evaluate(self) -> Plan:
        """Observe, plan and apply."""
        self.github.faults[:] = [Fault("status", status=503, times=-1)] if self.down else self.github.faults
        judgement = self.judge()
        plan = make_plan(judgement, self.config, self.observe(judgement), self.now())
        apply_plan(plan, "digest", TargetSessions(self.config, self._env), ALL, self.now())
        self.github.faults.clear()
        self.plans.append(plan)
        return plan

    def lose_dispatches(self) -> None:
        """GitHub refuses every dispatch of the next evaluation."""
        self.github.inject(Fault("status", path="dispatches", status=500, times=-1))

    def finish(self, conclusion: str) -> None:
        """Every workflow run that is under way ends."""
        state = self.github.standin.state
        for run in list(state.repo(REPO).runs.items.values()):
            if run.status != "completed":
                state.finish_run(run.id, conclusion)

    def person(self, login: str = "alice") -> Person:
        state = self.github.standin.state
        return Person(state, state.repo(REPO), login)

    def comment(self, text: str, group: str = "") -> str:
        """A person writes ``text`` on the newest open issue (of ``group``), five minutes before the next evaluation;
        returns what modelwatch answers."""
        issues = [issue for issue in self.issues() if issue.state == "open" and group in (issue.body or "")]
        if not issues:
            return ""
        self.minutes += 5
        self.person().add_comment(issues[-1].number, text)
        before = len(self.comments())
        self.evaluate()
        return "\n".join(self.comments()[before:])

    # What is there.

    def issues(self) -> list[Any]:
        return list(self.github.standin.state.repo(REPO).issues.items.values())

    def comments(self) -> list[str]:
        return [comment.body for comment in self.github.standin.state.repo(REPO).comments.items.values()]

    def judge(self) -> Judgement:
        tracks = []
        for name, text in self.texts.items():
            whole = text if name != "accuracy" or self.setup.share == 1.0 else "." * len(text)
            tracks.append(self._track(name, whole, (), 1000.0))
            if whole != text:
                tracks.append(self._track(name, text, EU, 1000.0 * self.setup.share))
        pull = PulledSeries("churn", (), (Deployment("v1", at(0)), Deployment("v2", at(2))))
        return judge_models(
            self.config, {"churn": ModelFindings(tuple(tracks))}, {"churn": pull}, self.now(), unexplained
        )

    def _track(self, name: str, text: str, labels: Labels, rows: float) -> Any:
        versions: Any = {"versions": ("v1", "v2"), "version": [0, 0] + [1] * (len(text) - 2)}
        plain = track(text, self.rules[name], labels, **versions)
        counts = plain.n[:]
        for place in range(len(counts)):
            counts[place] = rows
        return replace(plain, n=counts)

    def observe(self, judgement: Judgement | None = None) -> dict[str, ModelObservation]:
        observed = observe_models(TargetSessions(self.config, self._env), [self.model], judgement, self.now())["churn"]
        if self.setup.release:
            error = "503" if self.setup.versions == "down" else ""
            observed = replace(observed, registry=self.setup.registry, registry_error=error)
        return {"churn": observed}

    # What is advised.

    def advice(self) -> Iterator[Advice]:
        """Of each alert that fires with an issue of its own, which is up to date."""
        observed = self.observe()["churn"]
        judgement = self.judge()
        drafts = sync_groups(judgement, self.config, {"churn": observed}, self.now())
        registers = {key: draft.register for key, draft in drafts.items() if draft.register}
        groups = tuple(draft.group for draft in drafts.values())
        for issue in observed.issues:
            draft = drafts.get(issue.group)
            if draft is None or not draft.firing or not issue.is_under_way or issue.register is None:
                continue
            group = draft.group
            known = DiagnosisInput(
                self.model, groups, self._pull(), observed, observed.registry, registers=registers, shown=group.key
            )
            found = diagnose(known, self.now())
            page = (PAGES_DIR / f"{group.kind}.md").read_text("utf-8")
            context = alert_context(group, issue, observed, self.now(), groups, diagnosis=found, model=self.model)
            details = self._page_sent(group.key) or incident_details(
                group, registers[group.key], self.now(), model=self.model
            )
            body = next(one.body or "" for one in self.issues() if one.number == issue.number)
            section = body.partition("### Next step\n\n")[2].partition("\n### ")[0].partition("\n<details>")[0]
            rendered = re.search(r"^> Next: (.*)$", render_page(page, context, RUNBOOKS), re.MULTILINE)
            shown = rendered[1] if rendered else ""
            yield Advice(
                group.key,
                plain_text(section.partition("\n\n")[0] + "\n\n" + self._code_of(section), "this issue"),
                plain_text(str(details.get("next", "")), "the GitHub issue"),
                plain_text(found.next, issue.url),
                plain_text(re.sub(r"^`+ ?| ?`+$", "", shown), issue.url),
                section,
            )

    def _page_sent(self, group: str) -> dict[str, Any] | None:
        """The details of the page that the last evaluation sent about the group; ``None`` where it sent none."""
        changes = self.plans[-1].changes
        sent = [one for one in changes if one.group == group and one.kind is ChangeKind.TRIGGER_INCIDENT]
        incident = self.pagerduty.standin.state.newest_incident(sent[-1].about or group) if sent else None
        details: dict[str, Any] | None = incident.event["payload"]["custom_details"] if incident else None
        return details

    def _code_of(self, section: str) -> str:
        """The command that belongs to the first step, where the step is nothing without it."""
        return "\n".join(START.findall(section)[:1]) if section.startswith("Start the proposed") else ""

    def _pull(self) -> PulledSeries:
        return PulledSeries("churn", (), (Deployment("v1", at(0)), Deployment("v2", at(2))))

    def answer(self, text: str, group: str) -> str:
        """What the plan would answer to a comment of alice's with this text on the group's issue; nothing is sent."""
        judgement, observed = self.judge(), self.observe()["churn"]
        stamp = "2024-10-04T00:00:00Z"
        row = {"id": 10**9, "body": text, "user": {"login": "alice"}, "created_at": stamp, "updated_at": stamp}
        authorizer = Authorizer(TargetSessions(self.config, self._env).github(self.model.github, REPO), ("alice",))
        (command,) = parse_commands([row], (), authorizer.denial_reason)
        issues = tuple(_with_command(issue, command) if issue.group == group else issue for issue in observed.issues)
        plan = make_plan(judgement, self.config, {"churn": replace(observed, issues=issues)}, self.now())
        notes = [note for change in plan.changes if change.group == group for note in change.notes]
        return next((note.detail for note in notes if note.topic == "command"), "refused: nobody reads it")

    def start(self, line: str) -> None:
        """Run a command of GitHub's that the issue shows, as alice. Raises HTTPError where GitHub refuses it."""
        words = shlex.split(line)
        assert words[:3] == ["gh", "workflow", "run"], line
        given = [word for flag, word in pairwise(words) if flag == "-f"]
        inputs = dict(word.split("=", 1) for word in given)
        token = self.github.standin.state.add_token("alice", kind="user")
        address = f"{self.github.url}/repos/{REPO}/actions/workflows/{words[3]}/dispatches"
        body = json.dumps({"ref": "main", "inputs": inputs}).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        urlopen(Request(address, body, headers, method="POST")).close()

    # What must be so.

    def problems(self) -> list[str]:
        """What is wrong about the advice now."""
        found = []
        for advice in self.advice():
            places = {
                "issue": advice.issue,
                "page": advice.page,
                "diagnose": advice.diagnosis,
                "runbook": advice.runbook,
            }
            if len(set(places.values())) != 1:
                found.append(
                    "places advise differently:\n" + "\n".join(f"  {name}: {text}" for name, text in places.items())
                )
            if not all(places.values()):
                found.append(f"no advice: {places}")
            everything = "\n".join((advice.section, advice.page, advice.diagnosis))
            if not self.setup.people and COMMENT.search(everything):
                found.append(f"a comment is advised, and nobody's counts: {everything}")
            for line in dict.fromkeys(COMMENT.findall(everything)) if self.setup.people else ():
                answer = self.answer(line, advice.group)
                if answer.startswith(REFUSED_PREFIX):
                    found.append(f"{line!r} is {answer}\n  {advice.section}")
            found += [problem for line in RELEASE.findall(everything) if (problem := self._release_problem(line))]
        return found

    def _release_problem(self, line: str) -> str:
        """Why the command line refuses ``line``; empty where it does not."""
        words = shlex.split(line)[1:]
        found: Any = commands
        while words and hasattr(found, "commands"):
            found = found.get_command(None, words.pop(0))
        context = found.make_context("rollback", words, resilient_parsing=True)
        target = context.params["version"] or words[0]
        registry = self.setup.registry
        if not self.setup.release:
            return f"{line}: without `release:`"
        version = registry.version(target) if registry else None
        if registry is None or version is None or not version.available or version == registry.holder(PRODUCTION):
            return f"{line}: {target} cannot be gone back to"
        return ""

    def muting_problems(self, plan: Plan) -> list[str]:
        """What ``plan`` starts or sends for an alert that is shown as muted."""
        loud = (ChangeKind.TRIGGER_INCIDENT, ChangeKind.DISPATCH_WORKFLOW, ChangeKind.SEND_MESSAGE)
        groups = {group.key: group for group in plan.groups}
        registers = {change.group: change.register for change in plan.changes if change.register is not None}
        found = []
        for change in plan.changes:
            muted = mute_sentence(groups.get(change.group), registers.get(change.group), plan.at)
            asked = change.dispatch is not None and "requested by" in change.dispatch.reason
            if muted and change.kind in loud and not asked:
                found.append(f"{change.kind} ({change.reason}), while muted: {muted}")
        return found


def _with_command(issue: ObservedIssue, command: Command) -> ObservedIssue:
    return replace(issue, commands=(command,)) if issue.state == "open" else issue


def plain_text(text: str, issue: str) -> str:
    """A step without Markdown, addresses, and how the place calls the issue."""
    text = text.partition(". Or start it yourself:")[0]
    text = re.sub(r" or `/modelwatch reject [^`]*`", " (or reject)", text)
    text = re.sub(r"\[([^\]]*)\]\((https?://[^)]*)\)", r"\1", text)
    text = text.replace(f" on {issue}", "").replace(f"reopen {issue}", "reopen it")
    text = re.sub(r"https?://\S+", "", text).replace("`", "").replace("**", "")
    text = re.sub(r"(Follow the runbook): .*", r"\1", text)
    return re.sub(r"[\s:.]+", " ", text).strip()


@contextmanager
def night() -> Iterator[Night]:
    """Servers for any number of nights, one after another."""
    with Server(GitHubStandIn()) as github, Server(PagerDutyStandIn()) as pagerduty:
        yield Night(github, pagerduty)
