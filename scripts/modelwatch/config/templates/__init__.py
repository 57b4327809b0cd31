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
from ..proposals import EXAMPLE, Proposal, ProposedRule

FOLDER = Path(__file__).parent
ACTIONS = ("issue", "issue, page", "issue, page, rollback")
"""Of a warning, an error and a critical alert."""
PAGES = "pages"
DASHBOARDS = {
    PAGES: """ and publishes it with GitHub Pages:
# Settings, Pages, source "GitHub Actions". Of a private repository, too, the pages are public unless your plan has
# access control for Pages""",
    "artifact": " and keeps it as an artifact of the workflow run",
}
"""Where the dashboard can go, and how the first line of its workflow says so."""
WATCHDOG_FILE = "modelwatch-watchdog.yml"
DRILL_FILE = "modelwatch-drill.yml"
DASHBOARD_FILE = ".github/workflows/modelwatch-dashboard.yml"
RETRAINING_ACTIONS = ("issue, retrain", *ACTIONS[1:])
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
    dashboard: str = "",
    scorecard: bool = False,
    watchdog: bool = False,
    backtest: bool = False,
    drill: bool = False,
    proposal: Proposal = EXAMPLE,
) -> dict[str, str]:
    """Path in the user's repository -> text. YAML reads every value back as it was given.

    ``people``: whose commands count; by default the owner, where it is a person. ``proposal``: which W&B runs are read,
    and the rules. ``release``: with workflows that call ours for retraining,
    canaries, promotions, rollbacks and degrading, and the beginning of a deploy command. ``dashboard``: one of
    ``DASHBOARDS``, with a workflow that writes it every hour. ``scorecard``: with one that posts it every week.
    ``watchdog``: with one that watches modelwatch itself.
    ``backtest``: with one that comments on pull requests that change the rules. ``drill``: with one that drills every
    month, and the configuration of the staging project.
    """
    values = {"model": model, "entity": entity, "project": project, "repository": repository, "owner": owner}
    quoted = {name: _quote_scalar(value) for name, value in values.items()}
    sections = {"workflows": "workflows_section.yml", "release": "release_example_section.yml"}
    if release:
        sections = {"workflows": "release_workflows_section.yml", "release": "release_section.yml"}
    people = people or default_people(owner)
    quoted["people"] = f"[{', '.join(map(_quote_scalar, people))}]"
    authors = ["github-actions[bot]", *(login for login in people if "/" not in login)]
    quoted["authors"] = f"[{', '.join(map(_quote_scalar, authors))}]"
    runbook = f"runbooks/{model}.md"
    quoted["runbook"] = _quote_scalar(runbook)
    quoted |= {"name": model, "artifact": json.dumps(f"{entity}/{project}/{model}", ensure_ascii=False)}
    parts = {part: _render(file, quoted) for part, file in sections.items()}
    parts["choice_of_runs"] = _choice_of_runs(proposal)
    parts["rules"] = "".join(_rule_text(rule, quoted, place == 0) for place, rule in enumerate(proposal.rules))
    has_drift = any(rule.drift for rule in proposal.rules)
    parts["drift_example"] = "" if has_drift else _render("drift_example.yml", quoted)
    owner_name, _, name = repository.partition("/")
    site = f"https://{owner_name.lower()}.github.io/{name}"
    parts["dashboard"] = f"    dashboard: {{url: {json.dumps(site)}}}\n" if dashboard == PAGES else ""
    parts["watchdog"] = f"watchdog: {{workflow: {WATCHDOG_FILE}, every: 1h}}\n" if watchdog else ""
    files = {
        "modelwatch.yml": _render("modelwatch.yml", quoted | parts),
        ".github/workflows/modelwatch.yml": _render("monitor.yml"),
        ".github/workflows/modelwatch-commands.yml": _render("commands.yml"),
        runbook: _render("runbook.md", {"name": model, "owner": owner}),
    }
    if dashboard:
        files[DASHBOARD_FILE] = _render(
            "dashboard.yml",
            {"dashboard_where": DASHBOARDS[dashboard], "publish": _render(f"dashboard_{dashboard}.yml")},
        )
    if scorecard:
        files[".github/workflows/modelwatch-scorecard.yml"] = _render("scorecard.yml")
    if watchdog:
        tags = f"      wandb-tags: {_quote_scalar(proposal.tag)}\n" if proposal.tag else ""
        values = {"project_path": _quote_scalar(f"{entity}/{project}"), "tags": tags}
        values["drill"] = f"      drill: {DRILL_FILE}\n" if drill else ""
        values["site"] = f"      dashboard: {json.dumps(site)}\n" if dashboard == PAGES else ""
        files[f".github/workflows/{WATCHDOG_FILE}"] = _render("watchdog.yml", values)
    if backtest:
        files[".github/workflows/modelwatch-backtest.yml"] = _render("backtest.yml")
    if drill:
        staging = {"drill_project": f"{project}-drill", "drill_service": f"{model}-drill"}
        staging["drill_repository"] = f"{repository}-drill"
        files[f".github/workflows/{DRILL_FILE}"] = _render("drill.yml", quoted)
        files["staging.yml"] = _render(
            "staging.yml", quoted | {name: _quote_scalar(value) for name, value in staging.items()}
        )
    if not release:
        for verb, texts in _DISPATCHED_WORKFLOWS.items():
            files[f".github/workflows/{verb}.yml"] = _render("dispatched.yml", {"verb": verb, **texts})
        return files
    callers = {f".github/workflows/{verb}.yml": _render_caller(verb, spec, model) for verb, spec in _CALLERS.items()}
    return files | callers | {"deploy.sh": _render("deploy.sh")}


def _choice_of_runs(proposal: Proposal) -> str:
    tags = f"{{tags: {_quote_scalar(proposal.tag)}}}" if proposal.tag else ""
    version, time = (_quote_scalar(name) if name else "" for name in (proposal.version, proposal.time))
    lines = {
        "runs": (tags, "only W&B runs with this tag are read"),
        "version": (version, "the key in the config of a W&B run that holds the model version"),
        "time": (time, "the key of the time that a row is about"),
    }
    return "".join(f"      {key}: {value} # {why}\n" for key, (value, why) in lines.items() if value)


def _rule_text(rule: ProposedRule, quoted: Mapping[str, str], is_first: bool) -> str:
    """One rule; the comments stand at the first."""
    if rule.drift:
        lines = [f"drift: {json.dumps(rule.drift)}", f"method: {rule.method}", "baseline: {rolling: 28d}"]
        lines += [f"runbook: {quoted['runbook']} # what issues and pages link to"] if is_first else []
        lines += ["tiers:", "  warning: {do: [issue]}", "  error: {do: [issue, retrain]}"]
        return _rule_lines(rule, lines)
    lines = [f"metric: {_quote_scalar(rule.metric)}"]
    if rule.weight:
        lines += [f"weight: {_quote_scalar(rule.weight)} # the number of rows behind the metric: few rows prove little"]
    if rule.interval:
        lines += [f"interval: {rule.interval} # its spread is that of its own past"]
    lines += ["window: 24h", "every: 1h", "baseline: {rolling: 28d}"]
    if is_first:
        capture = f"modelwatch baseline capture --model {quoted['name']} --out baselines/{quoted['name']}.json"
        lines += [f"# Once history is there: {capture}", f"# baseline: {{file: baselines/{quoted['name']}.json}}"]
    patterns = ", ".join(map(json.dumps, rule.segments))
    if patterns:
        lines += [f"segments: {patterns if len(rule.segments) == 1 else f'[{patterns}]'}"]
    if is_first:
        lines += [f"runbook: {quoted['runbook']} # what issues and pages link to"]
    actions = RETRAINING_ACTIONS if rule.family.retrains else ACTIONS
    severities = zip(("warning", "error", "critical"), rule.limits, actions, strict=True)
    lines += ["tiers:"]
    lines += [f"  {severity}: {{{rule.family.limit}: {at * 100:g}%, do: [{do}]}}" for severity, at, do in severities]
    return _rule_lines(rule, lines)


def _rule_lines(rule: ProposedRule, lines: Sequence[str]) -> str:
    head = f"      - name: {_quote_scalar(rule.name)}\n        kind: {rule.family.kind}\n"
    return head + "".join(f"        {line}\n" for line in lines)


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
