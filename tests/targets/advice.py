"""A night on call against the stand-ins, and what the four places advise: issue, page, ``diagnose`` and runbook.

Every evaluation judges tracks that are given as text, observes the stand-ins over HTTP, plans, and applies the plan.
Time is simulated: an hour is one letter of the text.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any
from urllib.request import Request, urlopen

from modelwatch.alerts.grouping import judge_models
from modelwatch.cli import group as commands
from modelwatch.model.alert import Judgement
from modelwatch.model.finding import ModelFindings
from modelwatch.model.monitored_model import BlastRadius, Config, Model
from modelwatch.model.plan import ChangeKind, Command, ModelObservation, ObservedIssue, Plan
from modelwatch.model.release import PRODUCTION
from modelwatch.model.rule import Rule
from modelwatch.model.secret import Secret
from modelwatch.model.series import Deployment, Labels, PulledSeries
from modelwatch.report.comments import mute_sentence
from modelwatch.report.diagnosis import Diagnosis, DiagnosisInput, diagnose
from modelwatch.runbooks.page import PAGES_DIR
from modelwatch.runbooks.render import alert_context, render_page
from modelwatch.targets.apply import apply_plan
from modelwatch.targets.draft import INVALID_PREFIX, REFUSED_PREFIX, GroupPlan
from modelwatch.targets.incidents.render import incident_details
from modelwatch.targets.issues.observe import parse_commands
from modelwatch.targets.observe import observe_models
from modelwatch.targets.plan import make_plan, sync_groups
from modelwatch.targets.register.authorization import Authorizer
from modelwatch.targets.sessions import TargetSessions
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.github.issue_actions import Person
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from modelwatch.timeutil import MINUTE
from tests.stubs import workflows

from ..alerts.making import at, track, unexplained
from .setups import QUIET, RUNBOOKS, Setup
from .world import ALL, REPO

EU: Labels = (("region", "eu"),)
COMMENT = re.compile(r"`(/modelwatch [^`]+)`")
RELEASE = re.compile(r"`(modelwatch release [^`]+)`")
START = re.compile(r"gh (?:workflow run|api) [^\n]+")
UNANSWERED = "nobody has answered yet"


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
        self.texts = {each.name: "." * QUIET for model in setup.models for each in model.rules}
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
        models = tuple(replace(model, pagerduty=spec) for model in setup.models)
        self.config = Config(models, "c1", BlastRadius(pages=setup.pages, dispatches=setup.dispatches))
        self.evaluate()

    @property
    def rules(self) -> dict[str, tuple[Model, Rule]]:
        """By name; no two models have a rule of the same name."""
        return {each.name: (model, each) for model in self.config.models for each in model.rules}

    def now(self) -> float:
        return at(len(self.texts["accuracy"]) - 1) + self.minutes * MINUTE

    # What happens.

    def hour(self, **letters: str) -> Plan:
        """An hour passes, in which each rule finds one letter; then it is evaluated."""
        for name in self.texts:
            self.texts[name] += letters.get(name, ".")
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
        if not self.setup.commands:
            return UNANSWERED
        before = len(self.comments())
        self.evaluate()
        return "\n".join(self.comments()[before:])

    # What is there.

    def issues(self) -> list[Any]:
        return list(self.github.standin.state.repo(REPO).issues.items.values())

    def comments(self) -> list[str]:
        return [comment.body for comment in self.github.standin.state.repo(REPO).comments.items.values()]

    def judge(self) -> Judgement:
        tracks: dict[str, list[Any]] = {model.name: [] for model in self.config.models}
        for name, text in self.texts.items():
            own = tracks[self.rules[name][0].name]
            whole = text if name != "accuracy" or self.setup.share == 1.0 else "." * len(text)
            own.append(self._track(name, whole, (), 1000.0))
            if whole != text:
                own.append(self._track(name, text, EU, 1000.0 * self.setup.share))
        findings = {name: ModelFindings(tuple(found)) for name, found in tracks.items()}
        pulls = {name: self._pull(name) for name in tracks}
        return judge_models(self.config, findings, pulls, self.now(), unexplained)

    def _track(self, name: str, text: str, labels: Labels, rows: float) -> Any:
        model, of = self.rules[name]
        versions: Any = {"versions": ("v1", "v2"), "version": [0, 0] + [1] * (len(text) - 2)}
        plain = track(text, of, labels, model=model.name, **versions)
        counts = plain.n[:]
        for place in range(len(counts)):
            counts[place] = rows
        return replace(plain, n=counts)

    def observe(self, judgement: Judgement | None = None) -> dict[str, ModelObservation]:
        sessions = TargetSessions(self.config, self._env)
        observed = observe_models(sessions, self.config.models, judgement, self.now())
        if self.setup.release:
            error = "503" if self.setup.versions == "down" else ""
            own = replace(observed["churn"], registry=self.setup.registry, registry_error=error)
            observed["churn"] = own
        return observed

    # What is advised.

    def advice(self) -> Iterator[Advice]:
        """Of each alert that fires with an issue of its own, which is up to date."""
        observed = self.observe()
        drafts = sync_groups(self.judge(), self.config, observed, self.now())
        for seen in observed.values():
            for issue in seen.issues:
                draft = drafts.get(issue.group)
                if draft is not None and draft.firing and issue.is_under_way and issue.register is not None:
                    yield self._advice_on(issue, draft, drafts, observed)

    def _advice_on(
        self,
        issue: ObservedIssue,
        draft: GroupPlan,
        drafts: Mapping[str, GroupPlan],
        observed: Mapping[str, ModelObservation],
    ) -> Advice:
        group, model = draft.group, draft.model
        assert draft.register is not None
        found = self._diagnose(draft, drafts, observed)
        page = (PAGES_DIR / f"{group.kind}.md").read_text("utf-8")
        own = [each.group for each in drafts.values() if each.model is model]
        context = alert_context(group, issue, observed[model.name], self.now(), own, diagnosis=found, model=model)
        details = self._page_sent(group.key) or incident_details(group, draft.register, self.now(), model=model)
        body = next(one.body or "" for one in self.issues() if one.number == issue.number)
        section = body.partition("### Next step\n\n")[2].partition("\n### ")[0].partition("\n<details>")[0]
        rendered = re.search(r"^> Next: (.*)$", render_page(page, context, RUNBOOKS), re.MULTILINE)
        shown = rendered[1] if rendered else ""
        return Advice(
            group.key,
            plain_text(section.partition("\n\n")[0] + "\n\n" + self._code_of(section), "this issue"),
            plain_text(str(details.get("next", "")), "the GitHub issue"),
            plain_text(found.next, issue.url),
            plain_text(re.sub(r"^`+ ?| ?`+$", "", shown), issue.url),
            section,
        )

    def _diagnose(
        self, draft: GroupPlan, drafts: Mapping[str, GroupPlan], observed: Mapping[str, ModelObservation]
    ) -> Diagnosis:
        """What ``modelwatch diagnose`` says of the model, about this group."""
        name, seen = draft.model.name, observed[draft.model.name]
        known = DiagnosisInput(
            draft.model,
            tuple(each.group for each in drafts.values() if each.model is draft.model),
            self._pull(name),
            seen,
            seen.registry,
            registers={key: each.register for key, each in drafts.items() if each.register},
            shown=draft.group.key,
            other_issues=tuple(issue for other, one in observed.items() if other != name for issue in one.issues),
        )
        return diagnose(known, self.now())

    def _follower_problems(self) -> Iterator[str]:
        """Of each alert without an issue of its own: what ``diagnose`` says has to be said of the one that leads it."""
        observed = self.observe()
        drafts = sync_groups(self.judge(), self.config, observed, self.now())
        for draft in drafts.values():
            leader = draft.leader
            if not draft.firing or leader is None or leader.issue is None or draft.issue_open:
                continue
            own, led = self._diagnose(draft, drafts, observed).next, self._diagnose(leader, drafts, observed).next
            expected = (
                led if leader.model is draft.model and leader.firing else f"the issue that leads: {leader.issue.url}"
            )
            if expected not in own:
                yield f"{draft.group.rule} advises {own!r}, and {leader.group.rule}, which leads it, {led!r}"

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

    def _pull(self, model: str) -> PulledSeries:
        return PulledSeries(model, (), (Deployment("v1", at(0)), Deployment("v2", at(2))))

    def answer(self, text: str, group: str) -> str:
        """What the plan would answer to a comment of alice's with this text on the group's issue; nothing is sent."""
        judgement, observed = self.judge(), self.observe()
        stamp = "2024-10-04T00:00:00Z"
        row = {"id": 10**9, "body": text, "user": {"login": "alice"}, "created_at": stamp, "updated_at": stamp}
        authorizer = Authorizer(
            TargetSessions(self.config, self._env).github(self.setup.model.github, REPO), ("alice",)
        )
        (command,) = parse_commands([row], authorizer.denial_reason)
        for name, seen in observed.items():
            issues = (_with_command(issue, command) if issue.group == group else issue for issue in seen.issues)
            observed[name] = replace(seen, issues=tuple(issues))
        plan = make_plan(judgement, self.config, observed, self.now())
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
        unanswered = [
            command for seen in self.observe().values() for issue in seen.issues for command in issue.commands
        ]
        found = [f"nobody answers {command.verb}" for command in unanswered]
        found += self._follower_problems()
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
                if answer.startswith((REFUSED_PREFIX, INVALID_PREFIX)):
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
