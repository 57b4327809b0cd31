"""Reading one file: problems and warnings gathered with their places, keys of mappings, ``${NAME}`` in texts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ..errors import UserError
from .nodes import Mapping, Node, Scalar, Sequence
from .secrets import REFERENCE, Vault

Entries = dict[str, tuple[Node, Node]]
"""The keys of a mapping: name -> (key, value)."""

_LOOKS_SECRET = re.compile(r"(?=.*[0-9])[A-Za-z0-9_+/=.-]{20,}")


class Reader:
    """Everything that reading needs to know of its file; reading never stops at the first problem."""

    def __init__(self, file: str, folder: Path, vault: Vault) -> None:
        self.file = file
        self.folder = folder
        """Relative paths in the file start here."""
        self.vault = vault
        self.named: list[tuple[Node, str, str]] = []
        """Rules and kinds that a silence or an inhibition names, ``(node, "rule", name)``: checked at the end."""
        self._problems: dict[tuple[int, int, str], UserError] = {}
        self._warnings: dict[tuple[int, int, str], str] = {}

    def where(self, node: Node) -> str:
        return f"{self.file}:{node.line}:{node.column}"

    def problem(self, node: Node, message: str, hint: str = "") -> None:
        """``message`` is one sentence; the same one at the same place is kept once (aliases and defaults repeat)."""
        key = (node.line, node.column, message)
        mask = self.vault.mask
        self._problems.setdefault(key, UserError(mask(message), hint=mask(hint), where=self.where(node)))

    def warn(self, node: Node, message: str) -> None:
        self._warnings.setdefault((node.line, node.column, message), f"{self.where(node)}: {self.vault.mask(message)}")

    def problems(self) -> list[UserError]:
        return [self._problems[key] for key in sorted(self._problems)]

    def warnings(self) -> list[str]:
        return [self._warnings[key] for key in sorted(self._warnings)]

    def text(self, node: Node, what: str) -> str | None:
        """The text of a scalar with its ``${NAME}`` filled in; ``None`` after a problem."""
        if not self.is_scalar(node, what):
            return None
        assert isinstance(node, Scalar)  # noqa: S101
        return self._filled(node) if "${" in node.text else node.text

    def is_scalar(self, node: Node, what: str) -> bool:
        if not isinstance(node, Scalar):
            self.problem(node, f"{what} expected here, not {shape(node)}.")
            return False
        if node.is_null:
            self.problem(node, f"{what} expected here, and there is nothing.", "Give a value or remove the key.")
            return False
        return True

    def _filled(self, node: Scalar) -> str | None:
        if "${{" in node.text:
            hint = "Hand it over as an environment variable of the step and write ${NAME} here."
            self.problem(node, "GitHub's `${{ }}` is not filled in inside this file.", hint)
            return None
        missing = False
        for name in REFERENCE.findall(node.text):
            if self.vault.find(name) is None:
                missing = True
                self.missing(node, name)
        if missing:
            return node.text if not self.vault.require else None
        return REFERENCE.sub(lambda found: self.vault.find(found[1]) or "", node.text)

    def missing(self, node: Node, name: str) -> None:
        """A variable that is not there: a problem, or a warning where secrets are not required."""
        message = f"the environment has no {name}, or it is empty."
        if self.vault.require:
            hint = f"Set it in the step's `env:` from a secret, or put a line `{name}=...` into MODELWATCH_SECRETS."
            self.problem(node, message, hint)
        else:
            self.warn(node, message)

    def entries(self, mapping: Mapping) -> Entries:
        """Keys with their values, those of merge keys (``<<``) included; a key of the mapping itself wins."""
        found: Entries = {}
        merged: list[Mapping] = []
        for key, value in mapping.pairs:
            if not isinstance(key, Scalar):
                self.problem(key, f"a key must be a word, not {shape(key)}.")
            elif key.plain and key.text == "<<":
                merged.extend(self._merged(value))
            elif key.text in found:
                first = found[key.text][0].line
                self.problem(key, f"`{show(key.text)}` is given twice (first in line {first}).", "Keep one of them.")
            else:
                found[key.text] = (key, value)
        for other in merged:
            for name, entry in self.entries(other).items():
                found.setdefault(name, entry)
        return found

    def _merged(self, value: Node) -> Iterable[Mapping]:
        for part in value.items if isinstance(value, Sequence) else [value]:
            if isinstance(part, Mapping):
                yield part
            else:
                self.problem(part, f"`<<` merges mappings, not {shape(part)}.")

    def overlay(self, base: Node | None, over: Node, deep: frozenset[str] = frozenset()) -> Node:
        """``over`` with the keys that only ``base`` has; what stands under the keys in ``deep`` likewise.

        Two lists are joined, those of ``base`` first.
        """
        if isinstance(base, Sequence) and isinstance(over, Sequence):
            joined = Sequence(over.line, over.column)
            joined.items = [*base.items, *over.items]
            return joined
        if not isinstance(base, Mapping) or not isinstance(over, Mapping):
            return over
        result = Mapping(over.line, over.column)
        above, below = self.entries(over), self.entries(base)
        for name, (key, value) in above.items():
            if name in deep and name in below:
                value = self.overlay(below[name][1], value)
            result.pairs.append((key, value))
        result.pairs.extend(entry for name, entry in below.items() if name not in above)
        return result


def shape(node: Node) -> str:
    if isinstance(node, Mapping):
        return "a mapping"
    return "a list" if isinstance(node, Sequence) else "a single value"


def show(text: str) -> str:
    """Text fit for a message: short, on one line, and not a key that stands where it should not."""
    if _LOOKS_SECRET.fullmatch(text):
        return text[:2] + "..."
    line = " ".join(text.split())
    return line if len(line) <= 40 else line[:37] + "..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``Did you mean `x`?`` where something known is close; else the list of what is known."""
    import difflib

    names = sorted(known)
    folded = {name.lower().replace("-", "_"): name for name in names}
    close = difflib.get_close_matches(word[:80].lower().replace("-", "_"), folded, n=1, cutoff=0.6)
    if close:
        return f"Did you mean `{folded[close[0]]}`?"
    return f"Known: {', '.join(names)}." if names else ""
