"""The pages about rule tests: every key, and an example that is run as it stands."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from modelwatch.rule_tests.schema import reference_page

from ..config.making import write
from .making import command

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^ *```yaml\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[str]:
    return [textwrap.dedent(text) for text in BLOCK.findall((ROOT / page).read_text("utf-8"))]


def test_the_reference_of_the_repository_is_this_one() -> None:
    page = (ROOT / ".github" / "RULE-TESTS.md").read_text("utf-8")
    assert page == reference_page(), "modelwatch test --print reference > .github/RULE-TESTS.md"


@pytest.fixture
def example(tmp_path: Path) -> str:
    """The example of the page, in a folder with the configuration of the README."""
    (config,) = (text for text in blocks("README.md") if text.startswith("version: 1\nmodels:"))
    (text,) = (text for text in blocks(".github/BACKTEST.md") if text.startswith("version: 1\ntests:"))
    write(tmp_path, config)
    write(tmp_path, text, "modelwatch-tests.yml")
    return text


def test_the_example_passes_with_the_rule_of_the_readme(tmp_path: Path, example: str) -> None:
    found = command(tmp_path, "test")
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.count("  ok    ") == example.count("- name: ") > 2


def test_the_failure_on_the_page_is_what_is_printed(tmp_path: Path, example: str) -> None:
    page = (ROOT / ".github" / "BACKTEST.md").read_text("utf-8")
    (shown,) = re.findall(r"^```\n(  FAIL .*?)^```$", page, re.MULTILINE | re.DOTALL)
    write(tmp_path, example.replace("by: 16d}\n      - at: 17d", "by: 14d2h}\n      - at: 17d"), "modelwatch-tests.yml")
    found = command(tmp_path, "test", "--name", "wakes nobody")
    assert found.returncode == 2
    assert shown in found.stdout
