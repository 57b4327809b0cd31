"""Files that are read again when they change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelwatch.relay.watched import WatchedFile, read_key, read_secrets, read_token


def test_a_change_is_seen_and_nothing_is_read_twice(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    path.write_text("old\n")
    file = WatchedFile(path, read_secrets)
    assert file.value() == (b"old",)
    assert file.value() == (b"old",)
    assert file.changes == 1
    path.write_text(" new \n\nold\nnew\n")
    assert file.value() == (b"new", b"old")
    assert file.changes == 2


def test_a_file_that_is_replaced_as_kubernetes_does_is_seen(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "secrets").write_text(f"secret-{name}\n")
    link = tmp_path / "now"
    link.symlink_to("a")
    file = WatchedFile(link / "secrets", read_secrets)
    assert file.value() == (b"secret-a",)
    (tmp_path / "next").symlink_to("b")
    os.replace(tmp_path / "next", link)
    assert file.value() == (b"secret-b",)


@pytest.mark.parametrize("broken", [b"", b"  \n\n", b"\xff\xfe\xff", b"x" * 70_000])
def test_the_last_good_value_stays_while_the_file_is_broken(tmp_path: Path, broken: bytes) -> None:
    path = tmp_path / "secrets"
    path.write_text("old\n")
    file = WatchedFile(path, read_secrets)
    assert file.value() == (b"old",)
    path.write_bytes(broken)
    assert file.value() == (b"old",)
    assert file.trouble
    path.unlink()
    assert file.value() == (b"old",)
    assert file.trouble == "No such file or directory"
    path.write_text("new\n")
    assert file.value() == (b"new",)
    assert file.trouble == ""


def test_a_file_that_never_was_there_has_no_value(tmp_path: Path) -> None:
    file = WatchedFile(tmp_path / "none", read_secrets)
    assert file.value() is None
    assert file.trouble


def test_tokens_and_keys_are_looked_at() -> None:
    assert read_token(" ghp_x \n") == "ghp_x"
    for text in ("", "a b", "é"):
        with pytest.raises(ValueError, match="exactly one token"):
            read_token(text)
    with pytest.raises(ValueError, match="PEM"):
        read_key("ghp_x")
