"""Writes other values into the configuration as a patch that changes nothing else: comments, order and layout stay.

Values are replaced, or keys inserted, at the places that ``config/yaml_nodes.py`` knows. A value that the place in the
file does not own alone (an alias, a merge key, a default) is left to people. Each file is parsed again: it must mean
exactly what it did, but for the changes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config.yaml_nodes import MappingNode, Node, ScalarNode, SequenceNode, parse_yaml
from ..errors import UserError
from ..model.tuning import SettingChange, Suggestion
from ..regular_file import read_regular_file

MAX_FILE_BYTES = 1 << 20
"""As much as is parsed."""
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""Line breaks of YAML."""
_BOM = "\ufeff"
_ODD_NAME = re.compile(r'[\x00-\x1f\x7f"\\]')


@dataclass(frozen=True, slots=True)
class PatchedFile:
    path: Path
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class ConfigPatch:
    files: tuple[PatchedFile, ...]
    diff: str
    """Unified, from the root of the repository; ``git apply`` takes it. Empty: nothing to change."""
    by_hand: tuple[str, ...]
    """What could not be edited safely: what to change where, and why it was not."""


class _UneditableError(Exception):
    """Why a change cannot be made."""


@dataclass(frozen=True, slots=True)
class ConfigEdit:
    """Other values of keys of one rule or model: all of them, or none."""

    where: str
    """Of the rule or model: ``file:line:column``."""
    subject: str
    """``rule accuracy of churn``"""
    changes: tuple[SettingChange, ...]
    otherwise: tuple[SettingChange, ...] = ()
    """What is written instead where a key of ``changes`` is no mapping: a short form."""

    @property
    def file(self) -> str:
        return self.where.rsplit(":", 2)[0]

    @property
    def place(self) -> tuple[int, int]:
        _, line, column = self.where.rsplit(":", 2)
        return int(line), int(column)


def make_patch(suggestions: Iterable[Suggestion]) -> ConfigPatch:
    """The patch that makes the changes of all ``suggestions``. Raises UserError for a file that cannot be read."""
    return edit_config(
        ConfigEdit(suggestion.where, f"rule {suggestion.rule} of {suggestion.model}", suggestion.chosen.changes)
        for suggestion in suggestions
        if suggestion.changes_something and suggestion.chosen is not None
    )


def edit_config(edits: Iterable[ConfigEdit]) -> ConfigPatch:
    """The patch that makes all ``edits``. Raises UserError for a file that cannot be read."""
    by_file: dict[str, list[ConfigEdit]] = {}
    for edit in edits:
        by_file.setdefault(edit.file, []).append(edit)
    files, by_hand = [], []
    for name, own in by_file.items():
        editor = _FileEditor(Path(name))
        # From the end on: a line that is inserted moves the places after it.
        for edit in sorted(own, key=lambda edit: edit.place, reverse=True):
            by_hand += editor.apply(edit)
        if editor.after != editor.before:
            files.append(PatchedFile(editor.path, editor.before, editor.after))
    return ConfigPatch(tuple(files), "".join(map(_unified_diff, files)), tuple(by_hand))


def write_files(patch: ConfigPatch) -> None:
    """Write the files of a patch. Raises UserError where one has changed meanwhile or cannot be written."""
    for file in patch.files:
        if _read(file.path) != file.before:
            raise UserError("the file changed while it was tuned.", hint="Tune again.", where=str(file.path))
    for file in patch.files:
        try:
            file.path.write_bytes(file.after)
        except OSError as error:
            raise UserError(f"the file cannot be written: {error.strerror}.", where=str(file.path)) from error


def _read(path: Path) -> bytes:
    try:
        return read_regular_file(path, MAX_FILE_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"the file cannot be read: {reason}.", where=str(path)) from error


class _FileEditor:
    """One file and the edits to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before = self.after = _read(path)

    def apply(self, edit: ConfigEdit) -> list[str]:
        """Make all changes of an edit, or none of them: then say what to change by hand."""
        try:
            self.after = self._with_changes(edit, edit.changes)
        except _UneditableError as error:
            if edit.otherwise:
                try:
                    self.after = self._with_changes(edit, edit.otherwise)
                except _UneditableError:
                    pass
                else:
                    return []
            wanted = ", ".join(f"`{'.'.join(change.path)}: {change.after}`" for change in edit.changes)
            return [f"{edit.where}: change {edit.subject} by hand to {wanted}: {error}."]
        return []

    def _with_changes(self, edit: ConfigEdit, changes: Iterable[SettingChange]) -> bytes:
        after = self.after
        for change in changes:
            after = _with_change(after, edit, change)
        return after


def _with_change(data: bytes, edit: ConfigEdit, change: SettingChange) -> bytes:
    """``data`` with one change. Raises _UneditableError."""
    file = edit.file
    root = parse_yaml(data, file)
    rule, path = _find_mapping(root, edit)
    parent = _find_parent(rule, change, _shared_nodes(root))
    text = data.decode("utf-8")
    bom, text = (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)
    after = (bom + _edited(_Lines(text), parent, change)).encode("utf-8")
    expected = content = _content(root)
    for step in path:
        content = content[step]
    for name in change.path[:-1]:
        content = content[name]
    content[change.path[-1]] = _content(parse_yaml(change.after.encode(), file))
    try:
        is_same = _content(parse_yaml(after, file)) == expected
    except UserError:
        is_same = False
    if not is_same:
        raise _UneditableError("the file is laid out in a way that cannot be edited safely")
    return after


def _find_mapping(root: Node, edit: ConfigEdit) -> tuple[MappingNode, list[str | int]]:
    """The mapping of the rule or model, and the keys and places that lead to it."""
    for models in _values(root, "models"):
        for at, model in enumerate(_items(models)):
            if isinstance(model, MappingNode) and (model.line, model.column) == edit.place:
                return model, ["models", at]
            for rules in _values(model, "rules"):
                for place, rule in enumerate(_items(rules)):
                    if isinstance(rule, MappingNode) and (rule.line, rule.column) == edit.place:
                        return rule, ["models", at, "rules", place]
    raise _UneditableError(f"it is not written out as a {edit.subject.partition(' ')[0]} in this file")


def _items(node: Node) -> Sequence[Node]:
    return node.items if isinstance(node, SequenceNode) else ()


def _values(node: Node, name: str) -> Iterator[Node]:
    """The value of a key of a mapping itself; at most one in what could be loaded."""
    for key, value in node.pairs if isinstance(node, MappingNode) else ():
        if isinstance(key, ScalarNode) and key.text == name:
            yield value


def _find_parent(rule: MappingNode, change: SettingChange, shared: set[int]) -> MappingNode:
    """The mapping that has the key, or shall have it."""
    node, name = rule, ""
    for name in change.path[:-1]:
        value = next(_values(node, name), None)
        if not isinstance(value, MappingNode):
            raise _UneditableError(f"its `{name}` comes from defaults or from a merge key")
        node = value
    if id(node) in shared:
        raise _UneditableError(f"{f'its `{name}`' if name else 'it'} is shared with other places by an alias")
    name = change.path[-1]
    value = next(_values(node, name), None)
    if value is None:
        return node
    if id(value) in shared:
        raise _UneditableError(f"its `{name}` is shared with other places by an alias")
    if not isinstance(value, ScalarNode) or not value.width:
        raise _UneditableError(f"its `{name}` is not a value on one line")
    return node


def _shared_nodes(root: Node) -> set[int]:
    """The nodes that more than one place of the file stands for, and all within them."""
    seen, shared, waiting = set[int](), set[int](), [(root, False)]
    while waiting:
        node, is_inside = waiting.pop()
        if id(node) in shared:
            continue
        is_shared = is_inside or id(node) in seen
        (shared if is_shared else seen).add(id(node))
        waiting += [(child, is_shared) for child in _children(node)]
    return shared


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [part for pair in node.pairs for part in pair]
    return list(_items(node))


class _Lines:
    """The lines of a text, and where each begins."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0, *(found.end() for found in _BREAK.finditer(text))]

    def index(self, node: Node) -> int:
        return self._starts[node.line - 1] + node.column - 1

    def end_of_line(self, line: int) -> tuple[int, str]:
        """Where the line's break begins, and the break; at the end of the text that of the first line."""
        found = _BREAK.search(self.text, self._starts[line - 1]) or _BREAK.search(self.text)
        if found is None:
            return len(self.text), "\n"
        at = found.start() if found.start() >= self._starts[line - 1] else len(self.text)
        return at, found[0]

    def insert(self, at: int, new: str, until: int | None = None) -> str:
        return self.text[:at] + new + self.text[at if until is None else until :]


def _edited(lines: _Lines, parent: MappingNode, change: SettingChange) -> str:
    """The text with the value of the key replaced, or the key inserted near the beginning of its mapping."""
    name = change.path[-1]
    value = next(_values(parent, name), None)
    if isinstance(value, ScalarNode):
        begin = lines.index(value)
        if lines.text[begin : begin + 1] in ("&", "!"):
            raise _UneditableError(f"its `{name}` has an anchor or a tag")
        return lines.insert(begin, change.after, begin + value.width)
    if not parent.pairs:
        raise _UneditableError("there is an empty mapping in it")
    if lines.text[lines.index(parent)] == "{":
        key = parent.pairs[min(1, len(parent.pairs) - 1)][0]
        return lines.insert(lines.index(key), f"{name}: {change.after}, ")
    for key, other in parent.pairs:
        if isinstance(other, ScalarNode) and other.width and other.line == key.line:
            at, line_break = lines.end_of_line(key.line)
            return lines.insert(at, f"{line_break}{' ' * (key.column - 1)}{name}: {change.after}")
    key = parent.pairs[0][0]
    return lines.insert(lines.index(key), f"{name}: {change.after}\n{' ' * (key.column - 1)}")


def _content(node: Node) -> Any:
    """What a tree says, without where and in which order."""
    if isinstance(node, ScalarNode):
        return node.text, node.plain
    if isinstance(node, MappingNode):
        return {_key(key): _content(value) for key, value in node.pairs}
    return [_content(item) for item in _items(node)]


def _key(node: Node) -> str:
    return node.text if isinstance(node, ScalarNode) else repr(_content(node))


def _unified_diff(file: PatchedFile) -> str:
    """The difference, as ``git apply`` reads it."""
    name = name_in_repository(file.path)
    before, after = (_split(data.decode("utf-8")) for data in (file.before, file.after))
    tail = "\t" if " " in name else ""
    diff = difflib.unified_diff(before, after, f"a/{name}{tail}", f"b/{name}{tail}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in diff)


def _split(text: str) -> list[str]:
    """Lines by line feeds alone, as git has them."""
    return [line for line in re.split("(?<=\n)", text) if line]


def name_in_repository(path: Path) -> str:
    """From the root of its git repository; outside of one its name alone."""
    whole = path.resolve()
    root = next((folder for folder in whole.parents if (folder / ".git").exists()), whole.parent)
    name = whole.relative_to(root).as_posix()
    if _ODD_NAME.search(name):
        raise UserError(
            "a patch cannot name this file: its name has a quote or a control character.",
            hint="Rename it.",
            where=str(path),
        )
    return name
