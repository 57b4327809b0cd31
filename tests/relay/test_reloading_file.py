"""Files that are read again when they change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelwatch.relay.reloading_file import ReloadingFile, parse_private_key, parse_secrets, parse_token

OLD, NEW = "o" * 64, "n" * 64


def test_a_change_is_seen_and_nothing_is_read_twice(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    path.write_text(f"{OLD}\n")
    file = ReloadingFile(path, parse_secrets)
    assert file.value() == (OLD.encode(),)
    assert file.value() == (OLD.encode(),)
    assert file.reload_count == 1
    path.write_text(f" {NEW} \n\n{OLD}\n{NEW}\n")
    assert file.value() == (NEW.encode(), OLD.encode())
    assert file.reload_count == 2


def test_a_file_that_is_replaced_as_kubernetes_does_is_seen(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "secrets").write_text(name * 64 + "\n")
    link = tmp_path / "now"
    link.symlink_to("a")
    file = ReloadingFile(link / "secrets", parse_secrets)
    assert file.value() == (b"a" * 64,)
    (tmp_path / "next").symlink_to("b")
    os.replace(tmp_path / "next", link)
    assert file.value() == (b"b" * 64,)


@pytest.mark.parametrize("broken", [b"", b"  \n\n", b"\xff\xfe\xff", b"x" * 70_000, b"x" * 31])
def test_the_last_good_value_stays_while_the_file_is_broken(tmp_path: Path, broken: bytes) -> None:
    path = tmp_path / "secrets"
    path.write_text(f"{OLD}\n")
    file = ReloadingFile(path, parse_secrets)
    assert file.value() == (OLD.encode(),)
    path.write_bytes(broken)
    assert file.value() == (OLD.encode(),)
    assert file.problem
    path.unlink()
    assert file.value() == (OLD.encode(),)
    assert file.problem == "No such file or directory"
    path.write_text(f"{NEW}\n")
    assert file.value() == (NEW.encode(),)
    assert file.problem == ""


def test_a_file_that_never_was_there_has_no_value(tmp_path: Path) -> None:
    file = ReloadingFile(tmp_path / "none", parse_secrets)
    assert file.value() is None
    assert file.problem


def test_a_secret_that_pagerduty_has_not_made_is_refused_and_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    path.write_text(f"{OLD}\nhunter2\n")
    file = ReloadingFile(path, parse_secrets)
    assert file.value() is None
    assert "less than 32 characters" in file.problem
    assert "hunter2" not in file.problem


def test_tokens_and_keys_are_looked_at() -> None:
    assert parse_token(" ghp_x \n") == "ghp_x"
    for text in ("", "a b", "é"):
        with pytest.raises(ValueError, match="exactly one token"):
            parse_token(text)
    with pytest.raises(ValueError, match="PEM"):
        parse_private_key("ghp_x")
