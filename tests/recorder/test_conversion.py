"""Values with parts: whatever they are made of, a call looks at a bounded number of them, and what lies under a
protected name reaches no file."""

from __future__ import annotations

import enum
import functools
import tempfile
import types
from collections import ChainMap, UserDict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import attrs
import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from modelwatch.recorder import Recorder, containers
from modelwatch.recorder.conversion import MAX_DEPTH, MAX_NODES, REST, Conversion, plain_value
from modelwatch.recorder.protection import MASKED, Protection, hash_cell
from modelwatch.recorder.row_fields import MAX_CLASSES
from modelwatch.recorder.values import MAX_CHARACTERS, MAX_COLUMNS, UNREADABLE

from .recorders import recorded_rows, recorder

SECRET = "S3CR3T"
PROTECTION = Protection(frozenset({"name"}), frozenset({"mail"}), b"k")


@dataclass
class Customer:
    name: Any
    more: Any = None


@attrs.define
class Account:
    name: Any
    more: Any = None


class Struct(msgspec.Struct):
    name: Any
    more: Any = None


class Renamed(msgspec.Struct):
    full: Any = msgspec.field(name="name")


class Model(BaseModel):
    name: Any
    more: Any = None


class Aliased(BaseModel):
    full: Any = Field(alias="name")


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Pair(NamedTuple):
    name: Any
    more: Any = None


class Property:
    """Of no known form, with a text that shows everything."""

    def __init__(self, value: Any) -> None:
        self._name = value

    @property
    def name(self) -> Any:
        return self._name

    def __repr__(self) -> str:
        return f"Property(name={self._name})"


class Listed(list[Any]):
    def __init__(self, value: Any) -> None:
        super().__init__([1])
        self.name = value

    def __repr__(self) -> str:
        return str(self.name)


class Key(enum.Enum):
    NAME = "name"


class Constant(enum.Enum):
    SECRET = {"name": SECRET}  # noqa: RUF012 - a constant


HOLDERS: dict[str, Callable[[Any], Any]] = {
    "mapping": lambda value: {"name": value},
    "bytes": lambda value: {b"name": value},
    "key of an enumeration": lambda value: {Key.NAME: value},
    "proxy": lambda value: types.MappingProxyType({"name": value}),
    "chain": lambda value: ChainMap({}, {"name": value}),
    "user mapping": lambda value: UserDict(name=value),
    "items": lambda value: {"name": value}.items(),
    "pair": lambda value: [("name", value)],
    "header": lambda value: [[b"name", value]],
    "data class": Customer,
    "attrs": Account,
    "msgspec": Struct,
    "msgspec, renamed": lambda value: Renamed(full=value),
    "pydantic": lambda value: Model(name=value),
    "pydantic, alias": lambda value: Aliased(name=value),
    "pydantic, extra": lambda value: Open.model_validate({"name": value}),
    "named tuple": Pair,
    "property": Property,
    "list with an attribute": Listed,
    "namespace": lambda value: types.SimpleNamespace(name=value),
    "partial": lambda value: functools.partial(print, name=value),
    "enumeration": lambda _: Constant.SECRET,
    "exception": lambda value: ValueError(str(value)),
    "record": lambda value: np.array([(str(value),)], dtype=[("name", "U200")]),
    "row of a record": lambda value: np.array([((str(value),),)], dtype=[("a", [("name", "U200")])])[0],
    "objects": lambda value: np.array([{"name": value}, None], dtype=object),
    "object": lambda value: np.array({"name": value}, dtype=object),
    "row of pandas": lambda value: pd.Series({"name": value}, dtype=object),
    "series": lambda value: pd.Series([str(value)], name="name"),
    "categories": lambda value: pd.Series([str(value)], name="name", dtype="category"),
    "named index of a series": lambda value: pd.Series([1], index=pd.Index([str(value)], name="name")),
    "index": lambda value: pd.Index([str(value)], name="name"),
    "frame": lambda value: pd.DataFrame({"name": [str(value)]}),
    "named index": lambda value: pd.DataFrame({"a": [1]}, index=pd.Index([str(value)], name="name")),
    "levels": lambda value: pd.DataFrame({("u", "name"): [str(value)]}),
    "named columns": lambda value: pd.DataFrame([[1]], columns=pd.Index([str(value)], name="name")),
    "twins": lambda value: pd.DataFrame([[str(value), "x"]], columns=["name", "name"]),
    "table": lambda value: pa.table({"name": [str(value)]}),
    "batch": lambda value: pa.record_batch({"name": [str(value)]}),
    "structs": lambda value: pa.array([{"name": str(value)}]),
    "chunks": lambda value: pa.chunked_array([[{"name": str(value)}]]),
    "struct": lambda value: pa.scalar({"name": str(value)}),
    "frame of Polars": lambda value: pl.DataFrame({"name": [str(value)]}),
    "structs of Polars": lambda value: pl.DataFrame({"s": [{"name": str(value)}]}),
    "series of Polars": lambda value: pl.Series("name", [str(value)]),
    "structs in a series": lambda value: pl.Series("s", [{"name": str(value)}]),
    "lists of structs": lambda value: pl.Series("s", [[{"name": str(value)}]]),
    "map": lambda value: pa.array([[("name", str(value))]], pa.map_(pa.string(), pa.string())),
}
"""By kind: a value with another one under a protected name."""
WRAPPERS: list[Callable[[Any], Any]] = [
    lambda value: [value],
    lambda value: (value, 1),
    lambda value: {"more": value},
    lambda value: {"more": value}.values(),
    lambda value: {"more": value}.items(),
    lambda value: deque([None, value]),
    lambda value: Customer(None, value),
    lambda value: Account(None, value),
    lambda value: Struct(None, value),
    lambda value: Model(name=None, more=value),
    lambda value: Pair(None, value),
    lambda value: pd.Series([value, None], dtype=object),
    lambda value: pd.DataFrame({"more": pd.Series([value, None], dtype=object)}),
    lambda value: pl.Series("s", [value, None], dtype=pl.Object),
]
wrapped = st.tuples(st.sampled_from([*HOLDERS]), st.lists(st.sampled_from(WRAPPERS), max_size=4))


def nested(kind: str, wrappers: list[Callable[[Any], Any]]) -> Any:
    value = HOLDERS[kind](SECRET)
    return functools.reduce(lambda inner, wrap: wrap(inner), wrappers, value)


def spooled(record: Callable[[Recorder], None]) -> bytes:
    """What lies in the spool after some calls."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = recorder(folder / "spool", folder=folder / "out", mask="name", hash="mail", hash_key="k")
        record(made)
        made.close(0.0)
        assert made.stats().written
        return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def record_everywhere(made: Recorder, value: Any) -> None:
    rows = [
        made.record({"a": value}, value, value, error=value, id=value, version=value, extra={"b": value}),
        made.record(dict[Any, Any]({("a", "name"): SECRET}), "yes", {"name": SECRET}),
        made.record({"id": value, "version": value, "error": value}, score={"yes": value}),
    ]
    assert None not in rows
    assert made.record_batch({"a": [value, None]}, error=value, version=value) == 2
    assert made.record_batch([{"a": value}, {"name": SECRET}]) == 2
    made.record_batch(value)  # some are batches
    made.record_batch({"a": value})

    @made.observe
    def predict(argument: Any, *others: Any, **named: Any) -> Any:
        return argument

    predict(value)
    predict(1, value, more=value)


@pytest.mark.parametrize("kind", HOLDERS)
def test_every_kind_in_every_argument(kind: str) -> None:
    assert SECRET.encode() not in spooled(lambda made: record_everywhere(made, HOLDERS[kind](SECRET)))


@settings(max_examples=150, deadline=None)
@given(wrapped)
def test_no_nesting_shows_what_lies_under_a_protected_name(shape: tuple[str, list[Any]]) -> None:
    value = nested(*shape)
    assert SECRET not in str(Conversion(PROTECTION).cell(value))
    assert SECRET.encode() not in spooled(lambda made: record_everywhere(made, value))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(WRAPPERS), max_size=6))
def test_what_is_not_protected_is_recorded(wrappers: list[Callable[[Any], Any]]) -> None:
    value = functools.reduce(lambda inner, wrap: wrap(inner), wrappers, "open")
    for protection in (PROTECTION, Protection()):
        cell = str(Conversion(protection).cell(value))
        assert "open" in cell
        assert UNREADABLE not in cell


def test_what_is_replaced_and_what_is_not() -> None:
    protect = functools.partial(plain_value, protection=PROTECTION)
    digest = hash_cell("a@b.c", b"k")
    assert (
        protect({"name": "Ada", "mail": "a@b.c", "age": 7}) == f'{{"name": "{MASKED}", "mail": "{digest}", "age": 7}}'
    )
    assert protect({"name": None, "mail": float("nan")}) == '{"name": null, "mail": null}'
    assert protect({"name": pd.NA, "mail": pd.NaT}) == '{"name": null, "mail": null}'
    assert protect(pd.DataFrame({"age": [1.0]}, index=pd.Index(["x"], name="name"))) == (
        f'{{"name": "{MASKED}", "age": [1.0]}}'
    )
    for value in (1, "text", 0.5, None, True):
        assert protect(value) is value
    assert protect([1, 2.5]) == [1, 2.5]
    assert protect(pd.Timestamp(0)) == "1970-01-01T00:00:00"
    assert protect(Property(1)) == f"{UNREADABLE} (Property)"
    assert protect([Property(1), {"a": object()}]) == (f'["{UNREADABLE} (Property)", {{"a": "{UNREADABLE} (object)"}}]')
    assert plain_value(Property(1)) == f"{UNREADABLE} (Property)"


def test_no_text_of_an_unknown_value_is_asked_for() -> None:
    class Talker:
        calls = 0

        def __str__(self) -> str:
            type(self).calls += 1
            return SECRET

        __repr__ = __format__ = __str__  # type: ignore[assignment]

    for value in (Talker(), [Talker()], {"name": Talker()}, {Talker(): 1}, pd.Series([Talker()])):
        for protection in (PROTECTION, Protection()):
            assert SECRET not in str(plain_value(value, protection))
    assert not Talker.calls


def shared(levels: int) -> list[Any]:
    """A list with 2^levels paths."""
    value: list[Any] = [1.5, "x"]
    for _ in range(levels):
        value = [value, value]
    return value


def as_tuples(value: Any) -> Any:
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value


class Endless(Mapping[str, Any]):
    """A mapping that holds itself, under many names, and counts who looks at it."""

    looks = 0

    def __getitem__(self, key: str) -> Any:
        type(self).looks += 1
        return Endless()

    def __iter__(self) -> Iterator[str]:
        number = 0
        while True:
            number += 1
            yield f"key {number}"

    def __len__(self) -> int:
        return 1 << 60


def circle() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["a"] = value["b"] = value
    return value


def request() -> Request:
    scope = {
        "type": "http",
        "path": "/",
        "headers": [(b"name", SECRET.encode())],
        "query_string": b"",
        "app": Property(1),
    }
    scope["state"] = {"scope": scope}
    return Request(scope)


GRAPHS: dict[str, Callable[[], Any]] = {
    "shared": lambda: shared(100),
    "circle": circle,
    "endless": Endless,
    "range": lambda: range(10**15),
    "long": lambda: [{"a": number} for number in range(100_000)],
    "deep": lambda: functools.reduce(lambda inner, _: [inner], range(10_000), cast("Any", {"name": SECRET})),
    "keys": lambda: {(number, as_tuples(shared(10))): 1 for number in range(50)},
    "under a hashed name": lambda: [{"mail": shared(100)} for _ in range(1000)],
    "request": request,
    "frames": lambda: [pd.DataFrame({"a": [1.0]})] * 3000,
    "wide frame": lambda: pd.DataFrame(np.ones((2, 5000))),
    "wide table": lambda: pa.table({f"a{number}": ["x"] for number in range(5000)}),
    "texts": lambda: ["x" * 100_000] * 3000,
    "bytes": lambda: [b"\xff" * 20_000] * 3000,
    "hashed texts": lambda: [{"mail": "x" * 100_000}] * 3000,
    "lists of Arrow": lambda: pa.array([list(range(1000))] * 10_000),
    "lists of Polars": lambda: pl.Series([list(range(1000))] * 10_000),
    "array": lambda: [np.ones(3_000_000)] * 100,
}


@pytest.mark.parametrize("kind", GRAPHS)
@pytest.mark.parametrize("protection", [PROTECTION, Protection()], ids=["protected", "open"])
def test_a_conversion_is_bounded(kind: str, protection: Protection) -> None:
    conversion = Conversion(protection)
    cells = [conversion.cell(GRAPHS[kind]()) for _ in range(3)]
    assert -MAX_DEPTH - 1000 <= conversion.nodes_left < MAX_NODES
    assert len(str(cells)) < 3 * (MAX_CHARACTERS + 100)
    assert protection is not PROTECTION or SECRET not in str(cells)


@pytest.mark.parametrize("settings", [{"mask": "name"}, {}], ids=["protected", "open"])
def test_a_call_looks_at_a_bounded_number_of_values(tmp_path: Path, settings: dict[str, Any]) -> None:
    made = recorder(tmp_path / "spool", folder=tmp_path / "out", **settings)
    Endless.looks = 0
    value = Endless()
    assert (
        made.record({"a": value, "b": [value], "c": value}, value, value, error=value, extra={"d": value}) is not None
    )
    assert 0 < Endless.looks <= MAX_NODES + MAX_CLASSES + MAX_DEPTH + 10
    Endless.looks = 0
    assert made.record_batch({"a": [value] * 5, "b": [1.0] * 5}) == 5
    assert 0 < Endless.looks <= 5 * (MAX_NODES + MAX_DEPTH + 10)
    made.close(0.0)


@pytest.mark.parametrize("settings", [{"mask": "name"}, {}], ids=["protected", "open"])
def test_features_that_never_end_lose_their_row_alone(tmp_path: Path, settings: dict[str, Any]) -> None:
    made = recorder(tmp_path / "spool", folder=tmp_path / "out", **settings)
    Endless.looks = 0
    assert made.record(Endless()) is None
    assert made.record_batch(Endless()) == 0
    assert made.record_batch([Endless()]) == 0
    assert 0 < Endless.looks <= 3 * (MAX_COLUMNS + 1) + MAX_NODES
    assert made.record({f"x{number}": 1.0 for number in range(MAX_COLUMNS)}) is not None
    assert made.close(60.0)
    assert made.stats().lost == 3
    assert len(recorded_rows(tmp_path / "out")) == 1


def test_long_texts_keep_digests_that_tell_them_apart() -> None:
    texts = ["x" * MAX_CHARACTERS, "x" * (MAX_CHARACTERS + 1), "x" * 100_000, "x" * 100_001, "x" * 99_999 + "y"]
    assert len({plain_value(text) for text in texts}) == len(texts)
    arrays = [np.zeros(20_000), np.zeros(20_001), np.zeros((200, 100)), np.arange(20_000.0), np.arange(40_000.0)[::2]]
    assert len({plain_value(array) for array in arrays}) == len(arrays)


def test_cells_that_were_not_read_are_marked() -> None:
    for cells in (pa.array([[1] * 1000] * 1000), pl.Series([[1] * 1000] * 1000), pa.array([[1] * 100_000])):
        cell = Conversion(nodes=10**6).cell([cells])
        assert UNREADABLE in str(containers.reader_of(type(cells))(cells))  # type: ignore[misc]
        assert cell.__class__ is str


def test_what_was_not_visited_is_marked() -> None:
    assert plain_value(circle()) == f'{{"a": "{UNREADABLE}", "b": "{UNREADABLE}"}}'
    conversion = Conversion()
    assert conversion.cell([{"a": number} for number in range(100_000)]).startswith('[{"a": 0}, {"a": 1}')
    assert conversion.cell({"a": {"b": 1}}) == UNREADABLE
    assert Conversion(nodes=2).cell({"a": 1, "b": 2}) == f'{{"a": 1, "{REST}": "{UNREADABLE}"}}'


def test_names_of_columns_that_are_cells_are_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame([[1.0]], columns=pd.Index([SECRET], name="name"))
    made = recorder(tmp_path / "spool", folder=tmp_path / "out", mask="name")
    assert made.record_batch(frame) == 0
    assert made.record_batch({"x": frame}) == 1
    assert made.close(60.0)
    assert [row["x"] for row in recorded_rows(tmp_path / "out")] == [[1.0]]


def test_a_hash_is_the_same_however_a_column_is_named(tmp_path: Path) -> None:
    made = recorder(tmp_path / "spool", folder=tmp_path / "out", hash="mail", hash_key="k")
    made.record({"mail": "a@b.c"})
    made.record(dict[Any, Any]({b"mail": "a@b.c"}))
    made.record_batch({b"mail": ["a@b.c"], "number": pd.Series([1.0])})
    made.record_batch(pd.DataFrame({"mail": ["a@b.c"]}))
    assert made.close(60.0)
    assert {row["mail"] for row in recorded_rows(tmp_path / "out")} == {hash_cell("a@b.c", b"k")}
