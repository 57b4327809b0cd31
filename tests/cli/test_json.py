"""Every command that prints a result prints it as JSON, too."""

from __future__ import annotations

import json

import click
import pytest

from .test_slips import LEAVES
from .world import CRITICAL, HEALTHY, World

NOT_A_RESULT = {
    "review": "a page of Markdown",
    "config reference": "a page of Markdown",
    "runbooks render": "a page, for the terminal or as Markdown",
    "config schema": "JSON anyway",
    "schema": "JSON anyway",
    "shards": "JSON anyway: a matrix of GitHub",
    "relay proceed": "the outputs of a step; the relay's image has no more",
    "standins": "a server",
    "demo": "a story",
}


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_has_a_format_or_a_reason(path: tuple[str, ...]) -> None:
    options = {name: param for param in LEAVES[path].params for name in param.opts}
    kind = options["--format"].type if "--format" in options else None
    has_json = isinstance(kind, click.Choice) and "json" in kind.choices
    assert has_json != (" ".join(path) in NOT_A_RESULT)


COMMANDS = {
    "check": {"groups"},
    "sensitivity": {"models"},
    "backtest --since 6h": {"rules", "incidents", "alerts", "marks", "totals"},
    "run": {"judgement", "plan", "receipts"},
    "status": {"groups", "troubles"},
    "diagnose": {"headline", "next"},
    "doctor": {"checks", "counts"},
    "pull": {"file", "models"},
    "evaluate": {"groups"},
    "plan": {"changes"},
    "measure": {"models"},
    "config check": {"path", "problems", "warnings", "models", "budgets", "charts"},
    "runbooks check": {"pages", "problems", "warnings"},
    "baseline capture --model churn --out b.json": {"file", "captured", "total"},
}


@pytest.mark.parametrize("line", COMMANDS)
def test_standard_output_is_one_json_object(world: World, line: str) -> None:
    """Whatever else is said goes to standard error."""
    world.metrics(*[HEALTHY] * 4, CRITICAL, CRITICAL)
    world.at(6)
    world.run("pull")
    world.run("evaluate")
    words = [*line.split(), "--format", "json"]
    ran = world.run(*words, now=words[0] not in ("config", "runbooks"))
    assert COMMANDS[line] <= json.loads(ran.out).keys(), ran.err


def test_problems_of_the_configuration(world: World) -> None:
    world.write("modelwatch.yml", world.read("modelwatch.yml").replace("window: 1h", "windwo: 1h"))
    ran = world.run("config", "check", "--format", "json", now=False)
    assert ran.code == 2
    (problem,) = ran.json["problems"]
    assert problem["hint"] == "Did you mean `window`?"
    assert problem["where"].startswith("modelwatch.yml:")


def test_a_number_that_is_none_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    from modelwatch.cli.options import print_json

    print_json({"a": [float("nan"), 1.5], "b": {"c": float("inf")}})
    assert json.loads(capsys.readouterr().out) == {"a": [None, 1.5], "b": {"c": None}}
