"""The files that ``modelwatch init`` writes, from the templates in this folder.

In a template ``__name__`` stands for a value, and the line ``# <name>`` for lines that may be missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ...distribution import PIN, SLUG

FOLDER = Path(__file__).parent
STARTER_LIMITS = (0.02, 0.05, 0.10)
_PLACEHOLDER = re.compile(r"^# <(?P<lines>[a-z_]+)>\n|__(?P<value>[a-z_]+)__", re.MULTILINE)
_PLAIN_SCALAR = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")
_YAML_WORDS = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))


def render_starter_files(
    *,
    model: str,
    entity: str,
    project: str,
    repository: str,
    owner: str,
    people: Sequence[str] = (),
    release: bool = False,
    limits: Sequence[float] = STARTER_LIMITS,
) -> dict[str, str]:
    """Path in the user's repository -> text. YAML reads every value back as it was given.

    ``people``: whose commands count; by default the owner, where it is a person. ``limits``: drops of accuracy,
    relative, for a warning, an error and a critical alert. ``release``: with workflows that call ours for retraining,
    canaries, promotions, rollbacks and degrading, and the beginning of a deploy command.
    """
    values = {"model": model, "entity": entity, "project": project, "repository": repository, "owner": owner}
    quoted = {name: _quote_scalar(value) for name, value in values.items()}
    sections = {"workflows": "workflows_section.yml", "release": "release_example_section.yml"}
    if release:
        sections = {"workflows": "release_workflows_section.yml", "release": "release_section.yml"}
    quoted |= {name: f"{limit * 100:g}%" for name, limit in zip(("warning", "error", "critical"), limits, strict=True)}
    quoted["people"] = f"[{', '.join(map(_quote_scalar, people or default_people(owner)))}]"
    runbook = f"runbooks/{model}.md"
    quoted["runbook"] = _quote_scalar(runbook)
    quoted |= {"name": model, "artifact": json.dumps(f"{entity}/{project}/{model}", ensure_ascii=False)}
    parts = {part: _render(file, quoted) for part, file in sections.items()}
    files = {
        "modelwatch.yml": _render("modelwatch.yml", quoted | parts),
        ".github/workflows/modelwatch.yml": _render("monitor.yml"),
        ".github/workflows/modelwatch-commands.yml": _render("commands.yml"),
        runbook: _render("runbook.md", {"name": model, "owner": owner}),
    }
    if not release:
        for verb, texts in _DISPATCHED_WORKFLOWS.items():
            files[f".github/workflows/{verb}.yml"] = _render("dispatched.yml", {"verb": verb, **texts})
        return files
    callers = {f".github/workflows/{verb}.yml": _render_caller(verb, spec, model) for verb, spec in _CALLERS.items()}
    return files | callers | {"deploy.sh": _render("deploy.sh")}


def default_people(owner: str) -> tuple[str, ...]:
    """The owner, where it is a person and not a team, whose members the token of a workflow cannot read."""
    return (owner.removeprefix("@"),) if re.fullmatch(r"@[A-Za-z0-9][A-Za-z0-9-]*", owner) else ()


_DISPATCHED_WORKFLOWS = {
    "retrain": {"purpose": "Trains the model again on recent data.", "title": "Retrain"},
    "rollback": {"purpose": "Puts an earlier version back into production.", "title": "Roll back"},
}
"""By verb the purpose and the title of a workflow that the user fills in."""


@dataclass(frozen=True, slots=True)
class _Caller:
    """A workflow that calls one of ours."""

    purpose: str
    title: str
    inputs: str = ""
    """Further inputs of ours, as lines of ``with:``."""
    permissions: tuple[str, ...] = ("contents: read # to check out the configuration and your command",)
    file: str = ""
    """The name of our workflow; by default the verb."""
    schedule: str = ""
    declared_inputs: str = ""
    scheduled_key: bool = False
    """Whether a schedule may start a move, which then needs a key and a reason."""


_CONTENTS_PERMISSION = "contents: write # to check out the code, and to push a branch with the baseline file"
_PULL_REQUESTS_PERMISSION = "pull-requests: write # to propose the baseline of the new version"
_BASELINE_INPUT = "      # baseline: baselines/__name__.json # proposed anew after a promotion, by pull request\n"
_CALLERS = {
    "retrain": _Caller(
        "Trains the model again on recent data; a candidate that is better becomes the canary.",
        "Retrain",
        permissions=(
            "contents: read # to check out the configuration and your command",
            "issues: write # to say on the issue why a candidate goes no further",
        ),
        schedule=(
            "  # schedule: # even when all is well; where another model is trained too, a workflow of its own\n"
            '  #   - cron: "23 4 1 * *" # monthly; quarterly: "23 4 1 1,4,7,10 *"\n'
        ),
        scheduled_key=True,
    ),
    "canary": _Caller(
        "Starts a canary, compares it with the champion every hour, or takes it back.",
        "Canary",
        "      step: ${{ inputs.step || 'judge' }}\n" + _BASELINE_INPUT,
        (_CONTENTS_PERMISSION, "issues: write # to ask on the issue whether it is promoted", _PULL_REQUESTS_PERMISSION),
        schedule='  schedule:\n    - cron: "37 * * * *" # judges the canary, where there is one\n',
        declared_inputs="""\
      step:
        description: What to do
        type: choice
        options: [judge, start, abort]
        default: judge
""",
    ),
    "promote": _Caller(
        "Puts a version into production.", "Promote", _BASELINE_INPUT, (_CONTENTS_PERMISSION, _PULL_REQUESTS_PERMISSION)
    ),
    "rollback": _Caller("Puts an earlier version back into production.", "Roll back"),
    "degrade": _Caller("Replaces the model by a simpler fallback.", "Degrade"),
    "restore": _Caller(
        "Takes the model back after it was degraded.", "Restore", "      restore: true\n", file="degrade"
    ),
}


def _render_caller(verb: str, spec: _Caller, model: str) -> str:
    key, reason = "${{ inputs.key }}", "${{ inputs.reason }}"
    if spec.scheduled_key:
        key = "${{ inputs.key || format('scheduled-{0}', github.run_id) }}"
        reason = "${{ inputs.reason || 'on schedule' }}"
    values = {
        **asdict(spec),
        "verb": verb,
        "more_inputs": _fill(spec.inputs, {"name": model}),
        "permissions": "".join(f"      {line}\n" for line in spec.permissions),
        "file": spec.file or verb,
        "key": key,
        "reason": reason,
        "quoted_model": json.dumps(model, ensure_ascii=False),
        "model_expression": "'" + model.replace("'", "''") + "'",
    }
    return _render("caller.yml", values)


def _render(template: str, values: Mapping[str, str] | None = None) -> str:
    text = (FOLDER / template).read_text("utf-8")
    return _fill(text, {"slug": SLUG, "pin": PIN, **(values or {})})


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: values[match["lines"] or match["value"]], text)


def _quote_scalar(text: str) -> str:
    """Plain where that is safe, else in double quotes (JSON is YAML)."""
    plain = _PLAIN_SCALAR.fullmatch(text) and text.lower() not in _YAML_WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)
