"""What ``modelwatch init`` writes: a configuration, its workflow, two workflows to dispatch, a runbook, all working."""

from __future__ import annotations

import json
import re

from ..origin import PIN, SLUG
from . import starter_release

_CONFIG_TEMPLATE = """\
# yaml-language-server: $schema=./modelwatch.schema.json
# (`modelwatch config schema > modelwatch.schema.json` lets your editor complete and check this file.)
version: 1

models:
  - name: %(model)s
    owner: %(owner)s
    wandb:
      entity: %(entity)s
      project: %(project)s
      runs: {tags: production} # only W&B runs with this tag are read
      version: model_version # the key in the config of a W&B run that holds the model version
    pagerduty: {routing_key: "${PAGERDUTY_ROUTING_KEY}", service: %(model)s}
    github:
      repository: %(repository)s
      authors: ["github-actions[bot]"] # whose issues are trusted to remember what was done
      people: [] # logins whose comments `/modelwatch silence 24h <reason>` count
%(workflows)s
    # measure: # `modelwatch measure` turns a prediction log into the metrics and histograms that the rules read
    #   {files: predictions/, id: id, time: time, version: version, prediction: prediction, label: label,
    #    reference: baselines/%(name)s.npz} # modelwatch baseline capture --model %(name)s --from-table training.parquet
    # quality: # with `measure`: missing cells, types, formats, ranges, categories, duplicates, freshness and volume
    #   missing: {tiers: {warning: {above: 1%%}, error: {above: 5%%, do: [issue, page]}}}
    #   vanished: off # every other check as usual; `quality: on` takes them all
%(release)s
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n # the count behind the metric: with it, chance is told from change
        window: 24h
        every: 1h
        for: 2
        baseline: {rolling: 28d}
        # Once history is there: modelwatch baseline capture --model %(name)s --out baselines/%(name)s.json
        # baseline: {file: baselines/%(name)s.json}
        segments: "eval/region=*/accuracy"
        tiers:
          warning: {drop: 2%%, do: [issue]}
          error: {drop: 5%%, do: [issue, retrain]}
          critical: {drop: 10%%, do: [issue, page, rollback]}
      # Once features are logged: the numbers features/<feature>/psi, or else the histograms features/<feature>.
      # - name: feature-drift
      #   kind: data-drift
      #   drift: "features/*"
      #   method: psi
      #   baseline: {rolling: 28d} # what histograms are compared with; or, after
      #   # modelwatch baseline capture --model %(name)s --from-table train.parquet --out train.npz, with both:
      #   # baseline: [{file: train.npz}, {rolling: 28d}]
      #   tiers: # without a limit the usual ones of the method count: for psi 0.1, then 0.25
      #     warning: {do: [issue]}
      #     error: {do: [issue, retrain]}
"""

_WORKFLOWS_SECTION = """\
    workflows:
      retrain: retrain.yml
      rollback: {file: rollback.yml, mode: propose} # written on the issue for a person to do; `act` starts it
"""
_RELEASE_SECTION = """\
    # What serves, by W&B's aliases, and how that changes: `modelwatch release status`, `promote`, `rollback`.
    # release:
    #   artifact: %(entity)s/%(project)s/%(model)s # the W&B collection of its versions
    #   deploy: ./deploy.sh # makes $MODELWATCH_VERSION serve, $MODELWATCH_PERCENT of the traffic
    #   train: ./train.sh # logs a new version, on data from $MODELWATCH_WINDOW_START on
"""

_MONITOR_WORKFLOW = """\
# Judges the metrics every hour, and makes issues, pages and workflow runs agree with the judgement.
name: modelwatch

on:
  schedule:
    - cron: "17 * * * *" # off the full hour, when GitHub drops and delays the most
  workflow_dispatch:
    inputs:
      dry-run:
        description: Stop after the plan
        type: boolean
        default: true

permissions: {}

# An evaluation is never cancelled; of two that wait, the newest is enough.
concurrency:
  group: modelwatch-${{ github.repository }}-modelwatch.yml
  cancel-in-progress: false

jobs:
  monitor:
    name: Monitor
    runs-on: ubuntu-latest
    timeout-minutes: 30
    permissions:
      contents: read # to check out the configuration
      issues: write # to open, update and close the issues
      actions: write # to dispatch workflows and to look for their runs
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false
      - id: modelwatch
        uses: %(slug)s/actions/monitor@%(pin)s
        with:
          config: modelwatch.yml
          dry-run: ${{ inputs.dry-run || false }}
          wandb-api-key: ${{ secrets.WANDB_API_KEY }}
          pagerduty-routing-key: ${{ secrets.PAGERDUTY_ROUTING_KEY }}
          pagerduty-token: ${{ secrets.PAGERDUTY_TOKEN }}
          secrets: ${{ secrets.MODELWATCH_SECRETS }}
      - name: Keep the plan and what came of it
        if: always() && steps.modelwatch.outputs.out != ''
        uses: actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0
        with:
          name: modelwatch
          path: ${{ steps.modelwatch.outputs.out }}
"""

_DISPATCHED_WORKFLOW = """\
# %(does)s Dispatched by modelwatch, which finds its runs by the name: keep the inputs and the `run-name`.
name: %(verb)s
run-name: modelwatch %(verb)s ${{ inputs.model }} ${{ inputs.key }}

on:
  workflow_dispatch:
    inputs:
      key:
        description: Names this dispatch; the same key is never sent twice
        type: string
        required: true
      model:
        description: The model
        type: string
        required: true
%(contract)s\

permissions: {}

# Never cancelled. A group of its own for each key: of two that wait in one group, GitHub drops the older.
concurrency:
  group: modelwatch-%(verb)s-${{ inputs.key }}
  cancel-in-progress: false

jobs:
  %(verb)s:
    name: %(title)s
    runs-on: ubuntu-latest
    timeout-minutes: 60
    permissions:
      contents: read # to check out the code
    steps:
      # Check out your code here, and start what does it. Values reach the script through `env` only.
      - name: %(title)s
        env:
          KEY: ${{ inputs.key }}
          MODEL: ${{ inputs.model }}
          VERSION: ${{ inputs.version }}
          TARGET_VERSION: ${{ inputs.target_version }}
          REASON: ${{ inputs.reason }}
          ISSUE: ${{ inputs.issue }}
        run: |
          printf '%%s\\n' "%(verb)s $MODEL ($VERSION -> ${TARGET_VERSION:-none}), $KEY" "$REASON" "$ISSUE"
          echo "::error::Replace this step in .github/workflows/%(verb)s.yml by what does it."
          exit 1
"""

_RUNBOOK_TEMPLATE = """\
# %(name)s: runbook

Who owns it: %(owner)s. What it decides, and who is hurt when it is wrong: ...

## First five minutes

```console
modelwatch status --model %(name)s
modelwatch check --model %(name)s
```

1. Is the page right? Open the issue: value, baseline, worst segments, since when.
2. What changed since it was healthy? Deployments, upstream data, traffic.
3. One segment or all of them? One segment: look at its data. All: suspect the last deployment.

## Mitigations, in order of safety

1. Roll back to the last healthy version (the proposal on the issue names it).
2. Retrain, once the data is known to be sound.
3. Degrade: serve the fallback.

## How recovery is confirmed

The issue closes by itself after as many healthy evaluations in a row as the rule's `hold` says.

## Who may decide

...
"""

_DISPATCHED_PURPOSES = {
    "retrain": ("Trains the model again on recent data.", "Retrain"),
    "rollback": ("Puts an earlier version back into production.", "Roll back"),
}
_PLAIN_SCALAR = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")
_YAML_WORDS = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))


def render_starter_files(
    *, model: str, entity: str, project: str, repository: str, owner: str, release: bool = False
) -> dict[str, str]:
    """Path in the user's repository -> text. The values are written so that YAML reads them back as they are.

    ``release``: with callers of our workflows for retraining, canaries, promotions, rollbacks and degrading.
    """
    values = {"model": model, "entity": entity, "project": project, "repository": repository, "owner": owner}
    quoted = {name: _quote_scalar(value) for name, value in values.items()}
    runbook = {"name": model, "owner": owner}
    parts = {"workflows": _WORKFLOWS_SECTION, "release": _RELEASE_SECTION % quoted}
    if release:
        about = {"artifact": starter_release.quote_artifact(entity, project, model)}
        parts = {"workflows": starter_release.RELEASE_WORKFLOWS, "release": starter_release.RELEASE_CONFIG % about}
    files = {
        "modelwatch.yml": _CONFIG_TEMPLATE
        % {**quoted, **{part: text.rstrip() for part, text in parts.items()}, "name": model},
        ".github/workflows/modelwatch.yml": _MONITOR_WORKFLOW % {"slug": SLUG, "pin": PIN},
        f"runbooks/{model}.md": _RUNBOOK_TEMPLATE % runbook,
    }
    if release:
        return files | starter_release.render_callers(model)
    for verb, (does, title) in _DISPATCHED_PURPOSES.items():
        about = {"verb": verb, "does": does, "title": title, "contract": starter_release.CONTRACT_INPUTS_YAML}
        files[f".github/workflows/{verb}.yml"] = _DISPATCHED_WORKFLOW % about
    return files


def _quote_scalar(text: str) -> str:
    """Plain where that is safe, else in double quotes (JSON is YAML)."""
    plain = _PLAIN_SCALAR.fullmatch(text) and text.lower() not in _YAML_WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)
