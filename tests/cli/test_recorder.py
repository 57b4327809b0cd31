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
    assert call("send", str(spool)) == "3 rows profiled, 1 profile and 1 file of rows sent.\n"
    assert recorded_profile(tmp_path / "recorded").rows == 3
    status = json.loads(call("status", str(spool), "--format", "json"))
    assert status["waiting"] == 0
    assert [day["rows"] for day in status["days"].values()] == [3]
    assert call("send", str(spool)) == "0 rows profiled, 0 profiles and 0 files of rows sent.\n"


@pytest.mark.parametrize("command", ["status", "send"])
def test_a_folder_that_is_no_spool_is_refused(command: str, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for folder in ("logs", "nowhere"):
        problem = CliRunner().invoke(group, ["recorder", command, str(tmp_path / folder)]).exception
        assert isinstance(problem, UserError)
        assert "this is no spool of a recorder" in str(problem)
    assert not (tmp_path / "nowhere").exists()


def test_status_counts_what_no_destination_has(spool: Path, tmp_path: Path) -> None:
    """Rows in a batch that was begun, in a journal that is being written, and profiles and rows for a folder that is
    away."""
    (spool / "batch-000000001").mkdir()
    (journal,) = spool.glob("*.rec")
    journal.rename(spool / "batch-000000001" / journal.name)
    client = recorder(spool, folder=tmp_path / "recorded")
    client.record({"age": 44}, "yes", 0.75)
    assert client._writer.write()
    assert call("status", str(spool)).startswith("4 rows wait to be sent;")
    client.close(timeout=0)
    (tmp_path / "recorded").write_text("a file where the folder should be")
    assert "cannot be written" in call("send", str(spool))
    status = call("status", str(spool))
    assert status.startswith("0 rows wait to be sent, and 4 sampled rows for the folder;")
    assert ": 4 rows, waits to be sent" in status
    (tmp_path / "recorded").unlink()
    assert call("send", str(spool)) == "0 rows profiled, 1 profile and 2 files of rows sent.\n"
    assert "waits to be sent" not in call("status", str(spool))


def test_status_names_what_was_set_aside(spool: Path) -> None:
    call("send", str(spool))
    state = json.loads((spool / "sender.json").read_text())
    (spool / "sender.json").write_text(
        json.dumps(state | {"aside": {"rows": 7, "problems": {"TypeError": 9}, "columns": {"plan": 2}}})
    )
    status = call("status", str(spool))
    assert f"7 rows could not be counted and are lost; set aside in {spool / 'aside'}: 9 by TypeError" in status
    assert "columns that did not fit: plan (2)" in status
    assert json.loads(call("status", str(spool), "--format", "json"))["set_aside"]["rows"] == 7
