"""The hint about a key that nothing logs: the one that is misspelt, else those of its group."""

from __future__ import annotations

from collections.abc import Collection
from difflib import SequenceMatcher

from ..errors import list_names
from ..model.drift import CATEGORIES_PART, HISTOGRAM_PART, drift_spec
from ..model.keys import KeyPattern

SIMILAR = 0.75
"""Parts of keys are alike from this share of equal letters on: `acuracy`, and not `changed_share` for
`missing_share`."""
MIN_PREFIX = 3
"""Letters of a part that begins the other one (`acc`)."""
COUNTS = frozenset(("n", "count", "rows", "num_rows", "n_rows", "samples", "num_samples"))
MEASURED_GROUPS = frozenset(
    (
        *("eval", "labels", "weighted", "calibration", "predictions", "estimated", "estimate_check"),
        *("latency", "errors", "cost", "throughput", "agreement"),
    )
)
"""First parts of keys that ``modelwatch measure`` logs, and says in a note where it cannot."""
SCORED_GROUPS = ("holdout",)
SCORED_KEYS = ("holdout/", "agreement/candidate", "agreement/previous")
"""Beginnings of keys that ``modelwatch score`` logs."""


def similar_keys_hint(wanted: KeyPattern, known: Collection[str], *, is_measured: bool = False) -> str:
    """What to correct; empty where nothing is logged. ``is_measured``: whether ``modelwatch measure`` logs for the
    model."""
    if close := _misspelt(wanted.text, known):
        return f"Did you mean `{close}`?"
    group = wanted.text.partition("/")[0]
    reason = is_measured and group in (*MEASURED_GROUPS, *SCORED_GROUPS)
    hints = ["`modelwatch measure` prints why it publishes none."] if reason else []
    if reason and wanted.text.startswith(SCORED_KEYS):
        hints = ["`modelwatch score` publishes it, once a day."]
    names = {_without_labels(key) for key in known}
    own = sorted(name for name in names if name.startswith(f"{group}/"))
    if drift_spec(wanted) is not None:
        own = [head for head, _, last in (name.rpartition("/") for name in own) if last in _DISTRIBUTIONS] or own
    if own:
        hints.append(f"Logged under {group}/ are {list_names(own)}.")
    elif known and not reason:
        hints.append(f"Logged are {list_names(names)}.")
    return " ".join(hints)


_DISTRIBUTIONS = (CATEGORIES_PART, HISTOGRAM_PART)


def _misspelt(wanted: str, known: Collection[str]) -> str:
    parts = _parts(wanted)
    close = [
        (sum(1 - _likeness(*pair) for pair in zip(parts, others, strict=True)), key)
        for key in known
        if f"{key}_n" != wanted  # A metric is not its own count.
        and len(others := _parts(key)) == len(parts)
        and all(_is_similar(*pair) for pair in zip(parts, others, strict=True))
    ]
    return min(close)[1] if close else ""


def _parts(key: str) -> list[str]:
    return key[:200].lower().replace("-", "_").replace(".", "/").split("/")


def _is_similar(first: str, second: str) -> bool:
    short, long = sorted((first, second), key=len)
    is_begun = len(short) >= MIN_PREFIX and long.startswith(short)
    if len(long) == 1:
        return True
    return first == second or is_begun or {first, second} <= COUNTS or _likeness(first, second) >= SIMILAR


def _likeness(first: str, second: str) -> float:
    return 1.0 if first == second else SequenceMatcher(None, first, second).ratio()


def _without_labels(key: str) -> str:
    """The metric's name: bounds and segments stand beside it."""
    name = "/".join(part for part in key.split("/") if "=" not in part)
    return name.removesuffix("/low").removesuffix("/high")
