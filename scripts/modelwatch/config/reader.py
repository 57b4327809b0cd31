"""Reading one file: problems and warnings gathered with their places, keys of mappings, ``${NAME}`` in texts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TypeGuard

from ..errors import UserError
from .secrets import VARIABLE_REFERENCE, Vault
from .yaml_nodes import MappingNode, Node, ScalarNode, SequenceNode

Entries = dict[str, tuple[Node, Node]]
"""The keys of a mapping: name -> (key, value)."""

_SECRET_LIKE = re.compile(r"(?=.*[0-9])[A-Za-z0-9_+/=.-]{20,}")


class Reader:
    """Everything that reading needs to know of its file; reading never stops at the first problem."""

    def __init__(self, file: str, folder: Path, vault: Vault) -> None:
        self.file = file
        self.folder = folder
        """Relative paths in the file start here."""
        self.vault = vault
        self.references: list[tuple[Node, str, str]] = []
        """Rules and kinds that a silence or an inhibition names, ``(node, "rule", name)``: checked at the end."""
        self._problems: dict[tuple[int, int, str], UserError] = {}
        self._warnings: dict[tuple[int, int, str], str] = {}

    def location(self, node: Node) -> str:
        return f"{self.file}:{node.line}:{node.column}"

    def add_problem(self, node: Node, message: str, hint: str = "") -> None:
        """``message`` is one sentence; the same one at the same place is kept once (aliases and defaults repeat)."""
        key = (node.line, node.column, message)
        mask = self.vault.mask
        self._problems.setdefault(key, UserError(mask(message), hint=mask(hint), where=self.location(node)))

    def add_warning(self, node: Node, message: str) -> None:
        self._warnings.setdefault(
            (node.line, node.column, message), f"{self.location(node)}: {self.vault.mask(message)}"
        )

    def problems(self) -> list[UserError]:
        return [self._problems[key] for key in sorted(self._problems)]

    def warnings(self) -> list[str]:
        return [self._warnings[key] for key in sorted(self._warnings)]

    def is_value(self, node: Node, what: str) -> TypeGuard[ScalarNode]:
        """Whether the node is a single value that is not empty; where it is not, that is a problem."""
        if not isinstance(node, ScalarNode):
            self.add_problem(node, f"expected {what} here, not {describe_node(node)}.")
            return False
        if node.is_null:
            self.add_problem(node, f"expected {what} here, and the value is empty.", "Give a value or remove the key.")
            return False
        return True

    def fill_in(self, node: ScalarNode) -> str | None:
        """The text with its ``${NAME}`` filled in; ``None`` after a problem."""
        if "${{" in node.text:
            hint = "Pass the value in an environment variable of the step and write ${NAME} here."
            self.add_problem(node, "GitHub does not expand `${{ }}` in this file.", hint)
            return None
        missing = [name for name in VARIABLE_REFERENCE.findall(node.text) if self.vault.find(name) is None]
        for name in missing:
            self.add_missing_variable(node, name)
        if missing:
            return node.text if not self.vault.require else None
        return VARIABLE_REFERENCE.sub(lambda reference: self.vault.find(reference[1]) or "", node.text)

    def add_missing_variable(self, node: Node, name: str, *, is_needed: bool = True) -> None:
        """A variable that is not there: a problem, or a warning where secrets are not required."""
        message = f"the environment has no {name}, or it is empty."
        if self.vault.require and is_needed:
            hint = f"Set it in the step's `env:` from a secret, or put a line `{name}=...` into MODELWATCH_SECRETS."
            self.add_problem(node, message, hint)
        else:
            self.add_warning(node, message)

    def entries(self, mapping: MappingNode) -> Entries:
        """Keys with their values, those of merge keys (``<<``) included; a key of the mapping itself wins."""
        entries: Entries = {}
        merged: list[MappingNode] = []
        for key, value in mapping.pairs:
            if not isinstance(key, ScalarNode):
                self.add_problem(key, f"a key must be a word, not {describe_node(key)}.")
            elif key.plain and key.text == "<<":
                merged.extend(self._merge_mappings(value))
            elif key.text in entries:
                message = f"`{shorten(key.text)}` is given twice (first in line {entries[key.text][0].line})."
                self.add_problem(key, message, "Keep one of them.")
            else:
                entries[key.text] = (key, value)
        for other in merged:
            for name, entry in self.entries(other).items():
                entries.setdefault(name, entry)
        return entries

    def select(self, mapping: MappingNode, names: Collection[str]) -> MappingNode:
        """``mapping`` without all other keys."""
        pairs = [entry for name, entry in self.entries(mapping).items() if name in names]
        return MappingNode(mapping.line, mapping.column, pairs)

    def _merge_mappings(self, value: Node) -> Iterable[MappingNode]:
        for part in value.items if isinstance(value, SequenceNode) else [value]:
            if isinstance(part, MappingNode):
                yield part
            else:
                self.add_problem(part, f"`<<` merges mappings, not {describe_node(part)}.")

    def overlay(self, base: Node | None, override: Node, deep: frozenset[str] = frozenset()) -> Node:
        """``override`` with the keys that only ``base`` has; the values of the keys in ``deep`` likewise.

        Two lists are joined, those of ``base`` first.
        """
        if isinstance(base, SequenceNode) and isinstance(override, SequenceNode):
            return SequenceNode(override.line, override.column, [*base.items, *override.items])
        if not isinstance(base, MappingNode) or not isinstance(override, MappingNode):
            return override
        result = MappingNode(override.line, override.column)
        above, below = self.entries(override), self.entries(base)
        for name, (key, value) in above.items():
            if name in deep and name in below:
                value = self.overlay(below[name][1], value)
            result.pairs.append((key, value))
        result.pairs.extend(entry for name, entry in below.items() if name not in above)
        return result


def describe_node(node: Node) -> str:
    if isinstance(node, ScalarNode):
        return "an empty value" if node.is_null else "a single value"
    return "a list" if isinstance(node, SequenceNode) else "a mapping"


def shorten(text: str) -> str:
    """Text fit for a message: short, on one line, without what looks like a misplaced secret."""
    if _SECRET_LIKE.fullmatch(text):
        return text[:2] + "..."
    line = " ".join(text.split())
    return line if len(line) <= 40 else line[:37] + "..."
