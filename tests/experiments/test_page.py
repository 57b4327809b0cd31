"""``modelwatch experiment``, as the page about experiments shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from markdown_it import MarkdownIt

from modelwatch.cli import group
from modelwatch.errors import Exit, UserError
from modelwatch.runbooks.check import command_problem, split_commands

from .example import NOW, write_example

PAGE = (Path(__file__).resolve().parents[2] / ".github/EXPERIMENTS.md").read_text("utf-8")
BLOCKS = [(token.info, token.content) for token in MarkdownIt().parse(PAGE) if token.type == "fence"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's configuration, with its log and orders."""
    place = tmp_path_factory.mktemp("page")
    write_example(place)
    (place / "modelwatch.yml").write_text(next(text for info, text in BLOCKS if info == "yaml"))
    return place


def call(folder: Path, *arguments: str) -> Result:
    options = ["--config", str(folder / "modelwatch.yml"), "--now", NOW]
    return CliRunner(env={"COLUMNS": "120"}).invoke(group, ["experiment", *arguments, *options])


def trimmed(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


def test_the_page_shows_what_the_command_prints(folder: Path) -> None:
    done = call(folder, "churn", "checkout")
    assert done.exit_code == 0, done.output
    assert trimmed(done.output) == trimmed(next(text for info, text in BLOCKS if info == "text"))


def test_the_commands_of_the_page_can_be_parsed() -> None:
    commands = [line.removeprefix("$ ") for info, text in BLOCKS if info == "console" for line in text.splitlines()]
    assert commands
    for line in commands:
        assert [command_problem(argv, group) for argv in split_commands(line)] == [""]


def test_without_names_every_experiment_and_the_cohorts_are_printed(folder: Path) -> None:
    done = call(folder)
    assert done.exit_code == 0, done.output
    assert "churn: checkout" in done.output
    assert "churn: revenue a prediction: 14.21 after 10 d (stated), of 24,081 predictions in mature" in done.output
    assert "young: +1.2 % against mature ones at its age" in done.output


def test_markdown(folder: Path) -> None:
    done = call(folder, "churn", "--format", "markdown")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("### Experiment `checkout`\n\n**ship** `ship new: revenue of new is +7.0 %")
    assert "| `region=apac` | `999` | `new` |" in done.output
    assert "### Cohorts" in done.output


def test_json(folder: Path) -> None:
    done = call(folder, "churn", "--format", "json")
    (found,) = json.loads(done.stdout)["models"]
    (experiment,) = found["experiments"]
    assert (experiment["decision"], experiment["chosen"], experiment["reason"]) == ("ship", "new", "better")
    assert len(experiment["looks"]) == 28
    assert experiment["looks"][-1]["effects"][0]["low"] == pytest.approx(0.4266, abs=1e-4)
    assert experiment["looks"][0]["effects"][0]["low"] is None
    assert experiment["decision_text"].startswith("ship new: revenue of new is +7.0 %")
    assert found["cohorts"]["total"] == pytest.approx(14.21, abs=0.01)


@pytest.mark.parametrize("style", ["text", "markdown", "json"])
def test_an_experiment_that_has_not_begun_is_planned(folder: Path, style: str) -> None:
    later = (folder / "modelwatch.yml").read_text().replace("start: 2026-10-01", "start: 2026-11-01")
    (folder / "later.yml").write_text(later)
    options = ["--config", str(folder / "later.yml"), "--now", NOW, "--format", style]
    done = CliRunner(env={"COLUMNS": "120"}).invoke(group, ["experiment", "churn", "checkout", *options])
    assert done.exit_code == 0, done.output
    if style == "json":
        (plan,) = json.loads(done.stdout)["models"][0]["plans"]
        assert [effect["units"] for effect in plan["effects"]][2:4] == [16_328, 4_219]
    else:
        assert "By the last four weeks revenue is 22.91, of 499 units a day." in " ".join(done.output.split())
        assert "16,328" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("churn", "checkouts"), "the model 'churn' has no experiment 'checkouts'. Did you mean checkout?"),
        (("chur",), "there is no model 'chur'. Did you mean churn?"),
    ],
)
def test_a_slip_is_named(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    done = call(folder, *arguments)
    assert isinstance(done.exception, UserError)
    assert done.exception.exit_code is Exit.USAGE
    assert message in str(done.exception).replace("`", "")


def test_a_configuration_without_experiments(tmp_path: Path) -> None:
    rule = "{name: r, kind: latency, metric: l, tiers: {error: {above: 1}}}"
    model = f"{{name: m, wandb: {{entity: e, project: p}}, rules: [{rule}]}}"
    (tmp_path / "modelwatch.yml").write_text(f"version: 1\nmodels: [{model}]\n")
    done = call(tmp_path)
    assert "no model here has an experiment. Give `business: {experiments: [...]}`" in str(done.exception)
