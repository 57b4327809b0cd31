"""The files between the steps: alerts.json, plan.json, receipts.json, gate.json, baseline files, series.jsonl.

Bytes are deterministic, writes are atomic, and errors name the file, and the line where it is known.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from . import series_jsonl, series_table, typed_json
from .errors import UserError
from .model.alert import FORMAT, Judgement
from .model.gate import GateReport
from .model.plan import Plan, Receipts
from .model.register import OMITTED_FIELDS as REGISTER_FIELDS
from .model.rule import BaselineEntry
from .model.series import PulledSeries
from .timeutil import HOUR

MAX_PLAN_AGE = HOUR
"""Seconds after which a plan is too old to be applied."""
MAX_CLOCK_SKEW = 300.0
"""Seconds by which the clocks of the machines that plan and apply can differ."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Baselines:
    """The content of a baseline file."""

    entries: tuple[BaselineEntry, ...]
    format: int = FORMAT


StepFile = Judgement | Plan | Receipts | GateReport | Baselines


@dataclass(frozen=True, slots=True)
class _Format:
    format: int


_MISSING_HINTS: dict[type, str] = {
    Judgement: "Run `modelwatch evaluate` first.",
    Plan: "Run `modelwatch plan` first.",
    Receipts: "Run `modelwatch apply` first.",
    GateReport: "`modelwatch release validate --out` writes it.",
    Baselines: "`modelwatch baseline capture` writes it.",
}


OMITTED_FIELDS = (
    *REGISTER_FIELDS,
    '"causes":[],',
    ',"alike":false',
    ',"shared":false',
    ',"since_range":null',
    ',"estimate":null',
    ',"signal":"none"',
    ',"sensitivity":null',
    ',"past":null',
    ',"is_count":false',
    ',"health":[]',
    ',"rollback":[]',
    ',"rolled_back":""',
    ',"affected":null',
    ',"anchor":null',
    ',"gradual":null',
    ',"calibration":null',
    ',"unconfirmed":null',
    ',"is_share":false',
    ',"is_older":false',
    ',"move":null',
    ',"refusals":[]',
    ',"held":null',
    ',"money":null',
    ',"newest_value":null',
    ',"apart":0.0',
    ',"newest_level":null',
    ',"version_origin":"point"',
    ',"at_least":false',
    ',"scope":"evaluator"',
    ',"watchdog":null',
    ',"heartbeat":null',
)
"""Younger than the format, so they are written only where they say something: what an older version wrote is written
as it was, and a plan keeps its digest."""


def encode_file(content: StepFile) -> str:
    """The text of the file, without its last line end."""
    import msgspec

    encoded = msgspec.json.encode(content, order="deterministic")
    for field in OMITTED_FIELDS:  # no text in the file holds one: its quotes would be escaped there
        encoded = encoded.replace(field.encode(), b"")
    return msgspec.json.format(encoded, indent=1).decode()


def write_file(path: Path, content: StepFile) -> None:
    write_text(path, encode_file(content) + "\n")


def encode_result(judgement: Judgement, plan: Plan, receipts: Receipts | None) -> str:
    """All that came of one evaluation, as one JSON object; ``receipts`` are null where nothing was applied."""
    applied = encode_file(receipts) if receipts else "null"
    return f'{{"judgement":{encode_file(judgement)},"plan":{encode_file(plan)},"receipts":{applied}}}'


def read_file(path: Path, kind: type[T]) -> T:
    """Raises UserError for a file that is missing, is not of this kind, or has another format. To apply a plan, use
    ``load_verified_plan``."""
    return _decode(_read_bytes(path, _MISSING_HINTS[kind]), kind, path)


def plan_digest(plan: Plan | bytes) -> str:
    """SHA-256 (hex) of plan.json's bytes, which has to travel apart from the file."""
    return hashlib.sha256(plan if isinstance(plan, bytes) else f"{encode_file(plan)}\n".encode()).hexdigest()


def load_verified_plan(path: Path, digest: str, now: float) -> Plan:
    """The plan in ``path``, to be applied.

    Raises UserError where it is missing, not the one ``digest`` was made of, older than ``MAX_PLAN_AGE``, from the
    future, or of another format.
    """
    content = _read_bytes(path, _MISSING_HINTS[Plan])
    if not digest.strip():
        raise UserError(
            "no digest was given.", hint="Hand over the digest that `modelwatch plan` printed.", where=str(path)
        )
    if plan_digest(content) != digest.strip().lower():
        raise UserError(
            "the plan is not the one that was made: its digest differs.",
            hint="Nothing was applied. Plan again, and hand over that plan's digest.",
            where=str(path),
        )
    plan = _decode(content, Plan, path)
    age = now - plan.at
    if age > MAX_PLAN_AGE:
        raise UserError(
            f"the plan is {age / 60:.0f} minutes old; a plan is applied for {MAX_PLAN_AGE / 60:.0f} minutes.",
            hint="Nothing was applied. Plan again.",
            where=str(path),
        )
    if age < -MAX_CLOCK_SKEW:
        raise UserError(
            f"the plan is from {-age / 60:.0f} minutes in the future.",
            hint="Check the clocks; plan again.",
            where=str(path),
        )
    return plan


def encode_baselines(entries: tuple[BaselineEntry, ...]) -> str:
    """A whole baseline file."""
    return encode_file(Baselines(entries)) + "\n"


def write_baselines(path: Path, entries: tuple[BaselineEntry, ...]) -> None:
    write_text(path, encode_baselines(entries))


def read_baselines(path: Path) -> tuple[BaselineEntry, ...]:
    """Raises UserError for a file that is missing or is not a baseline file."""
    return read_file(path, Baselines).entries


def write_series(path: Path, pulls: tuple[PulledSeries, ...], now: float) -> None:
    _write_bytes(path, series_jsonl.encode(pulls, now))


def write_series_table(path: Path, pulls: tuple[PulledSeries, ...]) -> None:
    """``path`` as ``series_table.check_table_path`` allows it."""
    _write_bytes(path, series_table.encode_table(pulls, path.suffix))


def read_series(path: Path) -> tuple[PulledSeries, ...]:
    """Raises UserError (``file:line``) for a file that is missing, ends early or is no series.jsonl."""
    return series_jsonl.decode(_read_bytes(path, "Run `modelwatch pull` first."), path)


def split_series(path: Path) -> tuple[series_jsonl.EncodedPull, ...]:
    """The pulls of a series.jsonl, to be decoded one by one. Raises UserError as ``read_series`` does."""
    return series_jsonl.split(_read_bytes(path, "Run `modelwatch pull` first."), path)


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``series`` (each line) or of one of the other files, named as in ``kinds``."""
    import msgspec

    kinds: dict[str, type] = {
        "alerts": Judgement,
        "plan": Plan,
        "receipts": Receipts,
        "baseline": Baselines,
        "gate": GateReport,
    }
    if name != "series" and name not in kinds:
        raise UserError(f"there is no schema {name!r}.", hint=f"There are series, {', '.join(kinds)}.")
    body = series_jsonl.line_schema() if name == "series" else msgspec.json.schema(kinds[name])
    title = "modelwatch series.jsonl, each line" if name == "series" else f"modelwatch {name}"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:modelwatch:schema:{name}:{FORMAT}",
        "title": title,
        **body,
    }


def make_results_folder(folder: Path) -> None:
    """Make a folder for results, which git does not see. One that exists is unchanged."""
    if not folder.exists():
        folder.mkdir(parents=True)
        write_text(folder / ".gitignore", "*\n")


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing: a reader never sees half of it."""
    _write_bytes(path, text.encode())


def _decode(content: bytes, kind: type[T], path: Path) -> T:
    """``content`` as ``kind``; UserError with the line of what is wrong, where that is known."""
    import msgspec

    try:
        version = typed_json.decode(content, _Format).format
        if version != FORMAT:
            raise UserError(
                f"the file has format {version}; this modelwatch reads format {FORMAT}.",
                hint="Use one version of modelwatch for all steps.",
                where=str(path),
            )
        return typed_json.decode(content, kind)
    except msgspec.ValidationError as error:
        raise UserError(f"this is not what the file should hold: {error}.", where=str(path)) from error
    except RecursionError as error:
        raise UserError("this is nested too deep to be such a file.", where=str(path)) from error
    except msgspec.DecodeError as error:
        raise UserError(f"this is not JSON: {error}.", where=f"{path}:{_error_line(content, str(error))}") from error


def _error_line(content: bytes, message: str) -> int:
    """The line of a decoder's ``(byte 123)``; the last line where the input ends early."""
    _, _, rest = message.partition("(byte ")
    place = rest.rstrip(")")
    return content.count(b"\n", 0, int(place) if place.isdigit() else max(len(content) - 1, 0)) + 1


def _read_bytes(path: Path, hint: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UserError("there is no such file.", hint=hint, where=str(path)) from error
    except OSError as error:
        raise UserError(f"the file cannot be read: {error.strerror}.", where=str(path)) from error


def _write_bytes(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise UserError(f"the file cannot be written: {error.strerror}.", where=str(path)) from error
