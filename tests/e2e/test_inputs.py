"""Inputs of the actions are strings from anywhere: checked, never executed, never obeyed."""

from __future__ import annotations

import json

import pytest

from modelwatch.distribution import PIN, SLUG
from tests.e2e.workplace import Workplace

CONFIG = """\
version: 1
models:
  - name: churn
    table: {path: metrics.csv}
    rules:
      - name: latency
        kind: latency
        metric: latency
        better: lower
        tiers: {warning: {above: 100, do: [issue]}}
"""
METRICS = "time,latency\n2026-11-20T00:00:00Z,12\n"


def workflow(action: str, inputs: dict[str, str], env: dict[str, str] | None = None) -> str:
    """A workflow of one job with one of our actions; YAML is a superset of JSON."""
    step = {"id": "it", "uses": f"{SLUG}/actions/{action}@{PIN}", "with": inputs, "env": env or {}}
    return json.dumps(
        {
            "name": "monitor",
            "on": {"workflow_dispatch": None},
            "permissions": {},
            "jobs": {"monitor": {"runs-on": "ubuntu-latest", "steps": [{"uses": "actions/checkout@v7"}, step]}},
        }
    )


def adopt(workplace: Workplace, action: str, inputs: dict[str, str], env: dict[str, str] | None = None) -> None:
    workplace.write(
        {
            ".github/workflows/monitor.yml": workflow(action, inputs, env),
            "modelwatch.yml": CONFIG,
            "metrics.csv": METRICS,
        }
    )


@pytest.mark.parametrize(
    ("action", "name"),
    [("monitor", "dry-run"), ("monitor", "fail-on-findings"), ("monitor", "cache"), ("evaluate", "plan")],
)
@pytest.mark.parametrize("value", ["yes", "False", "0", "", "true false"])
def test_a_boolean_is_true_or_false_and_nothing_else(workplace: Workplace, action: str, name: str, value: str) -> None:
    more = {"series": "series.jsonl"} if action == "evaluate" else {}
    adopt(workplace, action, {name: value} | more)
    done = workplace.start("monitor.yml")
    assert done.code != 0
    assert done.errors() == [f"Input `{name}` must be true or false."], done.told
    assert "nothing was done" in done.summary
    assert "Input" in done.summary


@pytest.mark.parametrize(
    "text",
    [
        "$(touch pwned)",
        "`touch pwned`",
        "; touch pwned #",
        "' ; touch pwned ; '",
        '" ; touch pwned ; "',
        "${IFS}x $HOME * ~",
        "--help",
        "--dry-run",
        "::error::obeyed",
    ],
)
def test_text_in_an_input_is_a_name_of_a_file_and_no_more(workplace: Workplace, text: str) -> None:
    adopt(workplace, "monitor", {"config": text, "dry-run": "true"})
    done = workplace.start("monitor.yml")
    assert done.code != 0
    assert done.outputs["it"]["exit-code"] == "2", done.told
    assert not list(workplace.folder.rglob("pwned"))
    assert "obeyed" not in done.errors()
    assert "$HOME" in text or text.removeprefix("::error::") in done.log + "".join(done.errors())


@pytest.mark.parametrize("name", ["config", "out"])
@pytest.mark.parametrize(
    "text", ["a\n::error::obeyed", "a\n::set-output name=worst-severity::none", "a\nworst-severity=none"]
)
def test_a_line_break_in_an_input_is_refused(workplace: Workplace, name: str, text: str) -> None:
    adopt(workplace, "monitor", {name: text})
    done = workplace.start("monitor.yml")
    assert done.code != 0
    assert done.errors() == [f"Input `{name}` must be one line."], done.told
    assert "worst-severity" not in done.outputs.get("it", {}) or done.outputs["it"]["worst-severity"] == ""


def test_names_of_models_are_taken_apart_but_not_expanded(workplace: Workplace) -> None:
    adopt(workplace, "monitor", {"models": "churn *\n$(touch pwned)", "dry-run": "true"})
    done = workplace.start("monitor.yml")
    assert done.outputs["it"]["exit-code"] == "2", done.told
    assert "there is no model '*'" in "".join(done.errors())
    assert not list(workplace.folder.rglob("pwned"))


def test_a_missing_configuration_is_told_in_one_annotation(workplace: Workplace) -> None:
    adopt(workplace, "monitor", {"config": "elsewhere.yml", "dry-run": "true"})
    done = workplace.start("monitor.yml")
    assert done.code != 0
    assert done.outputs["it"]["exit-code"] == "2"
    assert len(done.errors()) == 1, done.told
    assert "elsewhere.yml" in done.errors()[0]
    assert "Traceback" not in done.log
    assert "exit code 2" in done.summary


@pytest.mark.parametrize("action", ["raise-incident", "open-issue", "dispatch-workflow", "send-messages"])
def test_a_plan_without_its_digest_is_not_carried_out(workplace: Workplace, action: str) -> None:
    adopt(workplace, action, {"plan": "plan.json", "plan-digest": ""})
    done = workplace.start("monitor.yml")
    assert done.errors() == ["Input `plan-digest` is required."], done.told


def test_secrets_are_masked_before_anything_else(workplace: Workplace) -> None:
    bundle = "# comment\nDB_PASSWORD='quoted-hunter2'\nOTHER_KEY=plain-hunter3\n"
    adopt(
        workplace,
        "monitor",
        {
            "config": "plain-hunter3-quoted-hunter2-abcdefgh12.yml",
            "secrets": bundle,
            "wandb-api-key": "abcdefgh12",
            "dry-run": "true",
        },
    )
    done = workplace.start("monitor.yml")
    assert done.outputs["it"]["exit-code"] == "2"
    for secret in ("quoted-hunter2", "plain-hunter3", "abcdefgh12"):
        assert secret not in done.log
        assert secret not in done.summary
        assert not any(secret in error for error in done.errors())


def test_the_caller_s_python_variables_do_not_reach_us(workplace: Workplace) -> None:
    hostile = {"PYTHONPATH": "hostile", "PYTHONSTARTUP": "hostile/click.py", "PYTHONHOME": "/nowhere"}
    adopt(workplace, "monitor", {"dry-run": "true"}, env=hostile)
    workplace.write(
        {
            "hostile/click.py": "open('pwned', 'w')\n",
            "click.py": "open('pwned', 'w')\n",
            "numpy.py": "open('pwned', 'w')\n",
        }
    )
    done = workplace.start("monitor.yml")
    assert done.outputs["it"]["exit-code"] in ("0", "2", "3", "4"), done.told
    assert not list(workplace.folder.rglob("pwned"))
