"""What the demo says at its end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from modelwatch.testing.demo.narration import own_command


def test_the_suggested_command_can_be_run_as_it_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`make demo` installs it into a folder where the shell does not look."""
    program = Path(sys.executable).with_name("modelwatch")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(program.parent.parent)
    assert own_command() == "bin/modelwatch"
    monkeypatch.chdir(tmp_path)
    assert own_command() == str(program)
    monkeypatch.setenv("PATH", str(program.parent))
    assert own_command() == "modelwatch"
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert own_command() == f"{tmp_path}/python -m modelwatch"
