"""W&B keys <-> metric names and labels: ``eval/region=eu/accuracy`` is ``eval/accuracy`` with ``region=eu``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.parse import quote, unquote

from .series import Labels, labels_of

_SAFE = " !'(),.:;<>@[]^_`{|}~+$&?#\"\\-"
"""The characters that need no escape in a label; ``/ = % *`` and control characters are percent-escaped."""


@lru_cache(maxsize=1 << 12)
def escape_label(value: str) -> str:
    return quote(value, safe=_SAFE)


@lru_cache(maxsize=1 << 16)
def key_of(name: str, labels: Labels) -> str:
    """The W&B key of a metric: sorted, escaped ``label=value`` parts before the last part of the name."""
    *groups, last = name.split("/")
    parts = [f"{escape_label(label)}={escape_label(value)}" for label, value in labels]
    return "/".join([*groups, *parts, last])


def sibling_key(key: str, name: str) -> str:
    """The key ``name`` beside ``key``: the count ``eval/region=eu/n`` beside ``eval/region=eu/accuracy``."""
    head, _, _ = key.rpartition("/")
    return f"{head}/{name}" if head else name


@dataclass(frozen=True)
class KeyPattern:
    """A W&B key in which ``label=*`` and a bare ``*`` stand for labels.

    ``eval/region=*/accuracy`` matches ``eval/region=eu/accuracy`` and gives ``region=eu``. A bare ``*`` gives a label
    named after the part before it: ``features/*/psi`` gives ``features=age``. A ``*`` never crosses a ``/``.
    """

    text: str

    @cached_property
    def name(self) -> str:
        """The metric's name: the pattern without its label parts."""
        return "/".join(part for part in self.text.split("/") if "=" not in part and "*" not in part)

    @property
    def is_plain(self) -> bool:
        return "*" not in self.text

    @cached_property
    def labels(self) -> tuple[tuple[str, str | None], ...]:
        """The labels that the pattern gives, sorted by name, with the value of those that are fixed.

        A ``*`` without ``=`` is named after the part before it; of equal names the later ones are numbered.
        """
        parts = ((label, value) for label, value in self._label_parts if label is not None)
        return tuple(sorted((label, None if "*" in value else unquote(value)) for label, value in parts))

    @cached_property
    def _label_parts(self) -> tuple[tuple[str | None, str], ...]:
        """Per part of the key the label's name (``None``: part of the metric's name) and the pattern of its value."""
        parts: list[tuple[str | None, str]] = []
        taken: set[str] = set()
        before = "item"
        for part in self.text.split("/"):
            label, equals, value = part.partition("=")
            if equals or "*" in part:
                name = unique = unquote(label) if equals else before
                count = 1
                while unique in taken:
                    count += 1
                    unique = f"{name}{count}"
                taken.add(unique)
                parts.append((unique, value if equals else part))
            else:
                before = part
                parts.append((None, part))
        return tuple(parts)

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        """One group a label, in the order of the key."""
        parts: list[str] = []
        for (label, value), part in zip(self._label_parts, self.text.split("/"), strict=True):
            if label is None:
                parts.append(re.escape(part))
                continue
            written, equals, _ = part.partition("=")
            wildcard = "[^/]*" if equals else "[^/=]+" if part == "*" else "[^/=]*"
            inside = wildcard.join(re.escape(piece) for piece in value.split("*"))
            parts.append(f"{re.escape(written)}=({inside})" if equals else f"({inside})")
        return re.compile("/".join(parts))

    @property
    def regex(self) -> str:
        """A regular expression for the whole of a key, in the syntax that Python and RE2 share."""
        return f"^{self._compiled.pattern}$"

    def match(self, key: str) -> Labels | None:
        """The labels in ``key`` (its fixed ones included), or ``None`` where it is another metric."""
        if not self.labels:
            return () if key == self.text else None
        matched = self._compiled.fullmatch(key)
        if matched is None:
            return None
        names = [label for label, _ in self._label_parts if label is not None]
        return labels_of({name: unquote(value) for name, value in zip(names, matched.groups(), strict=True)})

    def allows(self, labels: Labels) -> bool:
        """Whether this pattern could have given these labels: the same names, and the same values where it fixes them.

        Tells the segments of two patterns for one metric apart (``eval/region=*/f1``, ``eval/plan=*/f1``).
        """
        if len(labels) != len(self.labels):
            return False
        return all(
            name == wanted and (fixed is None or value == fixed)
            for (name, value), (wanted, fixed) in zip(labels, self.labels, strict=True)
        )
