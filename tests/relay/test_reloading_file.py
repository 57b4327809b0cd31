"""Files that are read again when they change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelwatch.relay.reloading_file import ReloadingFile, parse_private_key, parse_secrets, parse_token


def test_a_change_is_seen_and_nothing_is_read_twice(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    path.write_text("old\n")
    file = ReloadingFile(path, parse_secrets)
    assert file.value() == (b"old",)
    assert file.value() == (b"old",)
    assert file.reload_count == 1
    path.write_text(" new \n\nold\nnew\n")
    assert file.value() == (b"new", b"old")
    assert file.reload_count == 2


def test_a_file_that_is_replaced_as_kubernetes_does_is_seen(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "secrets").write_text(f"secret-{name}\n")
    link = tmp_path / "now"
    link.symlink_to("a")
    file = ReloadingFile(link / "secrets", parse_secrets)
    assert file.value() == (b"secret-a",)
    (tmp_path / "next").symlink_to("b")
    os.replace(tmp_path / "next", link)
    assert file.value() == (b"secret-b",)


@pytest.mark.parametrize("broken", [b"", b"  \n\n", b"\xff\xfe\xff", b"x" * 70_000])
def test_the_last_good_value_stays_while_the_file_is_broken(tmp_path: Path, broken: bytes) -> None:
    path = tmp_path / "secrets"
    path.write_text("old\n")
    file = ReloadingFile(path, parse_secrets)
    assert file.value() == (b"old",)
    path.write_bytes(broken)
    assert file.value() == (b"old",)
    assert file.problem
    path.unlink()
    assert file.value() == (b"old",)
    assert file.problem == "No such file or directory"
    path.write_text("new\n")
    assert file.value() == (b"new",)
    assert file.problem == ""


def test_a_file_that_never_was_there_has_no_value(tmp_path: Path) -> None:
    file = ReloadingFile(tmp_path / "none", parse_secrets)
    assert file.value() is None
    assert file.problem


def test_tokens_and_keys_are_looked_at() -> None:
    assert parse_token(" ghp_x \n") == "ghp_x"
    for text in ("", "a b", "é"):
        with pytest.raises(ValueError, match="exactly one token"):
            parse_token(text)
    with pytest.raises(ValueError, match="PEM"):
        parse_private_key("ghp_x")
