"""Masked and hashed cells reach no file, wherever a caller puts them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from modelwatch.recorder import AsgiMiddleware, Recorder
from modelwatch.recorder.protection import MASKED, hash_cell
from modelwatch.recorder.values import UNREADABLE

from .recorders import recorded_rows, recorder, send

NAME, MAIL = "Lovelace", "ada@acme.example"
SECRETS = {"name": NAME, "mail": MAIL}


@dataclass
class Customer:
    name: str
    mail: str


class Pair(NamedTuple):
    name: str
    mail: str


HOLDERS = {
    "mapping": SECRETS,
    "list": [{"deep": [SECRETS]}],
    "tuple": ((SECRETS,),),
    "data class": Customer(NAME, MAIL),
    "named tuple": Pair(NAME, MAIL),
    "series": pd.Series(SECRETS),
    "frame": pd.DataFrame([SECRETS]),
    "objects": np.array([SECRETS, None], dtype=object),
    "record": np.array([(NAME, MAIL)], dtype=[("name", "U20"), ("mail", "U20")]),
    "bytes": {b"name": NAME, b"mail": MAIL},
}


def written(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def made_recorder(folder: Path) -> Recorder:
    return recorder(folder / "spool", folder=folder / "out", mask="name", hash="mail", hash_key="k")


def finish(made: Recorder, folder: Path) -> list[dict[str, Any]]:
    """The rows, after a look at the spool and at everything that is sent."""
    made.close(0.0)
    content = written(folder)
    assert made.stats().written
    send(folder / "spool")
    content += written(folder)
    rows = recorded_rows(folder / "out")
    for secret in (NAME, MAIL):
        assert secret.encode() not in content
        assert secret not in str(rows)
    return rows


@pytest.mark.parametrize("kind", HOLDERS)
def test_nested_cells(tmp_path: Path, kind: str) -> None:
    held: Any = HOLDERS[kind]
    made = made_recorder(tmp_path)
    made.record({"customer": held}, {"answer": held}, extra={"more": held})
    made.record({}, "yes", {"yes": held})
    made.record_batch({"customer": [held, None]})
    rows = finish(made, tmp_path)
    assert len(rows) == 4
    assert MASKED in str(rows)
    if kind not in ("frame", "record"):  # whose column is hashed as a whole
        assert str(hash_cell(MAIL, b"k")) in str(rows)


@pytest.mark.parametrize(
    "batch",
    [
        pd.DataFrame([SECRETS, SECRETS]),
        pa.table({"name": [NAME] * 2, "mail": [MAIL] * 2}),
        [SECRETS, SECRETS],
        {"name": np.array([NAME] * 2), "mail": pd.Series([MAIL, MAIL])},
        {b"name": [NAME] * 2, "mail": pd.Categorical([MAIL, MAIL])},
        {"customer": pa.array([SECRETS, SECRETS])},
    ],
    ids=["pandas", "arrow", "rows", "columns", "categories", "struct"],
)
def test_batches(tmp_path: Path, batch: Any) -> None:
    made = made_recorder(tmp_path)
    assert made.record_batch(batch) == 2
    rows = finish(made, tmp_path)
    assert len(rows) == 2
    assert MASKED in str(rows[0])
    assert str(hash_cell(MAIL, b"k")) in str(rows[1])


def test_decorated_functions_flatten_their_keywords(tmp_path: Path) -> None:
    made = made_recorder(tmp_path)

    @made.observe
    def plain(region: str, count: int = 3, *more: Any, **named: Any) -> int:
        return count

    @made.observe
    async def waits(customer: Customer, **named: Any) -> str:
        return "yes"

    assert plain("eu", z=2, mail=MAIL, name=NAME) == 3
    assert plain("eu", 4, SECRETS["mail"] and 5) == 4
    assert asyncio.run(waits(Customer(NAME, MAIL), name=NAME)) == "yes"
    first, second, third = finish(made, tmp_path)
    assert (first["region"], first["count"], first["z"], first["name"]) == ("eu", 3, 2, MASKED)
    assert first["mail"] == hash_cell(MAIL, b"k")
    assert (second["count"], second["more"]) == (4, [5])
    assert MASKED in third["customer"]
    assert third["name"] == MASKED


def test_requests(tmp_path: Path) -> None:
    made = made_recorder(tmp_path)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        made.record({"body": SECRETS, **SECRETS}, error=ValueError(MAIL))
        raise KeyError(NAME)

    async def nothing(*_: Any) -> Any:
        return None

    with pytest.raises(KeyError):
        asyncio.run(AsgiMiddleware(app, made, "/p")({"type": "http", "path": "/p"}, nothing, nothing))
    (row,) = finish(made, tmp_path)
    assert (row["name"], row["error"]) == (MASKED, "ValueError")


def test_generators_are_recorded_when_they_end(tmp_path: Path) -> None:
    made = recorder(tmp_path / "spool", folder=tmp_path / "out")

    @made.observe
    def words(count: int) -> Any:
        for _ in range(count):
            yield "a"
        if count > 3:
            raise ValueError

    @made.observe
    async def numbers(count: int) -> AsyncIterator[int]:
        for number in range(count):
            yield number

    async def collect() -> list[int]:
        return [number async for number in numbers(2)]

    assert list(words(2)) == ["a", "a"]
    with pytest.raises(ValueError, match=r"^$"):
        list(words(4))
    assert next(iter(words(3))) == "a", "and the caller leaves"
    assert asyncio.run(collect()) == [0, 1]
    assert made.record({"stream": iter([])}) is not None
    assert made.close(60.0)
    rows = recorded_rows(tmp_path / "out")
    assert [(row["prediction"], row["error"]) for row in rows[:4]] == [
        ("aa", None),
        (None, "ValueError"),
        ("a", None),
        ("[0, 1]", None),
    ]
    assert all(row["latency"] > 0 for row in rows[:4])
    assert rows[4]["stream"] == f"{UNREADABLE} (list_iterator)"
