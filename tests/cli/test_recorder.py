"""``modelwatch recorder``: what lies in a spool, and that it goes to its destination."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from modelwatch.cli import group
from modelwatch.errors import UserError

from ..recorder.recorders import recorded_profile, recorder


def call(*arguments: str) -> str:
    found = CliRunner().invoke(group, ["recorder", *arguments])
    assert found.exit_code == 0, found.output
    return found.output


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Three rows of a process that has ended and sent nothing."""
    folder = tmp_path / "spool"
    client = recorder(folder, folder=tmp_path / "recorded")
    for age in (41, 42, 43):
        client.record({"age": age, "region": "eu"}, "yes", 0.75)
    client.close(timeout=0)
    return folder


def test_rows_wait_until_they_are_sent(spool: Path, tmp_path: Path) -> None:
    assert call("status", str(spool)).startswith("3 rows wait to be sent")
    assert call("send", str(spool)) == "3 rows profiled, 1 file of rows sent.\n"
    assert recorded_profile(tmp_path / "recorded").rows == 3
    status = json.loads(call("status", str(spool), "--format", "json"))
    assert status["waiting"] == 0
    assert [day["rows"] for day in status["days"].values()] == [3]
    assert call("send", str(spool)) == "0 rows profiled, 0 files of rows sent.\n"


@pytest.mark.parametrize("command", ["status", "send"])
def test_a_folder_that_is_no_spool_is_refused(command: str, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for folder in ("logs", "nowhere"):
        problem = CliRunner().invoke(group, ["recorder", command, str(tmp_path / folder)]).exception
        assert isinstance(problem, UserError)
        assert "this is no spool of a recorder" in str(problem)
    assert not (tmp_path / "nowhere").exists()
