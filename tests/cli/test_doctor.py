"""``modelwatch doctor``: a sound project has no problem, and each planted mistake is one line that names it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from modelwatch.config.templates import render_starter_files
from modelwatch.distribution import PIN
from modelwatch.doctor.release import check_commands
from modelwatch.doctor.setup_check import CheckStatus
from modelwatch.model.monitored_model import Model, ReleaseSpec
from modelwatch.model.rule import BaselineEntry
from modelwatch.step_files import write_baselines
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github import run_lifecycle
from modelwatch.testing.standins.github.records import Label, Workflow
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn
from tests.stubs import workflow

from .world import BEGIN, HEALTHY, HOUR, REPOSITORY, TABLE, WANDB, Ran, World, log_to_wandb

STARTER = render_starter_files(model="churn", entity="acme", project="churn-prod", repository=REPOSITORY, owner="@a/b")
DAY = 24 * HOUR
VALUE = "baseline: {value: 0.92, n: 100000}"
FILE = "baseline: {file: churn.json}"
METRIC = "metric: eval/accuracy\n"
SEGMENT = f'{METRIC}        segments: "eval/region=*/accuracy"\n'
ESCALATION = "escalation: {policy: growth, steps: [{users: oncall@example.com, wait: 10m}]}"
LABELS = 'labels: ["model:churn"]'
WATCH = ".github/workflows/modelwatch.yml"
RETRAIN = ".github/workflows/retrain.yml"
RELEASE = "    release: {artifact: acme/churn-prod/churn, deploy: ./deploy.sh}\n    rules:\n"
NEVER = -1


@dataclass(frozen=True)
class Project:
    """A sound project; a mistake is planted before ``examine``."""

    world: World
    wandb: Server[WandbStandIn]

    def replace(self, *pairs: tuple[str, str], name: str = "modelwatch.yml") -> None:
        text = self.world.read(name)
        for before, after in pairs:
            assert before in text
            text = text.replace(before, after)
        self.world.write(name, text)

    def read_table(self, *levels: float, n: int = 5000) -> None:
        """Read a table instead of W&B: the mistake is elsewhere."""
        self.replace((WANDB, TABLE))
        self.world.metrics(*(levels or [HEALTHY] * 12), n=n)

    def log(self, *levels: float, **extra: Any) -> None:
        log_to_wandb(self.wandb, *levels, **extra)

    def examine(self) -> Ran:
        return self.world.run("doctor", "--format", "json")


@pytest.fixture
def project(world: World, wandb_server: Server[WandbStandIn]) -> Project:
    world.config(source=WANDB)
    world.at(12)
    names = (".github/workflows/modelwatch.yml", ".github/workflows/modelwatch-commands.yml")
    for name in names:
        world.write(name, STARTER[name])
    found = Project(world, wandb_server)
    found.log(*[HEALTHY] * 12)
    return found


def findings(ran: Ran) -> list[dict[str, str]]:
    return [check for check in ran.json["checks"] if check["status"] != "ok"]


def test_a_sound_project_has_no_problem(project: Project) -> None:
    ran = project.examine()
    assert (ran.code, findings(ran), ran.err) == (0, [], "")
    subjects = {check["subject"] for check in ran.json["checks"]}
    assert subjects >= {
        "configuration",
        "source",
        "W&B",
        "metric",
        "sensitivity",
        "workflow",
        "GitHub",
        "people",
        "PagerDuty",
    }
    assert (project.world.issues, project.world.runs, project.world.incidents) == ([], [], [])
    shown = project.world.run("doctor")
    assert (shown.code, shown.err) == (0, "")
    assert "acme/churn-prod: 1 run with the tag production" in " ".join(shown.out.split())


# --- mistakes: what is planted


def baseline(source: str = "metrics.csv, a month", **fields: Any) -> Callable[[Project], None]:
    """A captured file, and a table that it was captured from."""

    def plant(project: Project) -> None:
        project.read_table()
        project.replace((VALUE, FILE))
        entry: dict[str, Any] = {"n": 1e5, "captured": BEGIN - DAY, "points": 9, "labels": ()} | fields
        name, value = entry.pop("name", "eval/accuracy"), 0.92
        write_baselines(
            project.world.folder / "churn.json", (BaselineEntry(name, value=value, source=source, **entry),)
        )

    return plant


def edit(*pairs: tuple[str, str], table: bool = False) -> Callable[[Project], None]:
    def plant(project: Project) -> None:
        if table:
            project.read_table()
        project.replace(*pairs)

    return plant


def variable(name: str, value: str, *, table: bool = True) -> Callable[[Project], None]:
    def plant(project: Project) -> None:
        if table:
            project.read_table()
        project.world.setenv(name, value)

    return plant


def token(**permissions: str) -> Callable[[Project], None]:
    """A GITHUB_TOKEN with these permissions only."""

    def plant(project: Project) -> None:
        project.read_table()
        project.world.setenv("GITHUB_TOKEN", project.world.github.standin.state.add_token(permissions=permissions))

    return plant


def reader(project: Project) -> None:
    """The token of a person who may only read."""
    project.read_table()
    state = project.world.github.standin.state
    state.repo(REPOSITORY).collaborators["bob"] = "read"
    permissions = {"issues": "write", "actions": "write"}
    project.world.setenv("GITHUB_TOKEN", state.add_token("bob", permissions, kind="user"))


def other_author(project: Project) -> None:
    """In a workflow whose token is not that of the trusted App."""
    project.read_table()
    project.world.setenv("GITHUB_ACTIONS", "true")
    project.replace(("people: [alice]", 'authors: ["our-app[bot]"], people: [alice]'))


def other_author_at_home(project: Project) -> None:
    """On somebody's machine, whose token the next workflow run would not trust."""
    other_author(project)
    project.world.delenv("GITHUB_ACTIONS")


def no_events(project: Project) -> None:
    token(issues="write", actions="write")(project)
    project.replace(("retrain: retrain.yml", f"retrain: {{repository: {REPOSITORY}, event_type: retrain}}"))


def owner_of_an_example(project: Project) -> None:
    project.read_table()
    files = {f".github/workflows/{verb}.yml": workflow(verb) for verb in ("retrain", "rollback")}
    state = project.world.github.standin.state
    state.add_repo("real/churn", files=files, collaborators={"alice": "write"})
    project.replace((REPOSITORY, "real/churn"))


def file(name: str, text: str, *pairs: tuple[str, str]) -> Callable[[Project], None]:
    def plant(project: Project) -> None:
        project.read_table()
        project.world.write(name, text)
        project.replace(*pairs)

    return plant


def empty_project(project: Project) -> None:
    project.replace(("churn-prod", "empty"))
    project.wandb.standin.state.add_project("acme", "empty")


def late_points(project: Project) -> None:
    project.world.at(12 + 4 * 24)


def counts_elsewhere(project: Project) -> None:
    """Counts so far from the values that none belongs to one of them."""
    rows: list[dict[str, float]] = []
    for hour in range(1, 13):
        rows += [{"_timestamp": BEGIN + hour * HOUR, "_step": 2 * hour, "eval/accuracy": HEALTHY}]
        rows += [{"_timestamp": BEGIN + (hour + 0.5) * HOUR, "_step": 2 * hour + 1, "eval/n": 5000}]
    project.wandb.standin.state.add_run(
        "acme", "churn-prod", "day-1", {"model_version": "v6"}, ["production"], rows, BEGIN
    )


def measured(project: Project) -> None:
    """Checks of a log that nobody has measured."""
    log = "measure: {files: log.csv, id: id, time: time, version: version, prediction: p, label: y}"
    project.replace(("    rules:\n", f"    {log}\n    quality: on\n    rules:\n"))


def with_log(metric: str) -> Callable[[Project], None]:
    """A metric that a log would give, if it were asked for it."""

    def plant(project: Project) -> None:
        log = "measure: {files: log.csv, id: id, time: time, version: version, prediction: p, label: y, score: s}"
        project.replace(("    rules:\n", f"    {log}\n    rules:\n"), (METRIC, f"metric: {metric}\n"))

    return plant


def other_profile(project: Project) -> None:
    """A training set of another model, with a rule about its column."""
    (project.world.folder / "train.csv").write_text("id,time,p,y,age\n" + "1,2026-11-01,a,a,7\n2,2026-11-01,b,b,8\n")
    log = "measure: {files: train.csv, id: id, time: time, prediction: p, label: y, positive: a, features: [age]}"
    rule = (
        "      - {name: age, kind: data-drift, drift: features/age, method: psi, baseline: {file: age.npz}, "
        "tiers: {warning: {do: [issue]}}}\n"
    )
    text = project.world.read("modelwatch.yml")
    project.replace(("    rules:\n", f"    {log}\n    rules:\n"), ("name: churn", "name: fraud"))
    capture = ("baseline", "capture", "--model", "fraud", "--from-table", "train.csv", "--out", "age.npz")
    ran = project.world.run(*capture)
    assert ran.code == 0, ran.err
    project.world.write("modelwatch.yml", text.replace("    rules:\n", f"    rules:\n{rule}"))
    project.log(*[HEALTHY] * 12, config={"model_version": "v6"})
    run = project.wandb.standin.state.run("acme", "churn-prod", "day-1")
    assert run is not None
    for row in run.history.rows:
        row["features/age/psi"] = 0.01


def new_segment(project: Project) -> None:
    """A captured file that knows the whole alone, and a log that has a region, too."""
    baseline("/elsewhere/metrics.csv, a month")(project)
    lines = project.world.read("metrics.csv").splitlines()
    rows = [f"{lines[0]},eval/region=eu/accuracy,eval/region=eu/n", *(f"{line},0.92,5000" for line in lines[1:])]
    project.world.write("metrics.csv", "\n".join(rows))
    project.replace((METRIC, SEGMENT))


def nobody_on_call(project: Project) -> None:
    project.read_table()
    project.replace(("service: churn-model}", f"service: churn-model, {ESCALATION}}}"))


def not_set_up(project: Project) -> None:
    project.world.pagerduty.standin.state.add_user("oncall@example.com")
    project.read_table()
    project.replace(("service: churn-model}", f"service: new, {ESCALATION}}}"))


def few_rows(project: Project) -> None:
    project.read_table(n=5)


def no_such_table(project: Project) -> None:
    project.read_table()
    project.replace(("metrics.csv", "metric.csv"))


def issues_off(project: Project) -> None:
    project.read_table()
    project.world.github.standin.state.repo(REPOSITORY).has_issues = False


def label_nearly_there(project: Project) -> None:
    project.read_table()
    project.replace((LABELS, 'labels: ["model:chrun"]'))
    state = project.world.github.standin.state
    state.repo(REPOSITORY).labels["model:churn"] = Label(state.next_id(), "model:churn", "ededed", None)


def stranger(project: Project) -> None:
    project.read_table()
    project.world.github.standin.state.account_id("mallory")
    project.replace(("people: [alice]", "people: [alice, mallory]"))


def remote_workflow(*, state: str = "") -> Callable[[Project], None]:
    """A workflow that GitHub does not have, or has switched off."""

    def plant(project: Project) -> None:
        project.read_table()
        if not state:
            project.world.write(".github/workflows/train.yml", workflow("retrain"))
            project.replace(("retrain: retrain.yml", "retrain: train.yml"))
            return
        github = project.world.github
        repo = github.standin.state.repo(REPOSITORY)
        found = run_lifecycle.find_workflow(github.standin.state, repo, "retrain.yml")
        repo.workflows[found.id] = Workflow(found.id, found.path, found.created, state)

    return plant


def deploy(*, mode: int | None = 0o755, aliases: tuple[str, ...] = ("production",)) -> Callable[[Project], None]:
    """A model with a release; no ``mode``: without its script, no ``aliases``: without any version."""

    def plant(project: Project) -> None:
        project.replace(("    rules:\n", RELEASE))
        if mode is not None:
            project.world.write("deploy.sh", "#!/bin/sh\n").chmod(mode)
        if aliases:
            files = {"model.txt": b"1"}
            project.wandb.standin.state.add_artifact("acme", "churn-prod", "churn", files, aliases=aliases)

    return plant


def runbook(page: str) -> Callable[[Project], None]:
    def plant(project: Project) -> None:
        project.read_table()
        project.world.write("runbooks/churn.md", STARTER["runbooks/churn.md"])
        project.replace((METRIC, f"{METRIC}        runbook: {page}\n"))

    return plant


def percentages(project: Project) -> None:
    project.read_table(*[92.0] * 46)


def counts_of_texts(project: Project) -> None:
    _change_every_second_count(project, '"5,135"')


def counts_left_out(project: Project) -> None:
    _change_every_second_count(project, "")


def _change_every_second_count(project: Project, cell: str) -> None:
    project.read_table(*[HEALTHY] * 46)
    head, *lines = project.world.read("metrics.csv").splitlines()
    lines[::2] = [f"{line.rpartition(',')[0]},{cell}" for line in lines[::2]]
    project.world.write("metrics.csv", "\n".join([head, *lines]))


def without_people(project: Project) -> None:
    project.read_table()
    project.replace(("people: [alice]", "people: []"))


MISTAKES: dict[str, tuple[Callable[[Project], None], str]] = {
    # W&B
    "project": (edit(("churn-prod", "churn-prd")), "no project acme/churn-prd, or .* Did you mean `churn-prod`"),
    "tag": (edit(("tags: production", "tags: producton")), "the tag 'producton'. Did you mean `production`"),
    "job type": (
        edit(("runs: {", "runs: {job_type: serve, ")),
        "no W&B run of acme/churn-prod has the job_type 'serve'",
    ),
    "metric": (edit((METRIC, "metric: eval/accurcy\n")), "logs eval/accurcy, .* Did you mean `eval/accuracy`"),
    "count": (edit(("weight: eval/n", "weight: eval/m")), "nothing logs eval/m, the count of accuracy. Did you"),
    "version": (edit(("version: model_version", "version: model_versoin")), "has 'model_versoin'.* `model_version`"),
    "time": (
        edit(("version: model_version", "version: model_version, time: evnt")),
        r"no W&B run logs 'evnt' \(`wandb: {time}`\)",
    ),
    "segments": (edit((METRIC, SEGMENT)), r"nothing logs eval/region=\*/accuracy, a segment of accuracy"),
    "no run": (empty_project, "acme/empty has no run yet. .*wandb.init"),
    "key": (variable("WANDB_API_KEY", "short", table=False), "the W&B API key has 5 characters"),
    "old": (late_points, "the newest point is 4 days old"),
    "counts elsewhere": (counts_elsewhere, "eval/n, the count of accuracy, is never logged at the time"),
    "not measured": (measured, "nothing logs what `quality` checks.* `modelwatch measure`"),
    "not scored": (with_log("holdout/accuracy"), r"no holdout was scored yet.* `measure: \{holdout: \.\.\.\}`"),
    "no operations": (with_log("latency/p95"), r"nothing logs latency/p95.* `measure: \{operations: \{latency: COLUMN"),
    "no calibration": (
        with_log("calibration/slope"),
        r"nothing logs calibration/slope.* `measure: \{calibration: on\}`",
    ),
    # tables and what is seen in them
    "table": (no_such_table, "metric.csv: there is no such file"),
    "column": (edit(("version: version}", "version: versoin}"), table=True), "no column 'versoin'. Did you mean"),
    "table metric": (edit((METRIC, "metric: eval/accurcy\n"), table=True), "nothing logs eval/accurcy"),
    "few rows": (few_rows, "accuracy cannot see its own limit"),
    "percent": (percentages, r"46 of 46 points of eval/accuracy .* outside \[0, 1\], such as 92: .*interval: normal"),
    "counts for people": (
        counts_of_texts,
        "no number in 23 cells of column 'eval/n'; the first is '5,135'",
    ),
    "counts left out": (counts_left_out, "23 of 46 points of eval/accuracy lack a count, eval/n"),
    "no interval": (edit(("weight: eval/n\n", "interval: none\n"), table=True), "accuracy: .*not known what it sees"),
    # baselines
    "no baseline": (edit((VALUE, FILE), table=True), "the baseline file churn.json does not exist"),
    "other metric": (baseline(name="eval/f1"), "churn.json has no entry for eval/accuracy"),
    "other origin": (baseline("W&B acme/fraud, a month"), "was captured from W&B acme/fraud"),
    "old baseline": (baseline(captured=BEGIN - 400 * DAY), "churn.json of accuracy is 40[01] days old"),
    "no count": (baseline(n=None), "churn.json of accuracy has no count"),
    "other profile": (other_profile, "the baseline age.npz was captured for the model fraud"),
    "new segment": (new_segment, "churn.json of accuracy has no value for region=eu"),
    # PagerDuty
    "nobody on call": (nobody_on_call, "escalation policy growth: .*no user 'oncall@example.com'"),
    "not set up": (not_set_up, "PagerDuty is not as configured .* `modelwatch pagerduty apply`"),
    "no routing key": (variable("PAGERDUTY_ROUTING_KEY", ""), "environment has no PAGERDUTY_ROUTING_KEY"),
    "short key": (variable("PAGERDUTY_ROUTING_KEY", "0123456789abcdef"), "PAGERDUTY_ROUTING_KEY has 16 characters"),
    "wrong key": (variable("PAGERDUTY_ROUTING_KEY", "f" * 32), "refuses PAGERDUTY_ROUTING_KEY, the routing key"),
    "wrong token": (variable("PAGERDUTY_TOKEN", "u+wrongwrongwrong"), "PAGERDUTY_TOKEN may not read incidents"),
    # GitHub
    "no token": (variable("GITHUB_TOKEN", ""), "there is no GitHub token"),
    "bad token": (variable("GITHUB_TOKEN", "ghs_wrongwrongwrongwrong"), "401 Bad credentials"),
    "repository": (edit((REPOSITORY, "acme/chrun-model"), table=True), "no repository acme/chrun-model"),
    "issues off": (issues_off, "issues are switched off in acme/churn-model"),
    "issues": (token(actions="write"), "the token may not open issues .* It needs `issues: write`"),
    "actions": (token(issues="write"), "the token may not start workflows .* It needs `actions: write`"),
    "contents": (no_events, "may not send repository_dispatch .* It needs `contents: write`"),
    "reader": (reader, "the token's account may not label issues in acme/churn-model"),
    "author": (other_author, r"the token writes as github-actions\[bot\], whose issues are not trusted"),
    "home: author": (other_author_at_home, r"the token writes as github-actions\[bot\], whose issues are not trusted"),
    "label": (label_nearly_there, "has no label 'model:chrun'.* Did you mean `model:churn`"),
    "login": (edit(("people: [alice]", "people: [alice, alcie]"), table=True), "GitHub has no account 'alcie'"),
    "stranger": (stranger, "mallory .* cannot see the issues of acme/churn-model"),
    "team": (
        edit(("people: [alice]", 'people: ["@acme/none"]'), table=True),
        "members of @acme/none .* cannot be read",
    ),
    "nobody": (without_people, "proposes rollback, and nobody may approve it"),
    # workflows
    "workflow": (edit(("retrain: retrain.yml", "retrain: retrian.yml"), table=True), "no .*retrian.yml. Did you mean"),
    "watchdog": (
        edit(("version: 1\n", "version: 1\nwatchdog: {workflow: watchdog.yml}\n"), table=True),
        "`watchdog`: there is no .*watchdog.yml. `modelwatch init --watchdog` writes one",
    ),
    "trigger": (
        file(RETRAIN, workflow("retrain").replace("workflow_dispatch", "workflow_call")),
        "needs `on: workflow_di",
    ),
    "input": (
        file(RETRAIN, workflow("retrain").replace("      reason: {type: string}\n", "")),
        "lacks the inputs `reason`",
    ),
    "another release": (
        file(WATCH, STARTER[WATCH].replace(PIN, "0123456789abcdef")),
        "the workflows use modelwatch at 0123456789ab, and this command line is of the release",
    ),
    "not pushed": (remote_workflow(), "GitHub has no workflow train.yml on the default branch"),
    "switched off": (remote_workflow(state="disabled_manually"), "retrain.yml is switched off in acme/churn-model"),
    "stub": (file(RETRAIN, STARTER[RETRAIN]), "retrain.yml is still as `init` wrote it"),
    "no schedule": (
        file(".github/workflows/modelwatch.yml", "on: push\njobs: {}\n"),
        "no workflow in .* runs an evaluation",
    ),
    "no runbook": (runbook("runbooks/chrun.md"), "no runbooks/chrun.md, .* Did you mean `runbooks/churn.md`"),
    "open runbook": (runbook("runbooks/churn.md"), "runbooks/churn.md is unfinished"),
    # releases
    "no script": (deploy(mode=None), "`deploy: ./deploy.sh`: there is no file deploy.sh"),
    "no mode": (deploy(mode=0o644), "deploy.sh is not executable. .*chmod"),
    "no artifact": (deploy(aliases=()), "acme/churn-prod/churn"),
    "nothing serves": (
        deploy(aliases=("candidate",)),
        "no version of acme/churn-prod/churn has the alias `production`",
    ),
    # names
    "entity": (edit(("entity: acme", "entity: my-team")), "`entity: my-team` is a placeholder"),
    "owner": (edit(("@acme/growth-ml", "@your-org/your-team"), table=True), "`owner: @your-org/your-team` is a placeh"),
    "example": (owner_of_an_example, "`owner: @acme/growth-ml` is the name in our examples"),
    "unknown key": (edit(("window: 1h", "windwo: 1h"), table=True), "windwo"),
}
"""What is planted, and what the one line must say."""


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_one_line(project: Project, name: str) -> None:
    plant, pattern = MISTAKES[name]
    plant(project)
    ran = project.examine()
    found = [check for check in findings(ran) if check["subject"] != "services"]
    assert len(found) == 1, json.dumps(found, indent=1)
    assert re.search(pattern, f"{found[0]['message']} {found[0]['hint']}"), found
    assert ran.code == (2 if found[0]["status"] == "problem" else 0)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("./there.sh $MODELWATCH_VERSION", ""),
        ("bash there.sh", ""),
        ("bash -c 'anything at all'", ""),
        ("STAGE=prod sh there.sh && echo done", ""),
        ("if true; then ./gone.sh; fi", ""),
        ('"$DEPLOY" now', ""),
        ("bash gone.sh", "there is no file gone.sh"),
        ("STAGE=prod ./gone.sh", "there is no file gone.sh"),
        ("no-such-program --now", "there is no program no-such-program here"),
    ],
)
def test_the_file_that_a_command_starts_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.sh").write_text("#!/bin/sh\n")
    (tmp_path / "there.sh").chmod(0o755)
    (found,) = check_commands(Model("m", ()), ReleaseSpec("a/b/c", deploy=line), Path(), os.environ["PATH"])
    assert problem in found.message
    assert (found.status is CheckStatus.OK) == (not problem)


@pytest.mark.parametrize(("service", "code"), [("W&B", 3), ("GitHub", 4), ("PagerDuty", 4)])
def test_a_service_that_is_down_is_one_line_and_the_rest_is_reported(project: Project, service: str, code: int) -> None:
    world = project.world
    servers: dict[str, Server[Any]] = {"W&B": project.wandb, "GitHub": world.github, "PagerDuty": world.pagerduty}
    server = servers[service]
    server.inject(Fault("status", status=502, times=NEVER))
    second = world.read("modelwatch.yml").partition("models:\n")[2].replace("name: churn", "name: fraud")
    world.write("modelwatch.yml", world.read("modelwatch.yml") + second)
    ran = project.examine()
    (found,) = findings(ran)
    assert (found["status"], found["subject"]) == ("unknown", service)
    assert ran.code == code
    others = {"GitHub", "PagerDuty", "workflow"} - {service}
    assert others <= {check["subject"] for check in ran.json["checks"] if check["status"] == "ok"}


def test_no_secret_is_printed(project: Project) -> None:
    project.world.setenv("PAGERDUTY_ROUTING_KEY", "f" * 32)
    project.world.setenv("GITHUB_TOKEN", "ghs_wrongwrongwrongwrong")
    ran = project.examine()
    assert ran.code == 2
    shown = project.world.run("doctor")
    for text in (ran.out, shown.out, ran.err, shown.err):
        assert "f" * 32 not in text
        assert "ghs_wrong" not in text


def test_a_configuration_that_cannot_be_read_is_reported_in_full(project: Project) -> None:
    project.replace(("window: 1h", "window: 1 fortnight"), ("weight: eval/n", "wait: eval/n"))
    ran = project.world.run("doctor")
    assert ran.code == 2
    text = " ".join(ran.out.split())
    assert "2 problems, 1 unknown" in text
    assert "nothing else was checked" in text
