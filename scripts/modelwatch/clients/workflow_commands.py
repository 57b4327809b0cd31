"""Workflow commands of GitHub Actions: annotations, outputs and the job's summary."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from ..errors import UserError

MAX_SUMMARY_BYTES = 1024 * 1024
"""Bytes of the summary of one step; GitHub drops a longer one altogether."""
_TRUNCATION_NOTE = "\n\n_The rest of this summary is left out: it is longer than the 1 MiB that GitHub shows._\n"
_LOCATION = re.compile(r"(?P<file>[^:\s][^:]*\.[A-Za-z]+)(?::(?P<line>\d+))?(?::(?P<col>\d+))?")


def escape_data(text: str) -> str:
    """The text of a command: ``%``, CR and LF would end or change it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """A property of a command: ``:`` and ``,`` separate them."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


def annotation(level: Literal["error", "warning"], message: str, where: str = "") -> str:
    """``::error file=..,line=..::message``; ``where`` is ``file:line:column``, or anything else, which is left out."""
    match = _LOCATION.fullmatch(where)
    location = match.groupdict() if match else {}
    properties = ",".join(f"{name}={escape_property(value)}" for name, value in location.items() if value)
    return f"::{level}{' ' + properties if properties else ''}::{escape_data(message)}"


def format_output(name: str, value: str) -> str:
    """One output in the form of GITHUB_OUTPUT: a heredoc whose delimiter is random and does not occur in the value."""
    if not name or not all(letter.isalnum() or letter in "_-" for letter in name):
        raise UserError(f"{name!r} is not the name of an output")
    delimiter = f"modelwatch-{secrets.token_hex(16)}"
    while delimiter in value:
        delimiter = f"modelwatch-{secrets.token_hex(16)}"
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def set_output(name: str, value: str, env: Mapping[str, str]) -> None:
    """Append to GITHUB_OUTPUT; nothing happens outside of Actions."""
    if path := env.get("GITHUB_OUTPUT"):
        with Path(path).open("a", encoding="utf-8", newline="\n") as file:
            file.write(format_output(name, value))


def append_summary(markdown: str, env: Mapping[str, str]) -> None:
    """Append to the job's summary, cut with a note where it would pass 1 MiB; nothing happens outside of Actions."""
    if not (path := env.get("GITHUB_STEP_SUMMARY")):
        return
    file = Path(path)
    room = MAX_SUMMARY_BYTES - (file.stat().st_size if file.exists() else 0)
    data = (markdown if markdown.endswith("\n") else markdown + "\n").encode()
    if len(data) > room:
        note = _TRUNCATION_NOTE.encode()
        beginning = data[: max(room - len(note), 0)].decode("utf-8", errors="ignore").encode()
        data = beginning + note if room >= len(note) else b""
    with file.open("ab") as handle:
        handle.write(data)
