"""A drill against the stand-ins, with something broken before it begins."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from modelwatch.config.loader import load_config
from modelwatch.drill.drill import DrillResult, run_drill
from modelwatch.drill.scenarios import SCENARIOS
from modelwatch.model.monitored_model import Model
from modelwatch.testing.drill_site import StandInSite, open_stand_ins
from tests.conftest import forget_wandb

NOW = 1_796_000_000.0

CONFIG = """\
version: 1
models:
  - name: churn
    wandb: {entity: acme, project: churn-prod, version: model_version}
    pagerduty: {routing_key: "${PAGERDUTY_ROUTING_KEY}"}
    github: {repository: acme/churn-model}
    workflows: {retrain: retrain.yml, rollback: {file: rollback.yml, mode: propose}}
MORE    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        better: higher
        window: 2h
        every: 1h
        baseline: {value: 0.92, n: 100000}
        tiers:
          warning: {drop: 2%, do: [issue, retrain]}
          error: {drop: 5%, do: [issue, page, retrain]}
          critical: {drop: 10%, do: [issue, page, rollback]}
"""


def read_model(folder: Path, config: str = CONFIG, more: str = "") -> Model:
    """The model of a configuration as a user has it; ``more`` is further keys of the model."""
    path = folder / "modelwatch.yml"
    path.write_text(config.replace("MORE", more), "utf-8")
    return load_config(path, {}, require_secrets=False).models[0]


@contextmanager
def site(model: Model, scenario: str = "accuracy-drop", *, keep: bool = False) -> Iterator[StandInSite]:
    forget_wandb()
    with open_stand_ins(model, SCENARIOS[scenario], NOW, keep=keep) as found:
        yield found


def drill(
    model: Model,
    scenario: str = "accuracy-drop",
    break_it: Callable[[StandInSite], object] | None = None,
) -> tuple[DrillResult, list[str]]:
    """The result, and what is left at the services afterwards."""
    before = dict(os.environ)
    with site(model, scenario) as place:
        if break_it is not None:
            break_it(place)
        result = run_drill(place, SCENARIOS[scenario], place.service.id, token_hex(3), tell=print)
        left = leftovers(place)
        folder = place.folder
    assert not folder.exists()
    assert dict(os.environ) == before
    return result, left


def leftovers(place: StandInSite) -> list[str]:
    """What the servers themselves say is still there."""
    wandb, github, pagerduty = place.wandb.standin.state, place.github.standin.state, place.pagerduty.standin.state
    found = [f"W&B run {name}" for project in wandb.projects.values() for name in project.runs]
    for repo in github.repos.values():
        found += [f"issue #{one.number}" for one in repo.issues.items.values() if one.state == "open"]
        found += [
            f"register in #{one.number}" for one in repo.issues.items.values() if "modelwatch:reg" in (one.body or "")
        ]
        found += [
            f"workflow run {run.title}"
            for run in repo.runs.items.values()
            if run.status != "completed" and run.event == "workflow_dispatch"
        ]
    return found + [f"incident {one.number}" for one in pagerduty.incidents if one.is_open]
