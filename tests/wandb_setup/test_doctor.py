"""What `doctor` says of the inside of W&B."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.doctor.setup_check import CheckStatus, SetupCheck
from modelwatch.doctor.wandb_setup import check_wandb_setup
from modelwatch.testing.standins.faults import Fault
from tests.conftest import WANDB_KEY
from tests.wandb_setup.world import World

OK, WARNING = CheckStatus.OK, CheckStatus.WARNING
WORKFLOW = "on: {repository_dispatch: {types: [modelwatch-evaluate]}}\n"


def examine(world: World, *readable: str) -> list[SetupCheck]:
    env = {"WANDB_BASE_URL": world.server.url, "WANDB_API_KEY": WANDB_KEY, "MODELWATCH_WAIT_SCALE": "0.001"}
    context = make_context(load_config(world.path, {}, require_secrets=False), 1_800_000_000.0, env)
    return list(check_wandb_setup(context, world.folder, readable or ("churn",)))


def add_workflow(world: World, text: str) -> None:
    folder = world.folder / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "modelwatch.yml").write_text(text, "utf-8")


def test_where_nothing_was_made_that_is_only_mentioned(world: World) -> None:
    (check,) = examine(world)
    assert check.status is OK
    assert "`modelwatch wandb plan` shows what could be" in check.message
    assert world.mutations() == []


def test_what_is_made_and_received_is_fine_and_the_token_is_remembered(world: World) -> None:
    world.apply()
    add_workflow(world, WORKFLOW)
    checks = examine(world)
    assert {check.status for check in checks} == {OK}
    assert [check.message.partition(":")[0] for check in checks] == [
        "7 objects are as configured",
        "5 automations start evaluations with the GitHub token in the team's secrets of W&B",
    ]


@pytest.mark.parametrize("mistake", ["no listener", "changed rule", "by hand", "no webhook", "deleted"])
def test_each_mistake_is_a_warning(world: World, mistake: str) -> None:
    world.apply()
    add_workflow(world, "on: push\n" if mistake == "no listener" else WORKFLOW)
    match mistake:
        case "changed rule":
            world.replace("{above: 250,", "{above: 300,")
        case "by hand":
            world.automation("accuracy").enabled = False
        case "no webhook":
            world.state.automations.webhooks.clear()
        case "deleted":
            world.state.automations.records.clear()
    warnings = [check for check in examine(world) if check.status is WARNING]
    text = " ".join(f"{check.message} {check.hint}" for check in warnings)
    assert {
        "no listener": "no workflow in .github/workflows listens to the event modelwatch-evaluate",
        "changed rule": "W&B is not as configured (update view churn; update report churn; update automation",
        "by hand": "automation modelwatch churn: accuracy: somebody changed it in W&B",
        "no webhook": "has no webhook that sends to https://api.github.com/repos/acme/churn-model/dispatches",
        "deleted": "create automation modelwatch churn: accuracy",
    }[mistake] in text
    assert len(warnings) == 1


def test_a_model_whose_project_cannot_be_read_is_left_to_the_other_checks(world: World) -> None:
    world.server.inject(Fault("status", path="graphql", status=500, times=-1))
    assert examine(world, "another") == []
    (check,) = examine(world)
    assert "HTTP 500" in check.message


def test_models_of_a_table_have_nothing_in_wandb(world: World, tmp_path: Path) -> None:
    world.replace(
        "wandb: {entity: acme, project: churn-prod, runs: {tags: production, job_type: serve}}", "table: {path: m.csv}"
    )
    assert examine(world) == []
