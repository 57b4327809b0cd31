"""W&B keys <-> metric names and labels: ``eval/region=eu/accuracy`` is ``eval/accuracy`` with ``region=eu``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, unquote

from .series import Labels, labels_of

_SAFE = " !'(),.:;<>@[]^_`{|}~+$&?#\"\\-"
"""What stands unescaped in a label; ``/ = % *`` and control characters are percent-escaped."""


def escape_label(value: str) -> str:
    return quote(value, safe=_SAFE)


def key_of(name: str, labels: Labels) -> str:
    """The W&B key of a metric: sorted, escaped ``label=value`` parts before the last part of the name."""
    *groups, last = name.split("/")
    parts = [f"{escape_label(label)}={escape_label(value)}" for label, value in labels]
    return "/".join([*groups, *parts, last])


def sibling(key: str, name: str) -> str:
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
        return "/".join(part for part in self.text.split("/") if "=" not in part and part != "*")

    @property
    def is_plain(self) -> bool:
        return "*" not in self.text

    @cached_property
    def _compiled(self) -> tuple[re.Pattern[str], tuple[str, ...]]:
        names: list[str] = []
        parts: list[str] = []
        before = "item"
        for part in self.text.split("/"):
            label, equals, value = part.partition("=")
            if part == "*":
                names.append(before)
                parts.append("([^/=]*)")
            elif equals and value == "*":
                names.append(unquote(label))
                parts.append(re.escape(label) + "=([^/]*)")
            else:
                parts.append("[^/]*".join(re.escape(piece) for piece in part.split("*")))
            before = part
        return re.compile("/".join(parts)), tuple(names)

    def match(self, key: str) -> Labels | None:
        """The labels in ``key`` (its fixed ones included), or ``None`` where it is another metric."""
        pattern, names = self._compiled
        found = pattern.fullmatch(key)
        if found is None:
            return None
        labels = {name: unquote(value) for name, value in zip(names, found.groups(), strict=True)}
        for part in self.text.split("/"):
            label, equals, value = part.partition("=")
            if equals and "*" not in value:
                labels[unquote(label)] = unquote(value)
        return labels_of(labels)
