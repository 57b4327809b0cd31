"""Reads and writes the register in the body of an issue: between markers, so that people can write around it.

The block reads::

    <!-- modelwatch:begin GROUPKEY -->
    <!-- modelwatch:register {json} -->
    <!-- modelwatch:title DIGEST -->
    (what people read: the evidence)
    <!-- modelwatch:end -->

In the JSON, ``<``, ``>`` and ``--`` are escaped, so it cannot end its comment; in the evidence, anything that looks
like one of our markers is escaped. A body without these markers exactly once and in this order is not trusted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ... import typed_json
from ...errors import TargetError, shorten
from ...model.acknowledgement import ACKNOWLEDGEMENT_LENGTH, MAX_SILENCE
from ...model.register import OMITTED_FIELDS, Register
from ...timeutil import DAY, is_time

MAX_BODY = 65_536
"""Characters that GitHub takes in a body."""
MAX_REGISTER = 24_000
FORMAT = 1
CLOCK_ERROR = DAY
"""By how much (seconds) the clock of a runner may be wrong."""
LONGEST_MUTES = {"silence_until": MAX_SILENCE, "ack_until": ACKNOWLEDGEMENT_LENGTH}
"""How long (seconds) what a person said can last, by the field of the register."""
_COMING = ("page_after", "quiet_until")
"""Fields that hold times which are to come; each plan computes them anew."""
T = TypeVar("T")

_ANY_MARKER = re.compile(r"<!--\s*modelwatch\s*:\s*(begin|register|title|end)\b", re.IGNORECASE)
_MARKER_START = re.compile(r"<!(?=--\s*modelwatch\s*:)", re.IGNORECASE)
_BLOCK = re.compile(
    r"<!-- modelwatch:begin (?P<group>[0-9a-f]{16}) -->\r?\n"
    r"<!-- modelwatch:register (?P<json>[^\r\n<>]*) -->\r?\n"
    r"<!-- modelwatch:title (?P<title>[0-9a-f]*) -->\r?\n"
    r"(?P<rendered>.*?)"
    r"<!-- modelwatch:end -->",
    re.DOTALL,
)
_MARKER_ORDER = ["begin", "register", "title", "end"]
_TRUNCATION_NOTE = "\n\n_The rest of the evidence is left out: it is longer than an issue may be._\n"


@dataclass(frozen=True, slots=True)
class RegisterBlock:
    """The register in a body. ``group`` is empty where there is no marker: then the issue is not ours."""

    group: str = ""
    register: Register | None = None
    error: str = ""
    """Why the register cannot be used."""
    title: str = ""
    """Digest of the last title that we wrote: a title that differs from it was changed by a person."""


def parse_body(body: str) -> RegisterBlock:
    """Find the register in ``body``; never raises, and never guesses."""
    kinds = [match.group(1).lower() for match in _ANY_MARKER.finditer(body)]
    if not kinds:
        return RegisterBlock()
    block = _BLOCK.search(body)
    group = block["group"] if block else _first_group(body)
    if kinds != _MARKER_ORDER or block is None:
        problem = "more than once" if kinds.count("begin") > 1 or kinds.count("register") > 1 else "incomplete"
        return RegisterBlock(
            group, None, f"modelwatch's markers in the issue's text are {problem} or changed: repair or close it"
        )
    register, error = decode_register(block["json"])
    if register is not None and register.group != group:
        return RegisterBlock(group, None, "the register in the issue is that of another group", block["title"])
    return RegisterBlock(group, register, error, block["title"])


def render_body(old: str, rendered: str, register: Register, title: str = "") -> str:
    """``old`` with the block replaced (or, where there is none, put before it); all other text stays unchanged.

    A register that is too long loses its oldest details. An empty ``rendered`` keeps the present evidence. ``title`` is
    the title that we write; empty keeps its digest. Raises TargetError where ``old`` cannot be trusted, or leaves no
    room.
    """
    register = shrink_register(register)
    parsed = parse_body(old)
    if parsed.error:
        raise TargetError(parsed.error)
    block = _BLOCK.search(old) if parsed.group else None
    if block is not None and parsed.group != register.group:
        raise TargetError("the issue is that of another group")
    before, after = (old[: block.start()], old[block.end() :]) if block else ("", f"\n\n{old}" if old else "")
    evidence = rendered if rendered or block is None else block["rendered"].strip("\r\n")
    head = (
        f"<!-- modelwatch:begin {register.group} -->\n"
        f"<!-- modelwatch:register {encode_register(register)} -->\n"
        f"<!-- modelwatch:title {digest_title(title) if title else parsed.title} -->\n"
    )
    end = "\n<!-- modelwatch:end -->"
    room = MAX_BODY - len(before) - len(after) - len(head) - len(end)
    if room < len(_TRUNCATION_NOTE) + 100:
        raise TargetError("the text of the issue leaves no room for the register", hint="Shorten what people wrote.")
    return before + head + truncate(neutralize_markers(evidence), room) + end + after


def encode_register(register: Register) -> str:
    """One line of JSON that cannot end an HTML comment. Raises TargetError where decoding would not give it back."""
    text = _to_json(register)
    if len(text) > MAX_REGISTER:
        raise TargetError(f"the register is too long ({len(text):,} characters)")
    if decode_register(text)[0] != register:
        raise TargetError("the register cannot be written: it would not be read back unchanged")
    return text


def _to_json(register: Register) -> str:
    import msgspec

    try:
        text = msgspec.json.encode(register).decode()
    except (msgspec.MsgspecError, UnicodeError, ValueError, TypeError) as error:
        raise TargetError(f"the register cannot be written: {shorten(error, 120)}") from error
    for omitted in OMITTED_FIELDS:
        text = text.replace(omitted, "")
    return escape_json(text)


def shrink_register(register: Register) -> Register:
    """``register`` without its oldest details that only readers miss, where it is too long for an issue.

    What keeps anything from being done twice stays: the page, open dispatches and the last of each verb, and groups
    that are led. Raises TargetError where it cannot be written at all.
    """
    while len(_to_json(register)) > MAX_REGISTER:
        smaller = min(_smaller_registers(register), key=lambda pair: pair[0], default=None)
        if smaller is None:
            break
        register = smaller[1]
    return register


def _smaller_registers(register: Register) -> Iterator[tuple[float, Register]]:
    """The register without one detail, for the oldest detail of each kind, with the time of that detail."""
    ledger, changes, episodes = register.ledger, register.recent_changes, register.past_episodes
    if ledger.recent:
        recent = replace(ledger, recent=ledger.recent[1:], lost=ledger.lost + 1)
        yield ledger.recent[0].at, replace(register, ledger=recent)
    if changes.changes:
        recent_changes = replace(changes, changes=changes.changes[:-1])
        yield changes.changes[-1].at, replace(register, recent_changes=recent_changes)
    if episodes.episodes:
        past_episodes = replace(episodes, episodes=episodes.episodes[:-1])
        yield episodes.episodes[-1].start, replace(register, past_episodes=past_episodes)
    last = {record.verb: record for record in register.dispatches}
    for record in register.dispatches:
        if not record.state.is_open and record is not last[record.verb]:
            yield record.at, replace(register, dispatches=_without(register.dispatches, record))
            break
    for follower in register.followers:
        if follower.ended is not None:
            yield follower.ended, replace(register, followers=_without(register.followers, follower))
            break


def _without(items: tuple[T, ...], item: T) -> tuple[T, ...]:
    return tuple(other for other in items if other is not item)


def escape_json(text: str) -> str:
    """JSON that cannot end an HTML comment."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("--", "\\u002d\\u002d")


def decode_register(text: str) -> tuple[Register | None, str]:
    """The register, or why there is none."""
    import msgspec

    try:
        data = msgspec.json.decode(text)
        version = data.get("format") if isinstance(data, dict) else None
        if isinstance(version, int) and version > FORMAT:
            return None, f"the register was written by a newer modelwatch (format {version}): update this one"
        register = typed_json.convert(data, Register)
        if not _has_plausible_times(msgspec.to_builtins(replace(register, impact=None))):
            return None, "the register in the issue names a time that is none: repair or close the issue"
        return register, ""
    except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError) as error:
        return None, f"the register in the issue cannot be read ({shorten(error, 120)}): repair or close the issue"


def _has_plausible_times(value: Any) -> bool:
    """Whether every fraction in ``value`` can be a time."""
    if isinstance(value, float):
        return is_time(value)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return all(map(_has_plausible_times, parts))


def future_reason(register: Register, now: float) -> str:
    """Why a register is not believed at ``now``: it says that something happens later, or that a person muted the group
    for longer than a comment can. Anybody who may edit the issue can write that. Empty where it is plausible.
    """
    import msgspec

    late = {name: now + most + CLOCK_ERROR for name, most in LONGEST_MUTES.items()}
    if all(_is_before(name, value, late, now + CLOCK_ERROR) for name, value in msgspec.to_builtins(register).items()):
        return ""
    return "the register in the issue names a time that is still to come: repair or close the issue"


def _is_before(name: str, value: Any, late: Mapping[str, float], latest: float) -> bool:
    """Whether every time in ``value``, which stands under ``name``, is past, or not later than ``late`` says."""
    if isinstance(value, dict):
        return name == "impact" or all(_is_before(inner, part, late, latest) for inner, part in value.items())
    if isinstance(value, list | tuple):
        return all(_is_before(name, part, late, latest) for part in value)
    return not isinstance(value, float) or name in _COMING or value <= late.get(name, latest)


def neutralize_markers(text: str) -> str:
    """``text`` with our markers escaped."""
    return _MARKER_START.sub("&lt;!", text)


def truncate(text: str, room: int) -> str:
    """``text``, cut at the end of a line with a note where it is longer than ``room``."""
    if len(text) <= room:
        return text
    start = text[: max(room - len(_TRUNCATION_NOTE) - 40, 0)]
    start = start[: start.rfind("\n") + 1] or start
    if len(re.findall(r"(?m)^\s*```", start)) % 2:
        start += "```\n"
    start += "</details>" * min(start.count("<details") - start.count("</details>"), 2)
    return start + _TRUNCATION_NOTE


def digest_body(body: str) -> str:
    """SHA-256 of a body as it was observed."""
    return hashlib.sha256(body.encode("utf-8", errors="surrogatepass")).hexdigest()


def digest_title(title: str) -> str:
    return hashlib.sha256(title.encode("utf-8", errors="surrogatepass")).hexdigest()[:12]


def _first_group(body: str) -> str:
    match = re.search(r"modelwatch\s*:\s*begin\s+([0-9a-f]{16})\b", body, re.IGNORECASE)
    return match.group(1) if match else "?"
