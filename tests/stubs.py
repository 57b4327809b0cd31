"""What several worlds of the tests put into a user's repository."""

from __future__ import annotations

_DISPATCHED = """\
name: VERB
run-name: modelwatch VERB ${{ inputs.model }} ${{ inputs.key }}
on:
  workflow_dispatch:
    inputs:
      key: {type: string, required: true}
      model: {type: string, required: true}
      version: {type: string}
      target_version: {type: string}
      reason: {type: string}
      issue: {type: string}
permissions: {}
jobs:
  VERB:
    runs-on: ubuntu-latest
    steps:
      - run: echo "VERB of a test"
"""


def workflow(verb: str) -> str:
    """A workflow of ``verb`` that keeps the contract of dispatched workflows and does nothing."""
    return _DISPATCHED.replace("VERB", verb)


def workflows(*verbs: str) -> dict[str, str]:
    """The files of ``verbs``: path -> text."""
    return {f".github/workflows/{verb}.yml": workflow(verb) for verb in verbs}
