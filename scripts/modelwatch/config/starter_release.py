"""What ``modelwatch init --release`` writes beside the rest: callers of our reusable workflows, and `release:`."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ..origin import PIN, SLUG

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
