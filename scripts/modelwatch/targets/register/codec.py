"""The register in the body of an issue: between two markers, so that the text around it belongs to people.

The block reads::

    <!-- modelwatch:begin GROUPKEY -->
    <!-- modelwatch:register {json} -->
    <!-- modelwatch:title DIGEST -->
    (what people read: the evidence)
    <!-- modelwatch:end -->

In the JSON, ``<``, ``>`` and ``--`` are escaped, so it cannot end its comment; in the evidence, anything that looks
like one of our markers is made inert. A body in which the markers do not stand once and in this order is not trusted.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from ...errors import TargetError, shorten
from ...model.register import OMITTED_WHEN_EMPTY, Register

MAX_BODY = 65_536
"""Characters that GitHub takes in a body."""
MAX_REGISTER = 24_000
FORMAT = 1

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
    """What a body holds of ours. ``group`` is empty where there is no marker at all: then it is no issue of ours."""

    group: str = ""
    register: Register | None = None
    error: str = ""
    """Why the register cannot be used."""
    title: str = ""
    """Digest of the title that we gave last: a title that differs from it belongs to a person."""


def parse_body(body: str) -> RegisterBlock:
    """Find the register in ``body``; never raises, and never guesses."""
    kinds = [match.group(1).lower() for match in _ANY_MARKER.finditer(body)]
    if not kinds:
        return RegisterBlock()
    block = _BLOCK.search(body)
    group = block["group"] if block else _first_group(body)
    if kinds != _MARKER_ORDER or block is None:
        twice = "more than once" if kinds.count("begin") > 1 or kinds.count("register") > 1 else "incomplete"
        return RegisterBlock(
            group, None, f"modelwatch's markers in the issue's text are {twice} or changed: repair or close it"
        )
    register, trouble = decode_register(block["json"])
    if register is not None and register.group != group:
        return RegisterBlock(group, None, "the register in the issue is that of another group", block["title"])
    return RegisterBlock(group, register, trouble, block["title"])


def render_body(old: str, rendered: str, register: Register, title: str = "") -> str:
    """``old`` with the block replaced (or, where there is none, put before it); all other text stays unchanged.

    An empty ``rendered`` keeps the evidence that is there. ``title`` is the title that the issue has been given by us;
    empty keeps its digest. Raises TargetError where ``old`` is not to be trusted, or leaves no room.
    """
    found = parse_body(old)
    if found.error:
        raise TargetError(found.error)
    block = _BLOCK.search(old) if found.group else None
    if block is not None and found.group != register.group:
        raise TargetError("the issue is that of another group")
    before, after = (old[: block.start()], old[block.end() :]) if block else ("", _append_below(old))
    evidence = rendered if rendered or block is None else block["rendered"].strip("\r\n")
    head = (
        f"<!-- modelwatch:begin {register.group} -->\n"
        f"<!-- modelwatch:register {encode_register(register)} -->\n"
        f"<!-- modelwatch:title {digest_title(title) if title else found.title} -->\n"
    )
    end = "\n<!-- modelwatch:end -->"
    room = MAX_BODY - len(before) - len(after) - len(head) - len(end)
    if room < len(_TRUNCATION_NOTE) + 100:
        raise TargetError("the text of the issue leaves no room for the register", hint="Shorten what people wrote.")
    return before + head + truncate(neutralize_markers(evidence), room) + end + after


def encode_register(register: Register) -> str:
    """One line of JSON that cannot end an HTML comment. Raises TargetError where it would not be read back equal."""
    import msgspec

    try:
        text = msgspec.json.encode(register).decode()
    except (msgspec.MsgspecError, UnicodeError, ValueError, TypeError) as error:
        raise TargetError(f"the register cannot be written: {shorten(error, 120)}") from error
    text = (
        text.replace(OMITTED_WHEN_EMPTY, "")
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("--", "\\u002d\\u002d")
    )
    if len(text) > MAX_REGISTER:
        raise TargetError(f"the register is too long ({len(text):,} characters)")
    if decode_register(text)[0] != register:
        raise TargetError("the register cannot be written: it would not be read back unchanged")
    return text


def decode_register(text: str) -> tuple[Register | None, str]:
    """The register, or why there is none."""
    import msgspec

    try:
        form = msgspec.json.decode(text)
        version = form.get("format") if isinstance(form, dict) else None
        if isinstance(version, int) and version > FORMAT:
            return None, f"the register was written by a newer modelwatch (format {version}): update this one"
        return msgspec.convert(form, Register), ""
    except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError) as error:
        return None, f"the register in the issue cannot be read ({shorten(error, 120)}): repair or close the issue"


def neutralize_markers(text: str) -> str:
    """``text`` in which nothing is one of our markers any more."""
    return _MARKER_START.sub("&lt;!", text)


def truncate(text: str, room: int) -> str:
    """``text``, cut at the end of a line with a note where it is longer than ``room``."""
    if len(text) <= room:
        return text
    kept = text[: max(room - len(_TRUNCATION_NOTE) - 40, 0)]
    kept = kept[: kept.rfind("\n") + 1] or kept
    if len(re.findall(r"(?m)^\s*```", kept)) % 2:
        kept += "```\n"
    kept += "</details>" * min(kept.count("<details") - kept.count("</details>"), 2)
    return kept + _TRUNCATION_NOTE


def digest_body(body: str) -> str:
    """SHA-256 of a body as it was observed."""
    return hashlib.sha256(body.encode("utf-8", errors="surrogatepass")).hexdigest()


def digest_title(title: str) -> str:
    return hashlib.sha256(title.encode("utf-8", errors="surrogatepass")).hexdigest()[:12]


def _first_group(body: str) -> str:
    match = re.search(r"modelwatch\s*:\s*begin\s+([0-9a-f]{16})\b", body, re.IGNORECASE)
    return match.group(1) if match else "?"


def _append_below(old: str) -> str:
    return f"\n\n{old}" if old else ""
