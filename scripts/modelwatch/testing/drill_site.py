"""The stand-ins as the place of a drill: three servers, a relay between two of them, and a clock of their own.

What GitHub Actions would do is done here with the same code: the workflow that receives PagerDuty's events handles each
event in this process, and the team's own workflows end after the usual time.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..config.loader import load_config
from ..context import make_context
from ..drill.drilled_rule import choose_rule, find_companions, find_rules
from ..drill.folder import open_folder
from ..drill.scenarios import Scenario
from ..errors import UserError
from ..inbound.handle import handle_event
from ..inbound.payload import parse_payload
from ..model.drill import Link
from ..model.monitored_model import Config, GitHubSpec, MessagesSpec, Model, PagerDutySpec, WandbSpec, WorkflowSpec
from ..model.rule import Rule
from ..model.secret import Secret
from ..relay.app import make_app
from ..relay.settings import RelaySettings
from ..relay.uvicorn_server import make_server
from ..timeutil import MINUTE
from .drill_rules import OWN_MODEL
from .standins.github import GitHubStandIn
from .standins.github.records import WorkflowRun
from .standins.http import Server
from .standins.pagerduty import PagerDutyStandIn
from .standins.pagerduty.records import Service
from .standins.pagerduty.webhooks import IncidentAnnouncer, WebhookSender
from .standins.servers import client_urls
from .standins.wandb import WandbStandIn
from .standins.wandb.state import WandbState

ENTITY, PROJECT = "drill", "modelwatch-drill"
REPOSITORY = "drill/modelwatch-drill"
PERSON, USER = "drill-person", "drill-person@example.com"
WANDB_KEY = "drill" * 8
WEBHOOK_SECRET = "d" * 40
WORKFLOW_SECONDS = 5 * MINUTE
"""What a workflow run of the team takes."""
RECEIVE_SECONDS = 30.0
ON_PAGERDUTY_FILE = ".github/workflows/on-pagerduty.yml"
ON_PAGERDUTY = """\
name: on-pagerduty
run-name: PagerDuty ${{ github.event.client_payload.type }} ${{ github.event.client_payload.id }}
on: {repository_dispatch: {types: [pagerduty]}}
permissions: {}
jobs: {receive: {runs-on: ubuntu-latest, steps: [{run: modelwatch receive}]}}
"""
WORKFLOW = """\
name: {verb}
run-name: modelwatch {verb} ${{{{ inputs.model }}}} ${{{{ inputs.key }}}}
on:
  workflow_dispatch:
    inputs:
      key: {{type: string, required: true}}
      model: {{type: string, required: true}}
      version: {{type: string}}
      target_version: {{type: string}}
      reason: {{type: string}}
      issue: {{type: string}}
{more}
permissions: {{}}
jobs: {{{verb}: {{runs-on: ubuntu-latest, steps: [{{run: "true"}}]}}}}
"""
BY_THE_DRILL = "a rule of the drill"
BY_RULE = tuple(link for link in Link if link not in (Link.LOGGED, Link.PULLED))
"""The links that rest on the rule and what its tiers do."""
PATIENCE = 5.0
"""Seconds on the wall that the services get to do what they do at once."""
POLL = 0.02


@dataclass(slots=True)
class DrillClock:
    """Simulated time in seconds, UTC."""

    now: float

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class StandInSite:
    """The servers of one drill; see ``DrillSite``."""

    config: Config
    env: Mapping[str, str]
    folder: Path
    clock: DrillClock
    wandb: Server[WandbStandIn]
    github: Server[GitHubStandIn]
    pagerduty: Server[PagerDutyStandIn]
    service: Service
    announcer: IncidentAnnouncer
    notes: tuple[str, ...] = ()
    borrowed: Mapping[Link, str] = field(default_factory=dict)
    name: str = "stand-ins"
    has_webhook: bool = True
    _received: set[int] = field(default_factory=set)

    @property
    def model(self) -> Model:
        return self.config.models[0]

    @property
    def now(self) -> float:
        return self.clock.now

    def advance(self, until: float) -> None:
        self.clock.now = max(self.clock.now, until)

    def wait(self, is_done: Callable[[], bool], seconds: float) -> bool:
        """A minute of the servers' time passes between two looks, once what is under way had time to arrive."""
        end, give_up = self.clock.now + seconds, time.monotonic() + PATIENCE
        while not is_done():
            self._work()
            if is_done():
                return True
            if self.clock.now >= end or time.monotonic() > give_up:
                return False
            time.sleep(POLL)
            self.clock.now = min(self.clock.now + MINUTE, end)
        return True

    def approve(self, issue: int, command: str) -> bool:
        """The person reads the issue for a minute, and answers."""
        self.clock.now += MINUTE
        self.github.standin.person(REPOSITORY, PERSON).add_comment(issue, command)
        return True

    def _work(self) -> None:
        """What happens at GitHub and PagerDuty automatically."""
        self.announcer.send_new_entries()
        self.announcer.courier.wait(PATIENCE)
        repo = self.github.standin.state.repo(REPOSITORY)
        for run in list(repo.runs.items.values()):
            if run.event == "repository_dispatch" and run.id not in self._received:
                self._received.add(run.id)
                self._receive(run)
            elif run.event == "workflow_dispatch" and run.status in ("queued", "in_progress"):
                self._run_workflow(run)

    def _receive(self, run: WorkflowRun) -> None:
        """The job of ``on-pagerduty.yml``."""
        state, conclusion, log = self.github.standin.state, "success", ""
        state.start_run(run.id)
        try:
            event = parse_payload(run.payload["client_payload"])
            handle_event(make_context(self.config, self.now, self.env), event)
        except UserError as error:
            conclusion, log = "failure", str(error)
        self.clock.now += RECEIVE_SECONDS
        state.finish_run(run.id, conclusion, log)

    def _run_workflow(self, run: WorkflowRun) -> None:
        """The team's own job: it begins when a runner takes it, and ends after the usual time."""
        state = self.github.standin.state
        if run.status == "queued":
            state.start_run(run.id)
        elif self.now - run.created >= WORKFLOW_SECONDS:
            state.finish_run(run.id, "success")


@contextmanager
def open_stand_ins(
    model: Model, scenario: Scenario, now: float, tier: str = "", *, keep: bool = False
) -> Iterator[StandInSite]:
    """Serve until the block ends; the environment is as before then, and the folder is gone unless ``keep``.

    ``model`` is drilled by its own rules where one fits ``scenario``, else by the drill's. Only its rules, tiers,
    workflows and silences are taken: nothing of it is reached. Raises UserError where it lacks what the scenario is
    about, such as a rollback.
    """
    before = dict(os.environ)
    clock = DrillClock(now)
    try:
        with ExitStack() as stack:
            folder = stack.enter_context(open_folder(keep=keep))
            wandb = stack.enter_context(Server(WandbStandIn(WandbState((ENTITY,), (WANDB_KEY,), clock=clock))))
            github = stack.enter_context(Server(GitHubStandIn(clock=clock)))
            pagerduty = stack.enter_context(Server(PagerDutyStandIn(clock=clock)))
            service = pagerduty.standin.state.add_service("modelwatch drill")
            pagerduty.standin.state.add_user(USER)
            token = pagerduty.standin.state.add_token(read_only=True)
            env = _environment(wandb, github, pagerduty, folder, _other_variables(before))
            os.environ.clear()
            os.environ.update(env)
            stack.callback(_forget_wandb)
            own, notes, borrowed = _own_rules(model, scenario, folder, tier)
            drilled = _relocate(own, service.routing_key, token)
            files = {
                f".github/workflows/{one.file}": WORKFLOW.format(verb=one.name, more=_inputs(one))
                for one in drilled.workflows
            }
            repo = github.standin.state.add_repo(
                REPOSITORY, files=files | {ON_PAGERDUTY_FILE: ON_PAGERDUTY}, collaborators={PERSON: "write"}
            )
            github.standin.state.account_id(repo.owner)
            relay = stack.enter_context(_serve_relay(folder, github, service, clock))
            sender = stack.enter_context(WebhookSender(lambda: relay, [WEBHOOK_SECRET], workers=2, wait_scale=0.0))
            announcer = IncidentAnnouncer(pagerduty.standin.state, pagerduty.url, sender)
            config = Config((drilled,), "drill", secrets=())
            yield StandInSite(config, env, folder, clock, wandb, github, pagerduty, service, announcer, notes, borrowed)
    finally:
        os.environ.clear()
        os.environ.update(before)


def _other_variables(env: Mapping[str, str]) -> dict[str, str]:
    """``env`` without what leads a client elsewhere."""
    ours = ("WANDB_", "GITHUB_", "PAGERDUTY_", "GH_", "MODELWATCH_")
    return {name: value for name, value in env.items() if not name.startswith(ours)}


def _environment(
    wandb: Server[WandbStandIn],
    github: Server[GitHubStandIn],
    pagerduty: Server[PagerDutyStandIn],
    folder: Path,
    others: Mapping[str, str],
) -> dict[str, str]:
    return {
        **others,
        **client_urls(wandb, github, pagerduty),
        "MODELWATCH_WAIT_SCALE": "0.02",
        "GITHUB_TOKEN": github.standin.state.add_token(),
        "WANDB_API_KEY": WANDB_KEY,
        "WANDB_MODE": "online",
        "WANDB_SILENT": "true",
        "WANDB_CONSOLE": "off",
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_DISABLE_GIT": "true",
        "WANDB_X_DISABLE_META": "true",
        "WANDB_X_DISABLE_STATS": "true",
        "WANDB_X_SAVE_REQUIREMENTS": "false",
        "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "0.05",
        **{f"WANDB_X_{part}_RETRY_MAX": "2" for part in ("GRAPHQL", "FILE_STREAM", "FILE_TRANSFER")},
        **{
            f"WANDB_X_{part}_RETRY_WAIT_{end}_SECONDS": seconds
            for part in ("GRAPHQL", "FILE_STREAM", "FILE_TRANSFER")
            for end, seconds in (("MIN", "0"), ("MAX", "1"))
        },
        **{f"WANDB_{name}_DIR": str(folder / "wandb" / name.lower()) for name in ("CACHE", "CONFIG", "DATA")},
        "WANDB_DIR": str(folder / "wandb"),
    }


def _forget_wandb() -> None:
    """End the client's background process, which keeps the address that it was started with."""
    import wandb

    wandb.teardown()
    os.environ.pop("WANDB_SERVICE", None)


def _own_rules(
    model: Model, scenario: Scenario, folder: Path, tier: str
) -> tuple[Model, tuple[str, ...], Mapping[Link, str]]:
    """``model`` with the rules that the scenario needs and no others: its own, else those of the drill, which do no
    more than the model can; what to know of that, and the links that rest on something of the drill's own."""
    borrowed: dict[Link, str] = {}
    if model.pagerduty.webhook is None:
        borrowed[Link.RECEIVED] = "a relay of the drill: the model has no `pagerduty.webhook`"
    path = folder / "drill.yml"
    path.write_text(OWN_MODEL, "utf-8")
    drills = load_config(path, {}, require_secrets=False).models[0]
    can = {"issue", *(one.name for one in model.workflows), *(("page",) if model.pagerduty.key_name else ())}
    drills = replace(drills, rules=tuple(_only(rule, can) for rule in drills.rules))
    if scenario.needs or find_rules(model, scenario):
        rule, _ = choose_rule(model, scenario, tier)
        companions, theirs = find_companions(model, rule, scenario), find_companions(drills, rule, scenario)
        if theirs and not companions:
            borrowed[Link.DISPATCHED] = f"what would retrain is {BY_THE_DRILL}"
        rules = rule, *(one for one, _ in companions or theirs)
        return replace(model, rules=tuple(map(_unsegmented, rules))), (), borrowed
    rule, _ = choose_rule(drills, scenario)
    rules = rule, *(one for one, _ in find_companions(drills, rule, scenario))
    borrowed = dict.fromkeys(BY_RULE, BY_THE_DRILL) | borrowed
    note = f"{model.name} has no rule for this scenario, so it is drilled with {BY_THE_DRILL} itself"
    return replace(model, rules=tuple(map(_unsegmented, rules))), (note,), borrowed


def _only(rule: Rule, actions: Collection[str]) -> Rule:
    """``rule`` whose tiers do only ``actions``."""
    tiers = (replace(tier, do=tuple(one for one in tier.do if one in actions)) for tier in rule.tiers)
    return replace(rule, tiers=tuple(tiers))


def _unsegmented(rule: Rule) -> Rule:
    return replace(rule, segments=())


def _relocate(model: Model, routing_key: str, token: str) -> Model:
    """``model`` moved to the stand-ins, with nothing left that leads elsewhere or waits for working hours."""
    workflows = tuple(
        replace(one, repository="", event_type="", file=one.file or f"{one.name}.yml", ref="", cooldown=0.0)
        for one in model.workflows
    )
    return replace(
        model,
        owner="",
        wandb=WandbSpec(ENTITY, PROJECT, version="model_version", time="drill/time"),
        table=None,
        measure=None,
        release=None,
        business=None,
        calendar=None,
        depends_on=(),
        hours=None,
        messages=MessagesSpec(),
        pagerduty=PagerDutySpec(
            Secret("DRILL_ROUTING_KEY", routing_key) if model.pagerduty.key_name else None,
            Secret("DRILL_TOKEN", token),
            service="modelwatch drill",
            key_name="DRILL_ROUTING_KEY" if model.pagerduty.key_name else "",
            people=((USER, PERSON),),
        ),
        github=GitHubSpec(REPOSITORY, people=(PERSON,)),
        workflows=workflows,
        dashboard="",
        drill=True,
    )


def _inputs(workflow: WorkflowSpec) -> str:
    return "\n".join(f"      {name}: {{type: string}}" for name, _ in workflow.inputs)


@contextmanager
def _serve_relay(
    folder: Path, github: Server[GitHubStandIn], service: Service, clock: Callable[[], float]
) -> Iterator[str]:
    """The relay under uvicorn, in a thread; gives its address for webhooks."""
    secrets_file = folder / "webhook-secrets"
    secrets_file.write_text(f"{WEBHOOK_SECRET}\n", "utf-8")
    token = github.standin.state.add_token("drill-relay", {"contents": "write", "metadata": "read"})
    settings = RelaySettings({service.id: REPOSITORY}, secrets_file, github.url, token=token, wait_scale=0.02)
    server = make_server(make_app(settings, clock, close_connections=True), settings, "127.0.0.1", 0)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True, name="drill-relay")
    thread.start()
    until = time.monotonic() + PATIENCE
    while not server.started and thread.is_alive() and time.monotonic() < until:
        time.sleep(POLL)
    if not server.started:
        raise UserError("the relay does not start on loopback.")
    try:
        yield f"http://127.0.0.1:{_port_of(server)}/pagerduty"
    finally:
        server.should_exit = True
        with suppress(RuntimeError):
            thread.join(PATIENCE)


def _port_of(server: Any) -> int:
    return int(server.servers[0].sockets[0].getsockname()[1])
