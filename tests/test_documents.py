"""What README shows is what the tool takes: its configuration loads, its commands parse, its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from markdown_it import MarkdownIt

from modelwatch.cli import COMMANDS, group
from modelwatch.config.load import load_config
from modelwatch.model.watched import Config
from modelwatch.runbooks.lines import split, wrong

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / ".github").glob("*.md")])
ENV = {"PAGERDUTY_ROUTING_KEY": "R" * 32}


def blocks(language: str) -> list[str]:
    """Fenced blocks, without the indent of the list that they stand in."""
    return [token.content for token in MarkdownIt().parse(README) if token.type == "fence" and token.info == language]


def load(tmp_path: Path, text: str) -> Config:
    (tmp_path / "baselines").mkdir(exist_ok=True)
    path = tmp_path / "modelwatch.yml"
    path.write_text(text, "utf-8")
    return load_config(path, ENV, require_secrets=False)


def whole() -> str:
    (text,) = (text for text in blocks("yaml") if text.startswith("version: 1"))
    # The baseline is captured one step later.
    return text.replace("baseline: {file: baselines/churn.json}", "baseline: {value: 0.92, n: 1000}")


def test_the_first_configuration_loads(tmp_path: Path) -> None:
    (model,) = load(tmp_path, whole()).models
    assert model.name == "churn"
    assert [tier.severity.name for tier in model.rules[0].tiers] == ["WARNING", "ERROR", "CRITICAL"]


def test_the_parts_for_inputs_and_releases_fit_under_it(tmp_path: Path) -> None:
    of_model = [text for text in blocks("yaml") if re.match(r"    [a-z]+:", text)]
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


def lines() -> list[str]:
    found = [line.strip() for text in blocks("") for line in text.splitlines()]
    return [line.partition("#")[0].strip() for line in found if line.startswith("modelwatch ")]


@pytest.mark.parametrize("line", lines())
def test_every_command_parses(line: str) -> None:
    for argv in split(line):
        assert wrong(argv, group) == ""


def test_the_table_of_commands_knows_them_all() -> None:
    table = README.partition("## Commands")[2].partition("## ")[0]
    assert len(lines()) >= 7
    for name in COMMANDS:
        assert re.search(rf"^\|[^|]*`{name}[ `]", table, re.MULTILINE), name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_within_the_repository_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        parts = urlsplit(target)
        if parts.scheme or not parts.path:
            continue
        assert (path.parent / parts.path).exists(), f"{path.name}: {target}"
