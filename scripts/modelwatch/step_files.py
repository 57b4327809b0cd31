"""The files between the steps: alerts.json, plan.json, receipts.json, baseline files; series.jsonl is next door.

Bytes are deterministic, writes are atomic, and whatever cannot be read is told with its file (and line, where known).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .errors import UserError
from .model.alert import FORMAT, Judgement
from .model.gate import GateReport
from .model.plan import Plan, Receipts
from .model.rule import BaselineEntry
from .model.series import PulledSeries
from .timeutil import HOUR

MAX_PLAN_AGE = HOUR
"""Seconds after which a plan is too old to be applied."""
MAX_CLOCK_SKEW = 300.0
"""Seconds that a plan may come from the future (clocks of two machines)."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Baselines:
    """The content of a baseline file."""

    entries: tuple[BaselineEntry, ...]
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class _Format:
    format: int


def encode_judgement(judgement: Judgement) -> str:
    return _encode(judgement)


def write_judgement(path: Path, judgement: Judgement) -> None:
    write_text(path, encode_judgement(judgement) + "\n")


def read_judgement(path: Path) -> Judgement:
    """Raises UserError for a file that is missing, is no alerts.json, or has another format."""
    return decode(_read_bytes(path, "Run `modelwatch evaluate` first."), Judgement, path)


def encode_plan(plan: Plan) -> str:
    return _encode(plan)


def write_plan(path: Path, plan: Plan) -> str:
    """Write the plan and return its digest, which has to travel apart from the file."""
    write_text(path, encode_plan(plan) + "\n")
    return plan_digest(plan)


def plan_digest(plan: Plan | bytes) -> str:
    """SHA-256 (hex) of plan.json's bytes."""
    return hashlib.sha256(plan if isinstance(plan, bytes) else f"{encode_plan(plan)}\n".encode()).hexdigest()


def read_plan(path: Path) -> Plan:
    """To look at; to apply a plan, ``load_plan``."""
    return decode(_read_bytes(path, "Run `modelwatch plan` first."), Plan, path)


def load_verified_plan(path: Path, digest: str, now: float, max_age: float = MAX_PLAN_AGE) -> Plan:
    """The plan in ``path``, to be applied.

    Raises UserError where it is missing, not the one ``digest`` was made of, older than ``max_age`` seconds, from the
    future, or of another format.
    """
    content = _read_bytes(path, "Run `modelwatch plan` first.")
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
    plan = decode(content, Plan, path)
    age = now - plan.at
    if age > max_age:
        raise UserError(
            f"the plan is {age / 60:.0f} minutes old; after {max_age / 60:.0f} the world may have changed.",
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


def encode_receipts(receipts: Receipts) -> str:
    return _encode(receipts)


def write_receipts(path: Path, receipts: Receipts) -> None:
    write_text(path, encode_receipts(receipts) + "\n")


def read_receipts(path: Path) -> Receipts:
    return decode(_read_bytes(path, "Run `modelwatch apply` first."), Receipts, path)


def encode_baselines(entries: tuple[BaselineEntry, ...]) -> str:
    """A whole baseline file."""
    return _encode(Baselines(entries)) + "\n"


def write_baselines(path: Path, entries: tuple[BaselineEntry, ...]) -> None:
    write_text(path, encode_baselines(entries))


def read_baselines(path: Path) -> tuple[BaselineEntry, ...]:
    """Raises UserError for a file that is missing or is no baseline file."""
    return decode(_read_bytes(path, "`modelwatch baseline capture` writes it."), Baselines, path).entries


def encode_gate(gate: GateReport) -> str:
    return _encode(gate)


def write_gate(path: Path, gate: GateReport) -> None:
    write_text(path, encode_gate(gate) + "\n")


def read_gate(path: Path) -> GateReport:
    """Raises UserError for a file that is missing or is no gate.json."""
    return decode(_read_bytes(path, "`modelwatch release validate --out` writes it."), GateReport, path)


def write_series(path: Path, pulls: tuple[PulledSeries, ...], now: float) -> None:
    from .series_jsonl import encode

    _write_bytes(path, encode(pulls, now))


def read_series(path: Path) -> tuple[PulledSeries, ...]:
    """Raises UserError (``file:line``) for a file that is missing, ends early or is no series.jsonl."""
    from .series_jsonl import decode as decode_lines

    return decode_lines(_read_bytes(path, "Run `modelwatch pull` first."), path)


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``series`` (each line) or of one of the other files, named as in ``kinds``."""
    import msgspec

    from .series_jsonl import line_schema

    kinds: dict[str, type] = {
        "alerts": Judgement,
        "plan": Plan,
        "receipts": Receipts,
        "baseline": Baselines,
        "gate": GateReport,
    }
    if name != "series" and name not in kinds:
        raise UserError(f"there is no schema {name!r}.", hint=f"There are series, {', '.join(kinds)}.")
    body = line_schema() if name == "series" else msgspec.json.schema(kinds[name])
    title = "modelwatch series.jsonl, each line" if name == "series" else f"modelwatch {name}"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:modelwatch:schema:{name}:{FORMAT}",
        "title": title,
        **body,
    }


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing: a reader never sees half of it."""
    _write_bytes(path, text.encode())


def decode(content: bytes, kind: type[T], path: Path, where: str = "") -> T:
    """``content`` as ``kind``; UserError with the line of what is wrong, where that is known."""
    import msgspec

    try:
        found = msgspec.json.decode(content, type=_Format).format
        if found != FORMAT:
            raise UserError(
                f"the file has format {found}; this modelwatch reads format {FORMAT}.",
                hint="Use one version of modelwatch for all steps.",
                where=where or str(path),
            )
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise UserError(f"this is not what the file should hold: {error}.", where=where or str(path)) from error
    except msgspec.DecodeError as error:
        raise UserError(
            f"this is not JSON: {error}.", where=where or f"{path}:{_error_line(content, str(error))}"
        ) from error


def _error_line(content: bytes, message: str) -> int:
    """The line of a decoder's ``(byte 123)``; the last line where the input ends early."""
    _, _, rest = message.partition("(byte ")
    place = rest.rstrip(")")
    return content.count(b"\n", 0, int(place) if place.isdigit() else max(len(content) - 1, 0)) + 1


def _encode(value: Any) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=1).decode()


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
        draft.unlink(missing_ok=True)
        raise UserError(f"the file cannot be written: {error.strerror}.", where=str(path)) from error
