"""What a rule compares with, the captured baseline files included."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..model.keys import KeyPattern
from ..model.rule import DAY, BaselineEntry, BaselineKind, BaselineSpec
from .nodes import Node
from .reader import Reader, did_you_mean

if TYPE_CHECKING:
    from .shapes import Given

FORMAT = 1
MAX_BYTES = 50_000_000
_KINDS = {
    "file": BaselineKind.FILE,
    "rolling": BaselineKind.ROLLING,
    "seasonal": BaselineKind.SEASONAL,
    "version": BaselineKind.VERSION,
    "value": BaselineKind.CONSTANT,
}

Entries = dict[str, tuple[BaselineEntry, ...]]
"""The entries of a baseline file by the name of their metric."""


class BaselineFiles:
    """Reads each baseline file once for a whole configuration.

    Unless they are required, a file or an entry that is missing is a warning only: it is about to be captured.
    """

    def __init__(self, *, require: bool = True) -> None:
        self.require = require
        self._read: dict[Path, Entries | str] = {}

    def entries(self, path: Path) -> Entries | str:
        """The entries; where the file cannot be used, why."""
        if path not in self._read:
            self._read[path] = _load(path)
        return self._read[path]


def read_baseline(given: Given | None, metric: KeyPattern | None, reader: Reader, files: BaselineFiles) -> BaselineSpec:
    """One of the five kinds; ``BaselineKind.NONE`` where nothing is given."""
    if given is None:
        return BaselineSpec()
    chosen = [name for name in _KINDS if name in given]
    if len(chosen) != 1:
        message = "a baseline is one of `file`, `rolling`, `seasonal`, `version` and `value`"
        found = f"; here are {' and '.join(f'`{name}`' for name in chosen)}" if chosen else ""
        reader.problem(given.at(chosen[1]) if chosen else given.node, f"{message}{found}.")
        return BaselineSpec()
    name = chosen[0]
    if "n" in given and name != "value":
        reader.problem(given.at("n"), "`n` belongs to `value`.", "Other baselines bring their own counts.")
    value = given.get(name)
    if value is None:
        return BaselineSpec()
    match name:
        case "file":
            entries = _from_file(given.value_at(name), value, metric, reader, files)
            return BaselineSpec(BaselineKind.FILE, path=value, entries=entries)
        case "rolling":
            return BaselineSpec(BaselineKind.ROLLING, length=value)
        case "seasonal":
            if value % (7 * DAY):
                message = "`seasonal` compares hours of the week, so it takes whole weeks such as 4w."
                reader.problem(given.value_at(name), message)
            return BaselineSpec(BaselineKind.SEASONAL, length=value)
        case "version":
            return BaselineSpec(BaselineKind.VERSION, version=value)
    return BaselineSpec(BaselineKind.CONSTANT, value=value, n=given.get("n"))


def _from_file(
    node: Node, path: str, metric: KeyPattern | None, reader: Reader, files: BaselineFiles
) -> tuple[BaselineEntry, ...]:
    entries = files.entries(reader.folder / path)
    if isinstance(entries, str):
        message = f"the baseline file {path} {entries}."
        hint = f"`modelwatch baseline capture --model NAME --out {path}` writes it."
        found: tuple[BaselineEntry, ...] = ()
    elif metric is None:
        return ()
    else:
        message = f"the baseline file {path} has no entry for {metric.name}."
        hint = did_you_mean(metric.name, entries) if metric.name not in entries else ""
        found = entries.get(metric.name, ())
    if not found and files.require:
        reader.problem(node, message, hint)
    elif not found:
        reader.warn(node, message)
    return found


def _load(path: Path) -> Entries | str:
    import msgspec

    try:
        if path.stat().st_size > MAX_BYTES:
            return f"is larger than {MAX_BYTES:,} bytes"
        data = path.read_bytes()
    except FileNotFoundError:
        return "does not exist"
    except (OSError, ValueError) as error:
        return f"cannot be read ({type(error).__name__})"
    try:
        head = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        if msgspec.json.decode(head.get("format", b"0"), type=int) != FORMAT:
            return f"is not of format {FORMAT}; this version of modelwatch reads no other"
        entries = msgspec.json.decode(head.get("entries", b"[]"), type=list[BaselineEntry])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return f"is not a baseline file ({str(error).rstrip('.')})"
    by_name: dict[str, list[BaselineEntry]] = {}
    for entry in entries:
        by_name.setdefault(entry.name, []).append(entry)
    return {name: tuple(found) for name, found in by_name.items()}
