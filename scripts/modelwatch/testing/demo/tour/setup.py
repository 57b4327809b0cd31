"""Where the tour begins: six good hours behind us, a bad release just now, and everything as a team would have it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from .... import history
from ....clients.retry import RetryPolicy
from ....context import make_context
from ....model.monitored_model import Config
from ....model.release import MoveState, MoveVerb
from ....release.move_request import MoveRequest
from ....release.moves import make_move
from ....step_files import write_baselines
from ....timeutil import DAY, HOUR, MINUTE
from ..churn_production import log_rows
from ..environment import ENTITY, DemoEnvironment, DemoModel
from ..story import Narrate, Story
from .production import BAD_VERSION, FALLBACK_VERSION, GOOD_VERSION, Production

HISTORY_SECONDS = 6 * HOUR
"""Logged on the good version."""
ON_CALL_LOGIN = "robin"
"""The login of the person on call."""
SERVING_FILE = "serving"
"""The file that says what serves: the deploy command writes it."""
_VERSION_PATTERN = re.compile(rf"v\d{{1,4}}|{FALLBACK_VERSION}")
ROLLOUT_SECONDS = 4 * MINUTE
RUN_SECONDS = {"retrain": 60 * MINUTE, "rollback": 3 * MINUTE, "degrade": 3 * MINUTE}

CONFIG = f"""\
  - name: churn
    owner: "@acme/growth-ml"
    wandb:
      entity: acme
      project: churn-prod
      runs: {{tags: production}}
      version: model_version
      time: monitor/time
    pagerduty: {{routing_key: "${{PAGERDUTY_CHURN_KEY}}", token: "${{PAGERDUTY_TOKEN}}", service: churn-model}}
    github: {{repository: acme/churn-model, labels: ["model:churn"], people: [{ON_CALL_LOGIN}]}}
    workflows:
      retrain: {{file: retrain.yml, mode: propose}}
      rollback: {{file: rollback.yml, mode: propose, settle: 1h}}
      degrade: {{file: degrade.yml, mode: propose}}
    release:
      artifact: acme/churn-train/churn
      deploy: bash deploy.sh
      degrade: bash degrade.sh
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        better: higher
        window: 30m
        every: 10m
        hold: 2
        recover: {{drop: 1.5%}}
        baseline: {{file: baselines/churn.json}}
        segments: "eval/region=*/accuracy"
        tiers:
          warning:  {{drop: 2%,  do: [issue]}}
          error:    {{drop: 5%,  do: [issue, page]}}
          critical: {{drop: 10%, do: [issue, page, rollback]}}
      - name: inputs
        drift: "features/*"
        method: psi
        window: 30m
        every: 30m
        baseline: {{file: baselines/churn.json}}
        tiers:
          warning: {{above: 0.1, do: []}} # a clue for the accuracy issue, no alarm of its own
"""

SCRIPTS = {
    "deploy.sh": f"""\
# The team's own way to put a version into production. Here it takes 4 minutes, and a canary gets nothing.
champion=${{MODELWATCH_SERVING%%:*}}
echo "$champion" > {SERVING_FILE}
echo "rolling out $champion: it serves in 4 minutes"
""",
    "degrade.sh": f"""\
# A plain rule decides instead of the model, which is called {FALLBACK_VERSION}; and back.
echo "${{MODELWATCH_SERVING%%:*}}" > {SERVING_FILE}
echo "${{MODELWATCH_SERVING%%:*}} decides in 4 minutes"
""",
}
MODEL = DemoModel("churn", CONFIG, ("retrain", "rollback", "degrade"))

RELEASES = (
    ("v5", -60 * DAY, "quarterly retraining"),
    (GOOD_VERSION, -20 * DAY, "quarterly retraining"),
    (BAD_VERSION, 0.0, "tenure now comes from the new customer table"),
)
"""Version, when it was deployed (seconds from the bad release on), and why."""


def prepare_night(
    world: DemoEnvironment, read_config: Callable[[], Config], say: Narrate, released: float, night: str
) -> tuple[Story, Production]:
    """The simulated services at the moment ``released`` (seconds, UTC), in which the bad version begins to serve.
    ``night``: how it declines then."""
    story = Story(world, MODEL, read_config, say, RUN_SECONDS)
    production = Production.starting_with(released - HISTORY_SECONDS, GOOD_VERSION, night)
    _add_trained_versions(world, released)
    for name, text in SCRIPTS.items():
        (world.folder / name).write_text(text, "utf-8")
    world.github.standin.state.repo(MODEL.repository).collaborators[ON_CALL_LOGIN] = "write"
    world.clock.now = released
    log_rows(ENTITY, MODEL.project, GOOD_VERSION, list(production.minutes(released - HISTORY_SECONDS, released)))
    period = history.BaselinePeriod(released - HISTORY_SECONDS, released)
    entries = history.capture_baseline(make_context(story.config, released), story.model, period).entries
    write_baselines(world.folder / "baselines" / "churn.json", entries)
    story.reload_config()
    for version, after, reason in RELEASES:
        world.clock.now = released + after
        execute_move(story, MoveVerb.PROMOTE, version, "", reason, "mia")
    production.deploy(BAD_VERSION, released)
    world.clock.now = released
    return story, production


def execute_move(story: Story, verb: MoveVerb, target: str, key: str, reason: str, by: str) -> bool:
    """What the team's own workflow does: the move, by modelwatch; whether it was made."""
    now, env = story.environment.clock.now, os.environ
    request = MoveRequest(verb, target, key=key, reason=reason, by=by)
    made = make_move(
        story.model,
        request,
        env,
        RetryPolicy().scale(env),
        now,
        echo=lambda _: None,
        workspace=story.environment.folder,
    )
    return made.state is MoveState.DONE


def read_serving_version(folder: Path) -> str:
    """What was rolled out last; empty where the file says nothing that could serve."""
    path = folder / SERVING_FILE
    text = path.read_text("utf-8", "replace").strip() if path.is_file() else ""
    return text if _VERSION_PATTERN.fullmatch(text) else ""


def _add_trained_versions(world: DemoEnvironment, released: float) -> None:
    """Eight versions that were trained in the past, at the W&B stand-in."""
    state = world.wandb.standin.state
    for number in range(8):
        trained = released - (8 - number) * 20 * DAY + 19 * DAY
        tenure = "customers.tenure" if number == 7 else "contracts.months"
        config = {"learning_rate": 0.05, "depth": 6, "tenure_from": tenure}
        training = state.add_run(ENTITY, "churn-train", f"train-{number}", config, summary={"accuracy": 0.921})
        training.commit = f"{number + 1:x}" * 40
        state.add_artifact(
            ENTITY, "churn-train", "churn", {"model.bin": f"weights {number}".encode()}, created_at=trained,
            metadata={"data_version": f"2026-{number + 3:02}"}, run=training,
        )  # fmt: skip
