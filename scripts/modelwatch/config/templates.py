"""What ``modelwatch init --release`` writes beside the rest: callers of our reusable workflows, and `release:`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from ..distribution import PIN, SLUG

RELEASE_CONFIG = """\
    # What serves, by W&B's aliases, and how that changes: `modelwatch release status`, `promote`, `rollback`.
    release:
      artifact: %(artifact)s # the W&B collection of its versions
      deploy: ./deploy.sh # makes $MODELWATCH_VERSION serve, $MODELWATCH_PERCENT of the traffic
      train: ./train.sh # logs a new version, on data from $MODELWATCH_WINDOW_START to $MODELWATCH_WINDOW_END
      degrade: ./degrade.sh # something simpler in the model's place; with $MODELWATCH_VERB restore, back again
      # every: monthly # retraining even when all is well; then see the schedule in .github/workflows/retrain.yml
      # gate: {holdout: "holdout/{version}.parquet", recent: "recent/{version}.parquet", segments: [region]}
"""
RELEASE_WORKFLOWS = """\
    workflows: # whatever is proposed, a person approves on the issue: `/modelwatch approve`
      retrain: retrain.yml
      rollback: {file: rollback.yml, mode: propose}
      promote: {file: promote.yml, mode: propose}
      degrade: {file: degrade.yml, mode: propose}
      restore: {file: restore.yml, mode: propose}
"""

CONTRACT_INPUTS_YAML = """\
      version:
        description: The version in production
        type: string
        default: ""
      target_version:
        description: The version to go to, where there is one
        type: string
        default: ""
      reason:
        description: Why, in one line
        type: string
        default: ""
      issue:
        description: URL of the issue
        type: string
        default: ""
"""
"""The inputs that every dispatched workflow takes, beside `key` and `model`."""
_CALLER_TEMPLATE = """\
# %(does)s
# Dispatched by modelwatch, which finds its runs by the name: keep the inputs and the `run-name`.
name: %(verb)s
run-name: modelwatch %(verb)s ${{ inputs.model }} ${{ inputs.key }}

on:
%(schedule)s\
  workflow_dispatch:
    inputs:
      key:
        description: Names this dispatch; the same key is the same move. Empty where a person starts it
        type: string
        default: ""
      model:
        description: The model
        type: string
        default: %(quoted)s
%(contract)s\
%(inputs)s\

permissions: {}

# Never cancelled. Only the same key waits for itself: it is the same move.
concurrency:
  group: modelwatch-%(verb)s-${{ inputs.key || github.run_id }}
  cancel-in-progress: false

jobs:
  %(verb)s:
    name: %(title)s
    permissions:
%(permissions)s\
    uses: %(slug)s/.github/workflows/%(file)s.yml@%(pin)s
    with:
      model: ${{ inputs.model || %(expression)s }}
      key: %(key)s
      version: ${{ inputs.version }}
      target_version: ${{ inputs.target_version }}
      reason: %(reason)s
      issue: ${{ inputs.issue }}
%(more)s\
      # environment: production # an environment of this repository: its reviewers must approve first
    secrets:
      wandb-api-key: ${{ secrets.WANDB_API_KEY }}
      pagerduty-routing-key: ${{ secrets.PAGERDUTY_ROUTING_KEY }}
      modelwatch-secrets: ${{ secrets.MODELWATCH_SECRETS }}
      command-environment: ${{ secrets.COMMAND_ENVIRONMENT }}
"""
_COMMANDS_WORKFLOW = """\
# Answers a comment that begins with `/modelwatch` at once; the others wait for the next schedule, or for nobody.
name: modelwatch commands

on:
  issue_comment: # zizmor: ignore[dangerous-triggers] -- no text of the comment goes anywhere but into a comparison
    types: [created]

permissions: {}

concurrency:
  group: modelwatch-comment-${{ github.event.comment.id }}
  cancel-in-progress: false

jobs:
  answer:
    name: Answer
    if: startsWith(github.event.comment.body, '/modelwatch')
    permissions:
      contents: read # to check out the configuration
      issues: write # to answer on the issue
      actions: write # to dispatch workflows and to look for their runs
    uses: %(slug)s/.github/workflows/commands.yml@%(pin)s
    secrets:
      wandb-api-key: ${{ secrets.WANDB_API_KEY }}
      pagerduty-routing-key: ${{ secrets.PAGERDUTY_ROUTING_KEY }}
      pagerduty-token: ${{ secrets.PAGERDUTY_TOKEN }}
      modelwatch-secrets: ${{ secrets.MODELWATCH_SECRETS }}
"""
_STEP_INPUT = """\
      step:
        description: What to do
        type: choice
        options: [judge, start, abort]
        default: judge
"""
_MONTHLY_SCHEDULE = """\
  # schedule: # even when all is well; where another model is trained too, a workflow of its own
  #   - cron: "23 4 1 * *" # monthly; quarterly: "23 4 1 1,4,7,10 *"
"""
_HOURLY_SCHEDULE = """\
  schedule:
    - cron: "37 * * * *" # judges the canary, where there is one
"""


@dataclass(frozen=True, slots=True)
class _CallerSpec:
    purpose: str
    title: str
    extra_with: str = ""
    permissions: tuple[str, ...] = ("contents: read # to check out the configuration and your command",)
    file: str = ""
    schedule: str = ""
    inputs: str = ""


_CONTENTS_PERMISSION = "contents: write # to check out the code, and to push a branch with the baseline file"
_PULL_REQUESTS_PERMISSION = "pull-requests: write # to propose the baseline of the new version"
_BASELINE_INPUT = "      # baseline: baselines/%(model)s.json # proposed anew after a promotion, by pull request\n"
_CALLER_SPECS = {
    "retrain": _CallerSpec(
        "Trains the model again on recent data; a candidate that is better becomes the canary.",
        "Retrain",
        permissions=(
            "contents: read # to check out the configuration and your command",
            "issues: write # to say on the issue why a candidate goes no further",
        ),
        schedule=_MONTHLY_SCHEDULE,
    ),
    "canary": _CallerSpec(
        "Starts a canary, holds it against the champion every hour, or takes it back.",
        "Canary",
        "      step: ${{ inputs.step || 'judge' }}\n" + _BASELINE_INPUT,
        (_CONTENTS_PERMISSION, "issues: write # to ask on the issue whether it is promoted", _PULL_REQUESTS_PERMISSION),
        schedule=_HOURLY_SCHEDULE,
        inputs=_STEP_INPUT,
    ),
    "promote": _CallerSpec(
        "Puts a version into production.", "Promote", _BASELINE_INPUT, (_CONTENTS_PERMISSION, _PULL_REQUESTS_PERMISSION)
    ),
    "rollback": _CallerSpec("Puts an earlier version back into production.", "Roll back"),
    "degrade": _CallerSpec("Puts something simpler in the model's place.", "Degrade"),
    "restore": _CallerSpec(
        "Takes the model back after it was degraded.", "Restore", "      restore: true\n", file="degrade"
    ),
}


def quote_artifact(entity: str, project: str, model: str) -> str:
    return json.dumps(f"{entity}/{project}/{model}", ensure_ascii=False)


def render_callers(model: str) -> dict[str, str]:
    """Path in the user's repository -> text."""
    files = {
        f".github/workflows/{verb}.yml": _render_caller(verb, asked, model) for verb, asked in _CALLER_SPECS.items()
    }
    return files | {".github/workflows/modelwatch-commands.yml": _COMMANDS_WORKFLOW % {"slug": SLUG, "pin": PIN}}


def _render_caller(verb: str, asked: _CallerSpec, model: str) -> str:
    key, reason = "${{ inputs.key }}", "${{ inputs.reason }}"
    if asked.schedule == _MONTHLY_SCHEDULE:
        key = "${{ inputs.key || format('scheduled-{0}', github.run_id) }}"
        reason = "${{ inputs.reason || 'on schedule' }}"
    return _CALLER_TEMPLATE % {
        "contract": CONTRACT_INPUTS_YAML,
        "verb": verb,
        "does": asked.purpose,
        "title": asked.title,
        "more": asked.extra_with % {"model": model} if "%(" in asked.extra_with else asked.extra_with,
        "permissions": "".join(f"      {line}\n" for line in asked.permissions),
        "schedule": asked.schedule,
        "inputs": asked.inputs,
        "file": asked.file or verb,
        "key": key,
        "reason": reason,
        "quoted": json.dumps(model, ensure_ascii=False),
        "expression": "'" + model.replace("'", "''") + "'",
        "slug": SLUG,
        "pin": PIN,
    }


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
        about = {"artifact": quote_artifact(entity, project, model)}
        parts = {"workflows": RELEASE_WORKFLOWS, "release": RELEASE_CONFIG % about}
    files = {
        "modelwatch.yml": _CONFIG_TEMPLATE
        % {**quoted, **{part: text.rstrip() for part, text in parts.items()}, "name": model},
        ".github/workflows/modelwatch.yml": _MONITOR_WORKFLOW % {"slug": SLUG, "pin": PIN},
        f"runbooks/{model}.md": _RUNBOOK_TEMPLATE % runbook,
    }
    if release:
        return files | render_callers(model)
    for verb, (does, title) in _DISPATCHED_PURPOSES.items():
        about = {"verb": verb, "does": does, "title": title, "contract": CONTRACT_INPUTS_YAML}
        files[f".github/workflows/{verb}.yml"] = _DISPATCHED_WORKFLOW % about
    return files


def _quote_scalar(text: str) -> str:
    """Plain where that is safe, else in double quotes (JSON is YAML)."""
    plain = _PLAIN_SCALAR.fullmatch(text) and text.lower() not in _YAML_WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)
