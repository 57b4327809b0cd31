"""The states that the pages are about: for each kind a model that went wrong in its way, at the stand-ins."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from modelwatch.config.templates import WATCHDOG_FILE, render_starter_files
from modelwatch.distribution import PIN, SLUG
from modelwatch.model.rule import BaselineEntry
from modelwatch.step_files import encode_baselines
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github.run_lifecycle import run_schedule
from tests.cli.world import BEGIN, HOUR, REPOSITORY, World

from .gh import MONITOR, Gh

DEPLOYED, NOW, DAY_AFTER = 5, 8, 30
"""Hours: from the first of them on v7 serves, at the second somebody looks, the third is long after all is well."""

_MODEL = """\
version: 1
models:
  - name: churn
    owner: "@acme/growth-ml"
    table: {path: metrics.csv, version: version}
    pagerduty: {routing_key: "${PAGERDUTY_ROUTING_KEY}", token: "${PAGERDUTY_TOKEN}", service: churn-model}
    github: {repository: acme/churn-model, labels: ["model:churn"], authors: ["github-actions[bot]"], people: [alice]}
    workflows:
      retrain: retrain.yml
      rollback: {file: rollback.yml, mode: propose}
      degrade: {file: degrade.yml, mode: propose}
    improvement: {severity: warning, do: [issue]}
    measure: {files: predictions.csv, time: time, prediction: prediction, label: label, segments: [region]}
"""
_RELEASE = """\
    release:
      artifact: acme/train/churn
      deploy: 'eval "$DEPLOY"'
      degrade: "true"
      train: 'eval "$DEPLOY"'
      max_rollbacks: 2
      most_period: 1d
"""
_COUNTED = "baseline: {value: 0.92, n: 100000}"
_WORSE = "warning: {drop: 2%, do: [issue]}, critical: {drop: 10%, do: [issue, page, rollback]}"
_TRAIN = """\
import wandb
with wandb.init(entity="acme", project="train", id="newest") as run:
    artifact = wandb.Artifact("churn", "model")
    with artifact.new_file("model.bin") as file:
        file.write("new")
    run.log_artifact(artifact)
"""

BASELINES = encode_baselines((BaselineEntry("labels/class_share", (), 0.2),))
"""The values that baselines of rules are read from."""

Row = dict[str, object]


@dataclass(frozen=True)
class Scene:
    """A model of which ``alert`` fires. ``row``: what is logged in an hour, by whether it went wrong by then."""

    alert: str
    rules: str
    row: Callable[[bool], Row]
    seen: tuple[str, ...] = ()
    """What the page quotes and the commands of its first five minutes really say."""
    after: Callable[[World], None] | None = None
    """What else happens before somebody looks."""
    moves: Mapping[int, Sequence[tuple[str, ...]]] = field(default_factory=dict)
    """Of a scene with releases: at an hour, what the deploy command is and what is moved."""
    causes: str = ""
    """The likely causes that the page marks, a line each."""
    past: int = 0
    """Hours that are logged before the first one."""
    began: int = DEPLOYED
    """The hour at which it went wrong."""
    varied: str = ""
    """A key whose healthy values differ from hour to hour."""
    fix: tuple[str, ...] = ()
    """The deploy command and the move that ends a trouble with releases."""
    whole: str = ""
    """What the configuration says beside its models."""
    repair: Callable[[World], None] | None = None
    """What ends the trouble, where that is not the model's."""

    def play(self, world: World) -> None:
        """Until somebody looks."""
        furnish(world)
        world.write("modelwatch.yml", f"{_MODEL}{_RELEASE if self.moves else ''}    rules:\n{self.rules}{self.whole}")
        self._log(world, NOW)
        for hour in range(DEPLOYED, NOW + 1):
            world.at(hour)
            for deploy, *move in self.moves.get(hour, ()):
                self._move(world, deploy, *move)
            world.run("run")
        world.setenv("DEPLOY", "true")
        if self.after:
            self.after(world)

    def recover(self, world: World) -> None:
        """The old version is back, and everything is as it used to be for a day."""
        world.pagerduty.clear()
        for run in world.runs:
            if run.status != "completed":
                world.github.standin.state.finish_run(run.id, "success")
        self._log(world, DAY_AFTER + NOW)
        if self.fix:
            world.at(NOW + 1)
            self._move(world, *self.fix)
        for hour in (NOW + 3, NOW + 4, NOW + DAY_AFTER - 1, NOW + DAY_AFTER):
            world.at(hour)
            if self.repair:
                self.repair(world)
            world.run("run")

    def _move(self, world: World, deploy: str, *move: str) -> None:
        world.setenv("DEPLOY", deploy)
        world.run("release", *move)

    def _log(self, world: World, until: int) -> None:
        rows: list[Row] = []
        for hour in range(1 - self.past, until + 1):
            bad, version = self.began <= hour <= NOW, "v7" if DEPLOYED <= hour <= NOW else "v6"
            row = self.row(bad)
            if self.varied and not bad:
                row[self.varied] = float(str(row[self.varied])) + hour % 5 / 1000
            rows.append({"time": _iso(hour), "version": version, **row})
        names = list(dict.fromkeys(name for row in rows for name in row))
        lines = [",".join(str(row.get(name, "")) for name in names) for row in rows]
        world.write("metrics.csv", "\n".join([",".join(names), *lines]) + "\n")


def furnish(world: World) -> None:
    """The workflows as ``modelwatch init`` writes them, one that degrades, and a prediction log."""
    files = render_starter_files(
        model="churn", entity="acme", project="p", repository=REPOSITORY, owner="@acme", watchdog=True
    )
    files = {path: text for path, text in files.items() if path.startswith(".github/")}
    rollback = files[".github/workflows/rollback.yml"]
    files[".github/workflows/degrade.yml"] = rollback.replace("rollback", "degrade")
    state = world.github.standin.state
    for path, text in files.items():
        state.add_file(state.repo(REPOSITORY), path, text)
        world.write(path, text)
    world.write("predictions.csv", predictions())
    world.write("baselines/churn.json", BASELINES)
    world.write("train.py", _TRAIN)
    world.setenv("PYTHON", sys.executable)


def predictions() -> str:
    """A log in which eu is right as ever, and latam is not since the deployment."""
    lines = ["time,region,prediction,label"]
    for hour in range(1, NOW):
        for number in range(60):
            region = "latam" if number % 3 == 0 else "eu"
            wrong = number % 10 == 0 or (region == "latam" and hour >= DEPLOYED and number % 2 == 0)
            lines.append(f"{_iso(hour)},{region},1,{0 if wrong else 1}")
    return "\n".join(lines) + "\n"


def _iso(hour: float) -> str:
    return datetime.fromtimestamp(BEGIN + hour * HOUR, UTC).strftime("%Y-%m-%dT%H:%MZ")


# --- what else happens


def _alice(world: World) -> Gh:
    return Gh(world, world.github.standin.state.add_token("alice", kind="user"))


def _training(world: World) -> None:
    """The retraining of the night is under way."""
    _alice(world).dispatch("retrain.yml", {"key": "nightly", "model": "churn"})


def _asked(world: World) -> None:
    """So is one that a person asked for."""
    world.github.standin.person(REPOSITORY, "alice").add_comment(world.issues[0].number, "/modelwatch retrain")
    world.run("run")


def _broke_off(world: World) -> None:
    _asked(world)
    _end(world)


def _by_hand(world: World) -> None:
    """A rollback that was started by hand broke off."""
    inputs = {"key": "first", "model": "churn", "version": "v7", "target_version": "v6"}
    _alice(world).dispatch("rollback.yml", inputs)
    _end(world)


def _end(world: World) -> None:
    for run in world.runs:
        world.github.standin.state.finish_run(run.id, "failure")


def _pagerduty_down(world: World) -> None:
    """The evaluation that could not page says so and fails."""
    world.pagerduty.inject(Fault("status", status=503, times=-1))
    world.run("run")
    _alice(world).dispatch(MONITOR, {"dry-run": "false"})
    _end(world)


def _origin(world: World) -> None:
    """The checkout knows where it came from, and modelwatch's own actions are where they are published."""
    world.setenv("GITHUB_REPOSITORY", REPOSITORY)
    state = world.github.standin.state
    library = state.add_repo(SLUG, private=False)
    library.git.commits[PIN] = replace(library.git.commits[library.git.branches["main"]], sha=PIN)
    library.git.branches["main"] = PIN
    state.add_release(library, "v1.0.0")


def _succeed(world: World) -> None:
    """Both schedules run again."""
    state = world.github.standin.state
    for name in (MONITOR, WATCHDOG_FILE):
        run = run_schedule(state, state.repo(REPOSITORY), name)
        state.finish_run(run.id)


# --- rules and rows


def _rule(name: str, kind: str, metric: str, base: str, tiers: str) -> str:
    timing = "window: 1h, every: 1h, for: 2, hold: 2"
    return f"      - {{name: {name}, kind: {kind}, {metric}, {timing}, {base}, tiers: {{{tiers}}}}}\n"


def _above(name: str, kind: str, metric: str, low: float, high: float) -> str:
    tiers = f"warning: {{above: {low}, do: [issue]}}, error: {{above: {high}, do: [issue, page]}}"
    return _rule(name, kind, f"metric: {metric}", "better: lower", tiers)


def _drop(name: str, kind: str, metric: str, base: float) -> str:
    return _rule(
        name, kind, f"metric: {metric}", f"baseline: {{value: {base}}}", "error: {drop: 10%, do: [issue, page]}"
    )


def _regions(bad: bool) -> Row:
    both = {"eval/region=eu/accuracy": 0.93, "eval/region=eu/n": 4000, "eval/region=latam/n": 1500}
    return {**both, "eval/region=latam/accuracy": 0.6 if bad else 0.91}


def _accuracy(bad: bool, level: float = 0.78) -> Row:
    return {"eval/accuracy": level if bad else 0.92, "eval/n": 5000}


def _with(name: str, good: float, bad: float) -> Callable[[bool], Row]:
    """A metric that goes wrong while accuracy stays as it is."""
    return lambda now: {**_accuracy(False), name: bad if now else good}


def _page(rules: str, row: Callable[[bool], Row], *seen: str, **more: Any) -> Scene:
    """The first rule is the one that fires, unless ``alert`` names one that modelwatch raises by itself."""
    alert = more.pop("alert", "") or rules.partition("name: ")[2].partition(",")[0]
    return Scene(alert, rules, row, seen, **more)


ACCURACY = _rule("accuracy", "accuracy-drop", "metric: eval/accuracy, weight: eval/n", _COUNTED, _WORSE)
_DRIFT = _rule(
    *("drift", "data-drift", 'drift: "features/*"', "method: psi"),
    "warning: {above: 0.1, do: [issue]}, error: {above: 0.25, do: [issue, page]}",
)
_PROMOTED = ("true", "promote", "v7", "--reason", "won the gate")
_BACK = ("true", "rollback", "v6", "--healthy", "v6", "--reason", "accuracy")

SCENES: dict[str, Scene] = {
    "accuracy-drop": _page(
        ACCURACY,
        lambda bad: {**_accuracy(bad), **_regions(bad)},
        "Changed",
        "before it began",
        "Data",
        causes="the new version is worse",
    ),
    "segment-drop": _page(
        _rule("regions", "segment-drop", 'metric: "eval/region=*/accuracy", weight: n', _COUNTED, _WORSE),
        _regions,
        *("Where", "Changed", "before it began"),
        causes="the new version handles a field of that segment wrongly",
    ),
    "data-drift": _page(_DRIFT + ACCURACY, _with("features/age/psi", 0.02, 0.4), "healthy"),
    "data-quality": _page(
        _above("nulls", "data-quality", "features/age/null_rate", 0.02, 0.1) + _DRIFT,
        lambda bad: {"features/age/null_rate": 0.3 if bad else 0.001, "features/age/psi": 0.4 if bad else 0.02},
        *("Changed", "before it began", "(muted)"),
        after=_training,
        causes="the new version reads the field wrongly",
    ),
    "label-delay": _page(
        _above("label-age", "label-delay", "labels/age_hours", 24, 48) + ACCURACY,
        lambda bad: {"labels/age_hours": 60 if bad else 6, **_accuracy(bad, 0.9), "eval/n": 40 if bad else 5000},
        "Data",
        after=_training,
    ),
    "label-drift": _page(
        _rule(
            *(
                "classes",
                "label-drift",
                "metric: labels/class_share",
                "better: neither, baseline: {file: baselines/churn.json}",
            ),
            "error: {rise: 50%, do: [issue, page]}",
        )
        + ACCURACY,
        _with("labels/class_share", 0.2, 0.4),
        "healthy",
        after=_training,
    ),
    "label-quality": _page(
        _drop("agreement", "label-quality", "labels/agreement", 0.9),
        lambda bad: {"labels/agreement": 0.6 if bad else 0.9},
        *("retrain.1", "sent"),
        after=_asked,
    ),
    "concept-drift": _page(
        _rule(
            *("concept", "concept-drift", "metric: estimate_check/accuracy", "better: lower"),
            "warning: {above: 1, do: [issue]}, error: {above: 1.5, do: [issue, page]}",
        )
        + ACCURACY,
        lambda bad: {"estimate_check/accuracy": 3.2 if bad else 0.4, **_accuracy(bad, 0.88)},
        *("Changed", "before it began"),
        causes="its scores mean something else",
    ),
    "prediction-drift": _page(
        _rule(
            *("positives", "prediction-drift", "metric: predictions/positive_rate"),
            *("better: neither, baseline: {value: 0.2}", "error: {rise: 50%, do: [issue, page]}"),
        ),
        lambda bad: {"predictions/positive_rate": 0.45 if bad else 0.2},
        *("Changed", "before it began"),
        causes="the release changed scores or cut-off",
    ),
    "calibration": _page(
        _above("ece", "calibration", "eval/ece", 0.03, 0.06) + ACCURACY,
        _with("eval/ece", 0.01, 0.12),
        *("Changed", "before it began"),
        causes="released without its calibration step",
    ),
    "latency": _page(
        _above("p95", "latency", "serving/latency_p95", 200, 400),
        _with("serving/latency_p95", 120, 900),
        *("Changed", "before it began"),
        causes="larger model, new feature lookup, lost cache",
    ),
    "error-rate": _page(
        _rule(
            *("errors", "error-rate", "metric: serving/error_rate", "better: lower"),
            "critical: {above: 5%, do: [issue, page, rollback]}",
        ),
        _with("serving/error_rate", 0.001, 0.2),
        *("Changed", "before it began"),
        causes="the release",
    ),
    "business-metric": _page(
        _drop("conversion", "business-metric", "business/conversion", 0.05) + ACCURACY,
        _with("business/conversion", 0.05, 0.03),
        *("Changed", "before it began"),
        causes="the new version optimises the wrong thing",
    ),
    "business-divergence": _page(
        _drop("conversion", "business-metric", "business/conversion", 0.05).replace("do: [issue, page]", "do: []")
        + ACCURACY
        + "    business: {currency: EUR, value: 1000 EUR/day, before: 800 EUR/day}\n",
        _with("business/conversion", 0.05, 0.03),
        *("got worse, and no technical metric did", "Changed", "before it began"),
        alert="business-divergence",
        after=_training,
        causes="the new version optimises the wrong thing",
    ),
    "anomaly": _page(
        _rule("orders", "anomaly", "metric: business/orders", "anomaly: {}", "error: {do: [issue, page]}") + ACCURACY,
        _with("business/orders", 120, 80),
        *("Changed", "before it began", "unlike anything in"),
        past=14 * 24,
        causes="the new version",
    ),
    "sudden-improvement": _page(
        ACCURACY.replace("value: 0.92", "value: 0.8"),
        lambda bad: {"eval/accuracy": 0.999 if bad else 0.8, "eval/n": 5000},
        *("suspiciously good", "Changed", "before it began"),
        alert="sudden-improvement",
        after=_training,
        causes=("the label leaks into the features, or the prediction is logged as the label\nperhaps really better"),
    ),
    "implausible-metric": _page(
        ACCURACY,
        lambda bad: {"eval/accuracy": 1.0, "eval/n": 5000} if bad else _accuracy(False),
        *("exactly perfect for hours, which it was not before",),
        alert="implausible-metric",
        after=_training,
        past=40,
        began=-3,
        varied="eval/accuracy",
        causes="the label leaks into the features, or the prediction is logged as the label",
    ),
    "monitoring-silent": _page(
        ACCURACY,
        lambda bad: {} if bad else _accuracy(False),
        *("no points in the window", "Data", "the newest judged point is"),
        alert="monitoring-silent",
    ),
    "delivery-failed": _page(
        ACCURACY, _accuracy, "cannot be observed:", "PagerDuty has trouble", after=_pagerduty_down
    ),
    "watchdog": _page(
        ACCURACY,
        lambda _: _accuracy(False),
        *("nothing is watched", "has not succeeded for twice its period"),
        alert="watchdog-silent",
        whole=f"watchdog: {{workflow: {WATCHDOG_FILE}, every: 1h, repository: {REPOSITORY}}}\n",
        repair=_succeed,
        after=_origin,
    ),
    "canary-failed": _page(
        ACCURACY,
        lambda _: _accuracy(False),
        *("was withdrawn", "canary"),
        alert="canary-failed",
        moves={
            5: [("true", "canary", "start", "v7", "--reason", "passed the gate")],
            6: [("true", "canary", "abort", "--reason", "accuracy is worse than the champion's")],
        },
    ),
    "retraining-failed": _page(
        ACCURACY,
        lambda bad: _accuracy(bad, 0.89),
        "produced no new version",
        alert="retraining-failed",
        moves={5: [_PROMOTED], 6: [("echo no rows; exit 1", "retrain", "--reason", "drift")]},
        after=_broke_off,
        fix=('"$PYTHON" train.py', "retrain"),
        causes="the machine is too small\nthe new model is no better\nbroken input",
    ),
    "rollback-failed": _page(
        ACCURACY,
        _accuracy,
        *("rollback.1", "proposed", "command ended with exit code"),
        alert="rollback-failed",
        moves={5: [_PROMOTED], 6: [("exit 1", *_BACK[1:])]},
        after=_by_hand,
        fix=_BACK,
    ),
    "frequent-rollbacks": _page(
        ACCURACY,
        _accuracy,
        "rollback",
        alert="frequent-rollbacks",
        moves={hour: [_PROMOTED, _BACK] for hour in (5, 6, 7)},
        after=_by_hand,
    ),
}
