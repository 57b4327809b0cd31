"""The language of the stories: data, people and services act at an hour, modelwatch evaluates, and stories expect.

Time is simulated: an hour takes as long as its evaluation. Every evaluation is the real pipeline with the real clients
against the stand-ins. A page is what reaches a person by PagerDuty's documentation: the first trigger of an incident;
a further trigger of an open alert, or of an acknowledged incident, notifies nobody.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import click
from click.testing import CliRunner, Result

from modelwatch import pipeline
from modelwatch.cli.audit import audit as audit_command
from modelwatch.cli.audit import review as review_command
from modelwatch.cli.diagnose import collect_input
from modelwatch.cli.release import release as release_commands
from modelwatch.cli.status import status as status_command
from modelwatch.config.loader import load_config
from modelwatch.context import SECOND_LOOK, make_context
from modelwatch.model.monitored_model import Config
from modelwatch.model.target import Target
from modelwatch.report.diagnosis import Diagnosis, diagnose
from modelwatch.report.summary import job_summary
from modelwatch.shards import merge_shards, split_models
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.github.issue_actions import Person
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from modelwatch.testing.standins.wandb import WandbStandIn
from modelwatch.testing.standins.wandb.records import RunRecord
from modelwatch.testing.standins.wandb.state import WandbState
from tests.stubs import workflows

from .services import Services

HOUR, MINUTE = 3600.0, 60.0
BEGIN = 1_790_002_800.0 // (24 * HOUR) * 24 * HOUR
"""Hour 0: a midnight, UTC. Before it lie ``HISTORY`` healthy hours."""
HISTORY = 24
EVALUATED_AFTER = 5 * MINUTE
"""Evaluations take place so long after the full hour, and what people do shortly before the next one."""
ROWS = 20_000
"""Decisions an hour; a rate of 0.92 then has a standard error of 0.002."""
REGIONS = 4
"""Regions of equal size, where a story has any."""
ENTITY, PERSON, BOT = "acme", "robin", "watcher"

RULES = """\
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        better: higher
        window: 1h
        every: 1h
        for: 2
        hold: 2
        baseline: {value: 0.92, n: 100000}
        tiers:
          warning:  {drop: 2%,  do: [issue]}
          error:    {drop: 5%,  do: [issue, page]}
          critical: {drop: 10%, do: [issue, page]}
"""
HEALTHY, WARNING, ERROR, CRITICAL = 0.92, 0.89, 0.855, 0.79
"""Accuracies of the tiers of ``RULES``."""


def model_config(
    name: str = "churn",
    rules: str = RULES,
    more: str = "",
    *,
    token: bool = True,
    owner: str = "@acme/growth-ml",
    project: str = "",
) -> str:
    """One item under ``models:``; ``more``: further lines of it, indented by four. ``token``: PagerDuty can be read.
    ``project``: the model of whose W&B project it reads, where that is not its own."""
    rest = ', token: "${PAGERDUTY_TOKEN}"' if token else ""
    return f"""\
  - name: {name}
    owner: "{owner}"
    wandb: {{entity: {ENTITY}, project: {project or name}-prod, version: model_version, time: monitor/time}}
    pagerduty: {{routing_key: "${{PAGERDUTY_{name.upper()}_KEY}}"{rest}, service: {name}-model}}
    github: {{repository: {ENTITY}/{name}, people: [{PERSON}]}}
{more}    rules:
{rules}"""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """What a story expected and did not find. ``kind``: ``silence``, ``page``, ``step`` or ``record``."""

    kind: str
    hour: float
    text: str


@dataclass(slots=True)
class Timeline:
    """One story while it is played: hours count from ``BEGIN``; people and services act at the present hour."""

    services: Services
    config_text: str = ""
    hour: float = 0.0
    disagreements: list[Disagreement] = field(default_factory=list)
    wakes: int = 0
    """How often a person had to be notified so far, as the story says."""
    steps: int = 0
    """How many next steps were compared."""
    results: list[pipeline.RunResult] = field(default_factory=list)
    rows: int = ROWS
    """Decisions an hour."""
    _values: dict[str, dict[str, float | None]] = field(default_factory=dict)
    _versions: dict[str, str] = field(default_factory=dict)
    _runs: dict[tuple[str, str], RunRecord] = field(default_factory=dict)
    _logged: int = -HISTORY
    _seen: int = 0
    """Notifications that earlier expectations have counted."""
    _config: Config | None = None

    def configure(self, *models: str, healthy: int = HISTORY) -> None:
        """Begin the story with these models (see ``model_config``): all ``healthy`` hours at version v6, empty
        services."""
        for server in (self.services.wandb, self.services.github, self.services.pagerduty):
            server.clear()
        self.services.wandb.standin = WandbStandIn(WandbState(clock=self.now))
        self.services.github.standin = GitHubStandIn(self.now)
        self.services.pagerduty.standin = PagerDutyStandIn(self.now)
        names = re.findall(r"^  - name: (\S+)", "".join(models), re.MULTILINE)
        github, pages = self.services.github.standin.state, self.services.pagerduty.standin.state
        for name in names:
            files = workflows("retrain", "rollback", "degrade")
            github.add_repo(f"{ENTITY}/{name}", files=files, collaborators={BOT: "write", PERSON: "write"})
            os.environ[f"PAGERDUTY_{name.upper()}_KEY"] = pages.add_service(f"{name}-model").routing_key
            self._values[name] = {"accuracy": HEALTHY}
            self._versions[name] = "v6"
        os.environ["GITHUB_TOKEN"] = github.add_token(BOT, kind="user")
        self.config_text = "version: 1\nmodels:\n" + "".join(models)
        os.environ.pop("PAGERDUTY_TOKEN", None)  # which is read wherever it is set
        if "PAGERDUTY_TOKEN" in self.config_text:
            os.environ["PAGERDUTY_TOKEN"] = pages.add_token(read_only=True)
        path = self.services.folder / "modelwatch.yml"
        path.write_text(self.config_text, "utf-8")
        self._config = load_config(path, os.environ)
        self._logged = -healthy
        self._log_until(0)

    def now(self) -> float:
        """The services' clock, in seconds, UTC."""
        return BEGIN + self.hour * HOUR + EVALUATED_AFTER

    # What the data do.

    def data(self, model: str = "", **values: float | None) -> None:
        """From now on ``eval/NAME`` has this expected value: a rate, with the noise of ``ROWS`` decisions.

        ``None``: it is not logged any more. ``accuracy_eu`` is ``eval/region=eu/accuracy``.
        """
        self._values[model or self._model].update(values)

    def deploy(self, version: str, model: str = "") -> None:
        """From now on ``version`` serves."""
        self._versions[model or self._model] = version

    def commit(self, path: str, message: str, model: str = "") -> None:
        """A person pushes a change of one file to the model's repository."""
        git = self.services.github.standin.state.repo(self._repository(model)).git
        git.commit(git.default_branch, {path: message.encode()}, message, PERSON, self.now())

    def until(self, hour: float, every: int = 1, shards: int = 1) -> None:
        """Time passes up to ``hour``, with an evaluation every ``every`` hours.

        ``shards``: each evaluation is split over so many jobs, which are gathered afterwards.
        """
        while self.hour < hour:
            self.skip_to(min(self.hour + every, hour))
            if shards > 1:
                self.results.append(self._evaluate_shards(shards))
                continue
            context = replace(make_context(self.config, self.now()), second_look=SECOND_LOOK)
            self.results.append(pipeline.converge(context, pipeline.evaluate(context), frozenset(Target)))

    def skip_to(self, hour: float) -> None:
        """Time passes up to ``hour`` without an evaluation."""
        self.hour = hour
        self._log_until(math.floor(hour))

    def _evaluate_shards(self, count: int) -> pipeline.RunResult:
        """As the reusable workflow does: `shards`, a job for each, `gather`."""
        folders = []
        for number, names in enumerate(split_models(self.config.models, count)):
            models = tuple(model for model in self.config.models if model.name in names)
            context = replace(make_context(replace(self.config, models=models), self.now()), second_look=SECOND_LOOK)
            done = pipeline.converge(context, pipeline.evaluate(context), frozenset(Target))
            folders.append(self.services.folder / f"shard-{number}")
            pipeline.write_results(folders[-1], done, self.now())
        return merge_shards(folders, len(folders))[0]

    def end(self) -> None:
        """The story is over: what reached a person since the last expectation was not needed."""
        self._compare_notifications(0)

    # What people do.

    def acknowledge(self, model: str = "") -> None:
        """Press the button on every open incident at PagerDuty."""
        for incident in self._incidents(model):
            self.services.pagerduty.standin.state.acknowledge_as_person(incident)

    def resolve(self, model: str = "") -> None:
        """Resolve every open incident by hand, at PagerDuty."""
        for incident in self._incidents(model):
            self.services.pagerduty.standin.state.resolve_as_person(incident)

    def comment(self, command: str, model: str = "") -> None:
        """Write ``/modelwatch COMMAND`` on the newest issue."""
        self._person(model).add_comment(self.issue(model).number, f"/modelwatch {command}")

    def close_issue(self, reason: str = "completed", model: str = "") -> None:
        self._person(model).close_issue(self.issue(model).number, reason)

    # What services do.

    def down(self, service: str, status: int = 503, times: int = -1) -> None:
        """``wandb``, ``github`` or ``pagerduty`` answers with ``status`` to everything, until it is ``up``, or so many
        ``times``."""
        self.services[service].inject(Fault("status", status=status, times=times))

    def slow(self, service: str, seconds: float) -> None:
        """Each answer takes so long, until the service is ``up``."""
        self.services[service].inject(Fault("delay", seconds=seconds, times=-1))

    def up(self, service: str) -> None:
        self.services[service].faults.clear()

    @contextmanager
    def without(self, variable: str) -> Iterator[None]:
        """The evaluator's environment lacks ``variable``."""
        value = os.environ.pop(variable)
        try:
            yield
        finally:
            os.environ[variable] = value

    def finish(self, verb: str, conclusion: str = "success", model: str = "") -> None:
        """Every workflow run of ``verb`` that is under way ends."""
        state = self.services.github.standin.state
        for run in list(state.repo(self._repository(model)).runs.items.values()):
            if run.title.split()[1] == verb and run.status != "completed":
                state.finish_run(run.id, conclusion)

    def publish(self, count: int, production: str, model: str = "") -> None:
        """The registry holds ``count`` versions, v0 onwards, of which ``production`` serves."""
        state, name = self.services.wandb.standin.state, model or self._model
        for number in range(count):
            aliases, files = (["production"] if f"v{number}" == production else []), {"model.bin": b"%d" % number}
            state.add_artifact(ENTITY, f"{name}-prod", name, files, aliases=aliases, created_at=BEGIN - count + number)

    def move(self, verb: str, *options: str, model: str = "") -> None:
        """Every workflow run of ``verb`` that is under way makes its move as the reusable workflow does, and ends."""
        state = self.services.github.standin.state
        for run in list(state.repo(self._repository(model)).runs.items.values()):
            if run.title.split()[1] != verb or run.status == "completed":
                continue
            given = run.payload["inputs"]
            names = {"--key": "key", "--from": "version", "--reason": "reason", "--issue": "issue"}
            flags = [f"{flag}={given[name]}" for flag, name in names.items() if given.get(name)]
            done = self.run(release_commands, verb, *flags, *options, given["target_version"])
            state.finish_run(run.id, "failure" if done.exit_code else "success", done.output)

    # What must be so.

    def expect(
        self,
        *,
        woken: int | None = None,
        page: str = "",
        urgency: str = "",
        details: str = "",
        incident: str = "",
        beside: str = "",
        open_incidents: int | None = None,
        issues: int | None = None,
        title: str = "",
        comments: int | None = None,
        dispatched: tuple[str, ...] | None = None,
        step: str = "",
        no_step: str = "",
        says: str = "",
        verdict: str = "",
        status: str = "",
        audit: str = "",
        review: str = "",
        summary: str = "",
        labels: str = "",
        assignees: tuple[str, ...] | None = None,
        model: str = "",
    ) -> None:
        """Compare with what happened until now; what disagrees is collected, and the story goes on.

        ``woken``: how often a person was notified since this was last asked. ``page``, ``urgency``, ``details``
        and ``incident``: of the newest notification severity, title and key; urgency; details; its incident's status.
        ``beside``: the change events, which appear beside incidents and notify nobody.
        ``issues`` and ``open_incidents``: how many are open. ``title``, ``comments``, ``step`` (the section *Next
        step*), ``no_step`` and ``says`` (body and comments): of the newest issue. ``dispatched``: the verbs of every
        workflow run. ``verdict``, ``status``, ``audit`` and ``review`` (of the newest issue): what ``diagnose`` and
        these commands print. ``summary``: of the newest evaluation. ``labels`` and ``assignees``: of the newest issue.
        Texts are regular expressions, searched without regard to case.
        """
        if woken is not None:
            self._compare_notifications(woken)
        newest = self.notifications[-1] if self.notifications else None
        self._match("record", page, f"{newest.severity} {newest.title} {newest.key}" if newest else "")
        pages = self.services.pagerduty.standin.state
        paged = pages.find_incident(newest.incident) if newest else None
        self._match("record", details, str(paged.event["payload"]["custom_details"]) if paged else "")
        self._match("record", incident, paged.status if paged else "")
        self._match("record", beside, self.change_events)
        if open_incidents is not None:
            self._equal("record", "open incidents", open_incidents, len(self._incidents(model)))
        self._match("record", urgency, newest.urgency if newest else "")
        if issues is not None:
            self._equal("record", "open issues", issues, len([i for i in self._issues(model) if i.state == "open"]))
        if comments is not None:
            self._equal("record", "comments", comments, self.issue(model).comments)
        if dispatched is not None:
            runs = self.services.github.standin.state.repo(self._repository(model)).runs.items.values()
            self._equal("step", "dispatched", dispatched, tuple(run.title.split()[1] for run in runs))
        self._match("record", title, self.issue(model).title if title else "")
        self._match("record", says, self.text(model) if says else "")
        self.steps += bool(step or no_step)
        self._match("step", step, self.next_step(model) if step else "")
        if no_step and re.search(no_step, self.next_step(model), re.IGNORECASE):
            self._add("step", f"{no_step!r} is advised: {self.next_step(model)!r}")
        if verdict:
            found = self.diagnosis(model)
            self._match("record", verdict, f"{found.headline}\n{found.sections}\nNext: {found.next}")
        for command, pattern in ((status_command, status), (audit_command, audit)):
            self._match("record", pattern, self.output(command) if pattern else "")
        if review:
            self._match("record", review, self.output(review_command, str(self.issue(model).number)))
        if summary:
            done = self.results[-1]
            self._match("record", summary, job_summary(done.judgement, done.plan, done.receipts))
        self._match("record", labels, ", ".join(self.issue(model).labels) if labels else "")
        if assignees is not None:
            self._equal("record", "assignees", assignees, tuple(self.issue(model).assignees))

    def match(self, pattern: str, text: str) -> None:
        """``pattern`` has to be in ``text``, which a command printed."""
        self._match("record", pattern, text)

    def run(self, command: click.Command, *arguments: str) -> Result:
        """Run ``command``, as of now."""
        path = str(self.services.folder / "modelwatch.yml")
        return CliRunner().invoke(command, [*arguments, "--config", path, "--now", f"{self.now():.0f}"])

    def output(self, command: click.Command, *arguments: str) -> str:
        """What ``command`` prints."""
        return self.run(command, *arguments).output

    @property
    def config(self) -> Config:
        assert self._config is not None, "`configure` comes first"
        return self._config

    @property
    def change_events(self) -> str:
        """What PagerDuty shows beside incidents, a line each."""
        events = self.services.pagerduty.standin.state.change_events
        return "\n".join(str(one.event["payload"]["summary"]) for one in events)

    @property
    def notifications(self) -> list[Any]:
        """What reached a person, oldest first."""
        return self.services.pagerduty.standin.state.notifications

    def issue(self, model: str = "") -> Any:
        """The newest issue that modelwatch opened."""
        issues = self._issues(model)
        assert issues, f"there is no issue at hour {self.hour:g}"
        return max(issues, key=lambda issue: issue.number)

    def text(self, model: str = "") -> str:
        """The newest issue with its comments."""
        issue = self.issue(model)
        comments = self.services.github.standin.state.repo(self._repository(model)).comments.items.values()
        return "\n\n".join([issue.body or "", *(one.body for one in comments if one.issue == issue.number)])

    def next_step(self, model: str = "") -> str:
        """The first paragraph of the section *Next step* of the newest issue."""
        return self.issue_section("Next step", model).partition("\n\n")[0]

    def issue_section(self, title: str, model: str = "") -> str:
        """One section of the newest issue."""
        found = re.search(rf"### {title}\n\n(.*?)(?=\n\n###|\Z)", self.issue(model).body or "", re.DOTALL)
        return found[1] if found else ""

    def diagnosis(self, model: str = "") -> Diagnosis:
        """What ``modelwatch diagnose`` shows of ``model``, or without one."""
        return diagnose(collect_input(make_context(self.config, self.now()), model), self.now())

    @property
    def _model(self) -> str:
        return self.config.models[0].name if self._config else next(iter(self._values))

    def _repository(self, model: str) -> str:
        return f"{ENTITY}/{model or self._model}"

    def _person(self, model: str) -> Person:
        state = self.services.github.standin.state
        return Person(state, state.repo(self._repository(model)), PERSON)

    def _issues(self, model: str) -> list[Any]:
        repo = self.services.github.standin.state.repo(self._repository(model))
        return [issue for issue in repo.issues.items.values() if issue.login == BOT]

    def _incidents(self, model: str) -> list[Any]:
        incidents = self.services.pagerduty.standin.state.incidents
        named = [found for found in incidents if found.service.name == f"{model}-model" or not model]
        return [found for found in named if found.is_open]

    def _log_until(self, hour: int) -> None:
        """Log the hours that are not logged yet, each at its end."""
        for end in range(self._logged + 1, hour + 1):
            for name, values in self._values.items():
                row = _make_row(name, end, values, self.rows)
                state, version = self.services.wandb.standin.state, self._versions[name]
                if (name, version) not in self._runs:
                    began = BEGIN + end * HOUR
                    config = {"model_version": version}
                    run = state.add_run(ENTITY, f"{name}-prod", f"serve-{version}", config, created_at=began)
                    run.state = "running"
                    self._runs[name, version] = run
                state.append_history(self._runs[name, version], [row] if len(row) > 3 else [])
        self._logged = max(self._logged, hour)

    def _compare_notifications(self, woken: int) -> None:
        found = len(self.notifications) - self._seen
        self.wakes += woken
        self._seen = len(self.notifications)
        if found != woken:
            kind = "silence" if found < woken else "page"
            self._add(kind, f"a person was notified {found} times, not {woken}")

    def _equal(self, kind: str, name: str, wanted: object, found: object) -> None:
        if wanted != found:
            self._add(kind, f"{name}: {found}, not {wanted}")

    def _match(self, kind: str, pattern: str, text: str) -> None:
        if pattern and not re.search(pattern, text, re.IGNORECASE | re.DOTALL):
            self._add(kind, f"{pattern!r} is not in {text!r}")

    def _add(self, kind: str, text: str) -> None:
        self.disagreements.append(Disagreement(kind, self.hour, text))


def _make_row(model: str, hour: int, values: Mapping[str, float | None], count: int) -> dict[str, Any]:
    """The row that ends at ``hour``: rates with the noise of their rows, the same every time."""
    time = BEGIN + hour * HOUR
    row: dict[str, Any] = {"monitor/time": time, "_timestamp": time, "eval/n": count}
    for name, rate in values.items():
        if rate is None:
            continue
        luck = Random(f"{model}/{name}/{hour}").gauss(0, 1)
        metric, _, region = name.partition("_")
        key, rows = (f"eval/region={region}", count // REGIONS) if region else ("eval", count)
        spread = math.sqrt(rate * (1 - rate) / rows) if 0 <= rate <= 1 else abs(rate) * 0.002
        row |= {f"{key}/{metric}": rate + luck * spread, f"{key}/n": rows}
    return row
