"""Golden cases: what is planned and what a person reads, for configurations and histories of every sort."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from .cases.play import CASES, Case

NAMES = [folder.name for folder in CASES]


def differences(path: Path, found: str) -> str:
    """A unified difference; empty where ``path`` holds ``found``."""
    stored = path.read_text("utf-8") if path.exists() else ""
    lines = difflib.unified_diff(stored.splitlines(), found.splitlines(), f"{path.name} (stored)", "now", lineterm="")
    return "\n".join(lines)


@pytest.mark.parametrize("folder", CASES, ids=NAMES)
def test_case(folder: Path) -> None:
    case = Case(folder)
    found = [
        differences(folder / "report.md", case.report()),
        differences(folder / "plan.json", case.plan_json()),
    ]
    told = "\n\n".join(text for text in found if text)
    assert not told, f"{told}\n\nIf this is meant: python -m tests.cases --update"


@pytest.mark.parametrize("folder", CASES, ids=NAMES)
def test_a_case_is_complete_and_named_in_its_configuration(folder: Path) -> None:
    assert (folder / "series.csv").exists() or folder.name == "source-down"
    assert (folder / "modelwatch.yml").read_text("utf-8").startswith("# "), "the first line says what the case is about"
