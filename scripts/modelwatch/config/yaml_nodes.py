"""YAML text -> a small tree of nodes that know their place; bounded, so that no file can hurt us.

The tree is built from the parser's events rather than by ``yaml.compose``: composing recurses in C and overflows the
stack on deep nesting, and it resolves types by the rules of YAML 1.1 (``no`` is false, ``22:00`` is 1320). Here every
scalar stays text; its field type decides what it means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from ..errors import ConfigError, UserError

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_NODES = 500_000
"""With every alias expanded: a file of a few lines can stand for billions."""

_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEXT_TAGS = ("!", "tag:yaml.org,2002:str")
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))


@dataclass(slots=True, eq=False)
class Node:
    """``line`` and ``column`` count from 1; ``size`` and ``height`` are those of the tree with aliases expanded."""

    line: int
    column: int
    size: int = field(default=1, init=False)
    height: int = field(default=1, init=False)


@dataclass(slots=True, eq=False)
class ScalarNode(Node):
    text: str
    plain: bool
    """Not quoted."""
    width: int = 0
    """Characters from its beginning to its end in the file, quotes included; 0 where it has several lines."""

    def character(self, index: int) -> Node | None:
        """The place of its character ``index`` (from 0); ``None`` where escapes or line breaks hide it."""
        quote = 0 if self.plain else 1
        is_exact = self.width == len(self.text) + 2 * quote
        return Node(self.line, self.column + quote + index) if is_exact else None

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in _NULLS


@dataclass(slots=True, eq=False)
class SequenceNode(Node):
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class MappingNode(Node):
    pairs: list[tuple[Node, Node]] = field(default_factory=list)


def parse_yaml(data: bytes, file: str) -> Node:
    """The tree of the one document in ``data``; ``ConfigError`` with exactly one problem where it is not YAML."""
    text = _decode(data, file)
    try:
        root = _TreeBuilder(file, text).build()
    except yaml.YAMLError as error:
        raise _syntax_error(error, text, file) from None
    if root is None:
        raise _config_error(file, 1, 1, "the file is empty", "`modelwatch init` writes one to start from.")
    return root


class _TreeBuilder:
    """Events -> nodes. One instance a document."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._events = iter(yaml.parse(text, Loader=_LOADER))
        self._anchors: dict[str, Node | None] = {}
        """``None`` for a collection that is not complete yet."""

    def build(self) -> Node | None:
        root = None
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                root = self._node(event, 0)
            elif isinstance(event, yaml.DocumentStartEvent) and root is not None:
                self._fail(event, "a second document starts here", "Keep one document (`---`) a file.")
        return root

    def _fail(self, event: Any, message: str, hint: str = "") -> NoReturn:
        raise _config_error(self._file, event.start_mark.line + 1, event.start_mark.column + 1, message, hint)

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        node = self._scalar(event) if isinstance(event, yaml.ScalarEvent) else self._collection(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            inside = event.anchor in self._anchors
            self._fail(event, "this alias refers to itself" if inside else "this alias has no anchor above it")
        return node

    def _scalar(self, event: Any) -> Node:
        tag = event.tag
        if tag is not None and tag not in _TEXT_TAGS:
            self._fail(event, "YAML tags such as `!x` or `!!int` have no meaning here", "Remove the tag.")
        mark = event.start_mark
        width = event.end_mark.column - mark.column if event.end_mark.line == mark.line else 0
        return ScalarNode(mark.line + 1, mark.column + 1, event.value, not event.style and tag is None, width)

    def _collection(self, event: Any, depth: int) -> Node:
        if event.tag is not None and not event.tag.startswith("tag:yaml.org,2002:"):
            self._fail(event, "YAML tags such as `!x` have no meaning here", "Remove the tag.")
        if depth >= MAX_DEPTH:
            self._fail(event, f"nested more than {MAX_DEPTH} deep")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        children: list[Node] = []
        size = height = 1
        for inner in self._events:
            if isinstance(inner, yaml.CollectionEndEvent):
                break
            child = self._node(inner, depth + 1)
            children.append(child)
            size += child.size
            height = max(height, child.height + 1)
            if size > MAX_NODES or height > 2 * MAX_DEPTH:
                self._fail(inner, "the file is too large once its aliases are expanded")
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        node: Node = SequenceNode(line, column, children)
        if isinstance(event, yaml.MappingStartEvent):
            node = MappingNode(line, column, list(zip(children[::2], children[1::2], strict=True)))
        node.size, node.height = size, height
        return node


def _decode(data: bytes, file: str) -> str:
    if len(data) > MAX_BYTES:
        hint = "Split it into several files in a folder and give the folder."
        raise _config_error(file, 1, 1, f"the file has {len(data):,} bytes; at most {MAX_BYTES:,} are read", hint)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise _config_error(file, line, column, "not UTF-8 text", "Save the file as UTF-8.") from None
    odd = _UNPRINTABLE.search(text)
    if odd:
        before = text[: odd.start()]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        raise _config_error(file, line, column, f"a control character (U+{ord(odd.group()):04X})", "Remove it.")
    return text


_PARSER_MESSAGES = {
    "mapping values are not allowed in this context": (
        "a second `:` where none can stand",
        "Put text that holds `: ` in quotes, and check the indentation of this line.",
    ),
    "did not find expected key": ("this line does not fit the indentation of the lines above", ""),
    "did not find expected '-' indicator": ("this line does not fit the list above it", "List items start with `- `."),
    "did not find expected ',' or ']'": ("a `[` is not closed before here", ""),
    "did not find expected ',' or '}'": ("a `{` is not closed before here", ""),
    "could not find expected ':'": ("a key without its `:`", ""),
    "found undefined alias": ("this alias has no anchor above it", ""),
}


def _syntax_error(error: yaml.YAMLError, text: str, file: str) -> ConfigError:
    """One paragraph from the parser's message, without its snippet of the text, which can hold a secret."""
    problem = str(getattr(error, "problem", "") or "")
    mark = getattr(error, "problem_mark", None)
    start = getattr(error, "context_mark", None)
    if problem == "found unexpected end of stream" and start is not None:
        return _config_error(file, start.line + 1, start.column + 1, "a quote is opened here and never closed", "")
    if mark is None:
        return _config_error(file, 1, 1, "not valid YAML", "")
    line, column = mark.line + 1, mark.column + 1
    if problem.startswith("found character") and "start any token" in problem:
        rows = text.splitlines()
        odd = rows[mark.line][mark.column : mark.column + 1] if mark.line < len(rows) else ""
        if odd == "\t":
            return _config_error(file, line, column, "a tab", "YAML indents with spaces.")
        return _config_error(file, line, column, f"a value cannot start with `{odd}`", "Put it in quotes.")
    message, hint = _PARSER_MESSAGES.get(problem, (f"not valid YAML: {problem}" if problem else "not valid YAML", ""))
    if start is not None and start.line != mark.line and message.startswith("a `"):
        message = f"{message} (opened in line {start.line + 1})"
    return _config_error(file, line, column, message, hint)


def _config_error(file: str, line: int, column: int, message: str, hint: str) -> ConfigError:
    return ConfigError((UserError(_with_period(message), hint=hint, where=f"{file}:{line}:{column}"),))


def _with_period(message: str) -> str:
    return message if message.endswith((".", "?")) else f"{message}."
