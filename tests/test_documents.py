"""The documents match the tool: the configurations load, the commands parse, the links resolve."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from markdown_it import MarkdownIt

from modelwatch.cli import COMMANDS, group
from modelwatch.config.loader import load_config
from modelwatch.distribution import SLUG
from modelwatch.model.monitored_model import Config
from modelwatch.runbooks.check import command_problem, split_commands

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
OF_ACTIONS = ROOT / "actions/README.md"
ACTIONS_PAGE = OF_ACTIONS.read_text("utf-8")
DOCUMENTS = sorted([ROOT / "README.md", OF_ACTIONS, *(ROOT / ".github").glob("*.md")])
ACTIONS = {path.parent.name: yaml.safe_load(path.read_text("utf-8")) for path in ROOT.glob("actions/*/action.yml")}
ENV = {"PAGERDUTY_ROUTING_KEY": "R" * 32}


def blocks(language: str, text: str = README) -> list[str]:
    """Fenced blocks, without the indent of the list that they stand in."""
    return [token.content for token in MarkdownIt().parse(text) if token.type == "fence" and token.info == language]


def load(tmp_path: Path, text: str) -> Config:
    (tmp_path / "baselines").mkdir(exist_ok=True)
    path = tmp_path / "modelwatch.yml"
    path.write_text(text, "utf-8")
    return load_config(path, ENV, require_secrets=False)


def whole() -> str:
    (text,) = (text for text in blocks("yaml") if text.startswith("version: 1"))
    # The baseline is captured one step later.
    return text.replace("baseline: {file: baselines/churn.json}", "baseline: {value: 0.92, n: 1000}")


def test_the_readme_is_short_and_its_first_screen_shows_the_product() -> None:
    text = README.splitlines()
    assert len(text) < 220
    first_screen = "\n".join(text[:24])
    for part in ("make demo", "make test", ".github/images/issue.png"):
        assert part in first_screen


def test_the_first_configuration_loads(tmp_path: Path) -> None:
    (model,) = load(tmp_path, whole()).models
    assert model.name == "churn"
    assert [tier.severity.name for tier in model.rules[0].tiers] == ["WARNING", "ERROR", "CRITICAL"]


def test_the_parts_for_inputs_and_releases_fit_under_it(tmp_path: Path) -> None:
    of_model = [text for text in blocks("yaml") + blocks("yaml", ACTIONS_PAGE) if re.match(r"    [a-z]+:", text)]
    of_rules = [text for text in blocks("yaml") if text.startswith("      - name:")]
    assert len(of_model) == 2
    assert len(of_rules) == 1
    rules = "".join(of_rules).replace("baseline: {file: baselines/churn.npz}", "baseline: {rolling: 28d}")
    parts = "".join(of_model).replace("      reference: baselines/churn.npz", "      # captured later")
    head, _, tail = whole().partition("    rules:\n")
    (model,) = load(tmp_path, f"{head}{parts}    rules:\n{tail}{rules}").models
    assert model.measure is not None
    assert model.measure.outcomes is not None
    assert model.release is not None
    assert {rule.name for rule in model.rules} >= {"accuracy", "inputs", "quality-missing", "quality-volume"}


def lines(page: str = README) -> list[str]:
    found = [line.strip() for text in blocks("", page) for line in text.splitlines()]
    return [line.partition("#")[0].strip() for line in found if line.startswith("modelwatch ")]


@pytest.mark.parametrize("line", lines())
def test_every_command_parses(line: str) -> None:
    for argv in split_commands(line):
        assert command_problem(argv, group) == ""


def test_every_command_of_the_upgrade_parses() -> None:
    found = lines((ROOT / ".github/UPGRADING.md").read_text("utf-8"))
    assert len(found) >= 4
    for line in found:
        assert [command_problem(argv, group) for argv in split_commands(line)] == [""]


def test_the_table_of_commands_knows_them_all() -> None:
    table = README.partition("## Commands")[2].partition("## ")[0]
    assert len(lines()) >= 7
    for name in COMMANDS:
        assert re.search(rf"^\|[^|]*`{name}[ `]", table, re.MULTILINE), name


def test_the_table_of_actions_says_what_each_needs_and_gives() -> None:
    told: dict[str, tuple[set[str], set[str]]] = {}
    for line in ACTIONS_PAGE.splitlines():
        if not line.startswith("| [`"):
            continue
        names, _, needs, gives = line.strip()[1:-1].split("|")
        for name in re.findall(r"\[`([a-z-]+)`\]", names):
            told[name] = set(re.findall(r"`([a-z-]+)`", needs)), set(re.findall(r"`([a-z-]+)`", gives))
    for name, action in ACTIONS.items():
        needed = {key for key, given in action["inputs"].items() if given["required"]}
        assert told[name] == (needed, set(action["outputs"]) - {"exit-code"}), name
    assert set(told) == set(ACTIONS)


def test_the_examples_of_actions_name_inputs_and_outputs_that_there_are() -> None:
    examples = [yaml.safe_load(text) for text in blocks("yaml", ACTIONS_PAGE) if "steps:" in text]
    used = 0
    for example in examples:
        steps = example.get("steps") or example["jobs"]["monitor"]["steps"]
        ids = {step["id"]: step["uses"] for step in steps if "id" in step}
        for step in steps:
            for name, key in re.findall(r"steps\.(\w+)\.outputs\.([a-z-]+)", str(step)):
                assert key in ACTIONS[ids[name].rpartition("/")[2].partition("@")[0]]["outputs"]
            if found := re.fullmatch(rf"{SLUG}/actions/([a-z-]+)@<commit>", step.get("uses", "")):
                action = ACTIONS[found[1]]
                needed = {key for key, given in action["inputs"].items() if given["required"]}
                assert needed <= set(step.get("with", {})) <= set(action["inputs"]), found[1]
                used += 1
    assert used == 6


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_within_the_repository_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        parts = urlsplit(target)
        if parts.scheme or not parts.path:
            continue
        assert (path.parent / parts.path).exists(), f"{path.name}: {target}"


def test_every_path_in_the_walk_through_the_code_exists() -> None:
    page = (ROOT / ".github/CONTRIBUTING.md").read_text("utf-8")
    walk = page.partition("## A walk through the code")[2].partition("## How we write")[0]
    paths = re.findall(r"`((?:[a-z_]+/)+[\w.]*|[\w-]+\.(?:py|md))`", walk)
    paths = [path for path in paths if path != "scripts/modelwatch/"]
    assert len(paths) > 30
    sources = ROOT / "scripts/modelwatch"
    assert [path for path in paths if not any((root / path).exists() for root in (sources, ROOT))] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_in_a_document_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", path.read_text("utf-8"))) <= targets


def test_a_long_installation_says_what_it_does() -> None:
    """Not as the commands that it runs, but in words, before each step that takes long."""
    recipe = (ROOT / "Makefile").read_text("utf-8").partition("\n.venv/installed:")[2].partition("\n\n")[0]
    lines = [line.strip() for line in recipe.splitlines()[1:]]
    said = [place for place, line in enumerate(lines) if line.startswith("@echo ")]
    slow = [place for place, line in enumerate(lines) if "-m venv" in line or "uv pip sync" in line]
    assert said[0] == slow[0] - 1
    assert slow[1] - 1 in said
    assert all(line.startswith("@") for line in lines if not line.startswith(("{", "--")))
