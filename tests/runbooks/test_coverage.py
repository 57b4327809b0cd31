"""``modelwatch runbooks check`` on a user's configuration and pages; each kind of fault, planted, is found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from modelwatch.config.vocabulary import KINDS as ALL_KINDS
from modelwatch.runbooks.page import PAGES_DIR
from tests.cli.world import CONFIG, TABLE, Ran, World

BASE = "    runbooks: {base: docs/runbooks}\n    rules:\n"
KINDS = ("accuracy-drop", "implausible-metric", "monitoring-silent", "sudden-improvement")


@pytest.fixture
def check(world: World) -> World:
    """A repository whose model has a folder of pages of its own, without a fault."""
    world.metrics(0.9)
    configure(world)
    for kind in KINDS:
        place = world.folder / f"docs/runbooks/{kind}.md"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PAGES_DIR / "template.md", place)
        place.write_text(
            place.read_text().replace("README.md#", "#").replace("(#placeholders)", "(#afterwards)"), "utf-8"
        )
        text = place.read_text("utf-8").replace("(#nothing-set-up-on-this-machine)", "(https://acme.example/help)")
        place.write_text(text, "utf-8")
    return world


def configure(world: World, old: str = "", new: str = "") -> None:
    world.config(CONFIG.replace("    rules:\n", BASE).replace(old, new, 1), TABLE)


def checked(world: World) -> Ran:
    return world.run("runbooks", "check", now=False)


def page(world: World, kind: str = "accuracy-drop") -> Path:
    return world.folder / f"docs/runbooks/{kind}.md"


def plant(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_pages_of_a_users_own_that_hold(check: World) -> None:
    found = checked(check)
    assert (found.code, found.err) == (0, "")
    assert found.out == f"runbooks: {len(ALL_KINDS)} pages, 4 rules, 4 pages of your own, no problem.\n"


def test_a_missing_page(check: World) -> None:
    page(check).unlink()
    page(check, "monitoring-silent").unlink()
    found = checked(check)
    assert found.code == 2
    assert "churn: rule 'accuracy': its runbook does not exist: docs/runbooks/accuracy-drop.md" in found.err
    assert "the alert 'monitoring-silent': its runbook does not exist" in found.err


def test_a_dead_link(check: World) -> None:
    plant(page(check), "What was measured", "[See](nowhere.md), [here](#nothing). What was measured")
    plant(page(check, "sudden-improvement"), "https://acme.example/help", "https:///help")
    found = checked(check)
    assert found.code == 2
    for told in (
        "the link leads nowhere: nowhere.md",
        "has no heading #nothing",
        "the link is not a URL: https:///help",
    ):
        assert told in found.err


def test_commands_that_no_longer_parse(check: World) -> None:
    commands = 'modelwatch state --model MODEL\ngh issue comment 1 --body "/modelwatch hush"\nkubectl get pods'
    plant(page(check), "modelwatch diagnose MODEL", commands)
    found = checked(check)
    assert found.code == 2
    assert "there is no command 'state'" in found.err
    assert "no command of an issue: '/modelwatch hush'" in found.err
    assert "kubectl" not in found.err


def test_a_rule_without_a_kind(check: World) -> None:
    configure(check, "        kind: accuracy-drop\n")
    found = checked(check)
    assert found.code == 2
    assert "a rule needs `kind`" in found.err


def test_a_kind_without_a_page(world: World) -> None:
    world.config(CONFIG.replace("accuracy-drop", "acuracy-drop"))
    found = checked(world)
    assert found.code == 2
    assert "`acuracy-drop` is not a kind that has a runbook" in found.err


def test_a_page_that_nobody_can_reach_is_a_warning(check: World) -> None:
    shutil.copy(page(check), page(check, "pets"))
    shutil.copy(page(check), page(check, "linked"))
    plant(page(check), "What was measured", "[More](linked.md). What was measured")
    found = checked(check)
    assert found.code == 0
    assert found.err.count("warning:") == 1
    assert "pets.md: no rule and no other page leads to this page" in found.err


def test_a_section_that_is_missing_is_a_warning(check: World) -> None:
    plant(page(check), "## Who may decide", "## Whoever decides")
    found = checked(check)
    assert found.code == 0
    assert "warning: accuracy-drop.md:1: the section 'Who may decide' is missing" in found.err


@pytest.mark.parametrize(
    ("runbook", "code"),
    [
        ("https://wiki.acme.example/churn", 0),
        ("docs/churn.md", 0),
        ("docs/other.md", 2),
        ("https://github.com/acme/churn-model/blob/main/docs/churn.md", 0),
        ("https://github.com/acme/churn-model/blob/main/docs/other.md", 2),
        ("https://github.com/acme/handbook/blob/main/docs/other.md", 0),
    ],
)
def test_a_page_of_one_rule(world: World, runbook: str, code: int) -> None:
    shutil.copy(PAGES_DIR / "latency.md", world.write("docs/churn.md", ""))
    text = (world.folder / "docs/churn.md").read_text("utf-8")
    world.write("docs/churn.md", "\n".join(line for line in text.splitlines() if "](" not in line))
    world.config(CONFIG.replace("kind: accuracy-drop", f'kind: accuracy-drop\n        runbook: "{runbook}"'))
    assert checked(world).code == code


def test_pages_in_another_repository_are_not_looked_for(world: World) -> None:
    world.setenv("GITHUB_REPOSITORY", "acme/fleet")
    world.config(CONFIG.replace("kind: accuracy-drop", "kind: accuracy-drop\n        runbook: docs/other.md"))
    assert checked(world).code == 0


def test_without_a_configuration_our_pages_are_checked(world: World) -> None:
    (world.folder / "modelwatch.yml").unlink()
    assert checked(world).out == f"runbooks: {len(ALL_KINDS)} pages, no modelwatch.yml here, no problem.\n"
    assert world.run("runbooks", "check", "--config", "fleet.yml", now=False).code == 2
