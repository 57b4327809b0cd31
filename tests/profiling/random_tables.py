"""Random tables as programs write them: the rows that they mean, and files that say so in any type, word and format."""

from __future__ import annotations

import bz2
import csv
import datetime as dt
import gzip
import io
import json
import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

DAY = 86_400
START = 1_795_132_800
"""2026-11-20T00:00:00Z."""
COLUMNS = ("id", "time", "version", "region", "x", "kind", "prediction", "label")
Cells = list[Any]
Encoder = Callable[[Cells, random.Random], pa.Array]
"""Cells of one column, ``None`` where one is missing, as an Arrow array."""


def _moment(time: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(time, dt.UTC)


def _texts(spell: Callable[[Any], str], words: Sequence[str], kind: Any = None) -> Encoder:
    """Cells as text; a missing one is null or one of ``words``."""

    def encode(cells: Cells, chance: random.Random) -> pa.Array:
        texts = [chance.choice([None, *words]) if cell is None else spell(cell) for cell in cells]
        return pa.array(texts, pa.string()) if kind is None else pa.array(texts, pa.string()).cast(kind)

    return encode


def _typed(kind: Any, convert: Callable[[Any], Any] = lambda cell: cell) -> Encoder:
    return lambda cells, _: pa.array([None if cell is None else convert(cell) for cell in cells], kind)


def _floats(convert: Callable[[Any], float]) -> Encoder:
    def encode(cells: Cells, chance: random.Random) -> pa.Array:
        missing = chance.choice([None, float("nan")])
        return pa.array([missing if cell is None else convert(cell) for cell in cells], pa.float64(), from_pandas=False)

    return encode


def _dictionary(encode: Encoder) -> Encoder:
    return lambda cells, chance: encode(cells, chance).dictionary_encode()


def _timestamps(unit: str, zone: str | None) -> Encoder:
    def convert(time: int) -> int:
        return time * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]

    return lambda cells, _: pa.array([None if cell is None else convert(cell) for cell in cells], pa.int64()).cast(
        pa.timestamp(unit, zone)
    )


MISSING = ("", "nan", "NaN", "null", "None", "N/A", "<NA>", "#N/A", "NaT")
CLASS_MISSING = ("", "nan", "NaN", "<NA>", "#N/A", "NaT")
"""Of a prediction: other words can be classes."""
ZONES = (None, "UTC", "Asia/Tokyo")
TIMES: dict[str, Encoder] = {
    "iso": _texts(lambda time: f"{_moment(time):%Y-%m-%dT%H:%M:%SZ}", MISSING),
    "naive": _texts(lambda time: f"{_moment(time):%Y-%m-%d %H:%M:%S}", ("",)),
    "fractions": _texts(lambda time: f"{_moment(time):%Y-%m-%dT%H:%M:%S.000000000+00:00}", MISSING),
    "word": _texts(lambda time: f"{_moment(time):%Y-%m-%d %H:%M:%S} UTC", MISSING),
    "offset": _texts(lambda time: _moment(time).astimezone(dt.timezone(dt.timedelta(hours=5.5))).isoformat(), MISSING),
    "slashes": _texts(lambda time: f"{_moment(time):%Y/%m/%d %H:%M:%S} +0000", MISSING),
    "compact text": _texts(lambda time: f"{_moment(time):%Y%m%d%H%M%S}", MISSING),
    "compact": _typed(pa.int64(), lambda time: int(f"{_moment(time):%Y%m%d%H%M%S}")),
    "seconds": _typed(pa.int64()),
    "ms": _typed(pa.int64(), lambda time: time * 10**3),
    "us": _typed(pa.int64(), lambda time: time * 10**6),
    "ns": _typed(pa.int64(), lambda time: time * 10**9),
    "small": _typed(pa.uint32()),
    "floats": _floats(float),
    "number text": _texts(str, MISSING),
    "decimals": _typed(pa.decimal128(20, 3), Decimal),
    "excel": _floats(lambda time: time / DAY + 25_569),
    **{f"{unit} {zone}": _timestamps(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in ZONES},
    "dictionary": _dictionary(_texts(lambda time: f"{_moment(time):%Y-%m-%dT%H:%M:%SZ}", MISSING)),
    "large": _texts(lambda time: f"{_moment(time):%Y-%m-%dT%H:%M:%SZ}", MISSING, pa.large_string()),
    "view": _texts(lambda time: f"{_moment(time):%Y-%m-%dT%H:%M:%SZ}", MISSING, pa.string_view()),
}  # fmt: skip
DIGITS: dict[str, Encoder] = {
    "bool": _typed(pa.bool_(), bool),
    "int": _typed(pa.int64()),
    "byte": _typed(pa.uint8()),
    "float": _floats(float),
    "decimal": _typed(pa.decimal128(5, 2), Decimal),
    "digit": _texts(str, CLASS_MISSING),
    "point": _texts(lambda cell: f"{cell}.0", CLASS_MISSING),
    "space": _texts(lambda cell: f" {cell} ", CLASS_MISSING),
    "True": _texts(lambda cell: str(bool(cell)), CLASS_MISSING),
    "true": _texts(lambda cell: str(bool(cell)).lower(), CLASS_MISSING),
    "dictionary": _dictionary(_texts(str, CLASS_MISSING)),
    "large": _texts(str, CLASS_MISSING, pa.large_string()),
    "view": _texts(str, CLASS_MISSING, pa.string_view()),
    "bytes": _texts(str, ("",), pa.binary()),
}


def _words(*names: str) -> dict[str, Encoder]:
    return {
        "text": _texts(lambda cell: names[cell], CLASS_MISSING),
        "space": _texts(lambda cell: f"{names[cell]} ", CLASS_MISSING),
        "dictionary": _dictionary(_texts(lambda cell: names[cell], CLASS_MISSING)),
        "large": _texts(lambda cell: names[cell], CLASS_MISSING, pa.large_string()),
    }


CLASSES: dict[str, dict[str, Encoder]] = {"": DIGITS, "yes": _words("no", "yes"), "fraud": _words("legit", "fraud")}
"""By positive class: encoders that name the same two classes."""
NUMBERS: dict[str, Encoder] = {
    "float": _floats(float),
    "short": _typed(pa.float32()),
    "half": _typed(pa.float16()),
    "decimal": _typed(pa.decimal128(12, 2), lambda cell: Decimal(str(cell))),
    "text": _texts(repr, MISSING),
    "spaces": _texts(lambda cell: f" {cell} ", MISSING),
    "signs": _texts(lambda cell: f"{cell:+}", MISSING),
    "powers": _texts(lambda cell: f"{cell:e}", MISSING),
    "dictionary": _dictionary(_texts(repr, MISSING)),
    "view": _texts(repr, MISSING, pa.string_view()),
    "long": _typed(pa.float64()),
}
NAMES: dict[str, Encoder] = {
    "text": _texts(str, MISSING),
    "large": _texts(str, MISSING, pa.large_string()),
    "view": _texts(str, MISSING, pa.string_view()),
    "dictionary": _dictionary(_texts(str, MISSING)),
    "bytes": _texts(str, ("",), pa.binary()),
}
VERSIONS: dict[str, Encoder] = {
    "int": _typed(pa.int32(), int),
    "float": _floats(float),
    "text": _texts(str, MISSING),
    "dictionary": _dictionary(_texts(str, MISSING)),
    "decimal": _typed(pa.decimal128(6, 1), Decimal),
}
IDS: dict[str, Encoder] = {
    "int": _typed(pa.int64()),
    "float": _typed(pa.float64(), float),
    "decimal": _typed(pa.decimal128(10, 2), Decimal),
    "text": _texts(str, ()),
    "large": _texts(str, (), pa.large_string()),
    "dictionary": _dictionary(_texts(str, ())),
}
JUNK: dict[str, Encoder] = {
    "list": lambda cells, _: pa.array([[1, 2], None] * len(cells), pa.list_(pa.int64()))[: len(cells)],
    "floats": lambda cells, _: pa.array([[0.5, None]] * len(cells), pa.list_(pa.float32())),
    "struct": lambda cells, _: pa.array([{"a": 1, "b": None}] * len(cells)),
    "map": lambda cells, _: pa.array([[("a", 1)]] * len(cells), pa.map_(pa.string(), pa.int64())),
    "structs": lambda cells, _: pa.array([[{"a": "x"}]] * len(cells), pa.list_(pa.struct({"a": pa.string()}))),
    "uuid": lambda cells, _: pa.array([uuid.UUID(int=1).bytes] * len(cells), pa.binary(16)).cast(pa.uuid()),
    "json": lambda cells, _: pa.ExtensionArray.from_storage(pa.json_(), pa.array(["[1]"] * len(cells), pa.string())),
    "view": lambda cells, _: pa.array([[1]] * len(cells), pa.list_view(pa.int64())),
    "large": lambda cells, _: pa.array([[1]] * len(cells), pa.large_list(pa.int64())),
    "bytes": lambda cells, _: pa.array([b"x"] * len(cells), pa.binary_view()),
    "nulls": lambda cells, _: pa.nulls(len(cells)),
    "duration": lambda cells, _: pa.array([90] * len(cells), pa.duration("s")),
    "clock": lambda cells, _: pa.array([dt.time(1, 2)] * len(cells), pa.time64("us")),
    "date": lambda cells, _: pa.array([dt.date(2026, 11, 20)] * len(cells)),
    "picture": lambda cells, chance: pa.array([chance.randbytes(80) for _ in cells]),
    "text": lambda cells, chance: pa.array([chance.choice(["1,5", "4.5 EUR", "x" * 5000, 'a"\n']) for _ in cells]),
    "number": lambda cells, chance: pa.array([chance.choice([1, -1, 2**63 - 1, None]) for _ in cells], pa.int64()),
    "floats of all kinds": lambda cells, chance: pa.array(
        [chance.choice([0.0, -0.0, float("inf"), float("-inf"), float("nan"), 5e-324, 1.8e308]) for _ in cells]
    ),
}  # fmt: skip
TEXT_KINDS = {
    "time": ["iso", "naive", "fractions", "word", "offset", "slashes", "compact text", "ms", "number text", "excel"],
    "class": ["digit", "point", "space", "True", "true", "int", "float", "text"],
    "x": ["float", "text", "spaces", "signs", "powers"],
}  # fmt: skip
"""Encoders of which a CSV file can hold the cells."""
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": lambda content: content,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}
BROKEN: dict[str, bytes] = {
    "broken.parquet": b"PAR1 broken",
    "empty.parquet": b"",
    "empty.csv": b"",
    "nothing.csv.gz": b"\x1f\x8b\x08 truncated",
    "ragged.csv": b"time,x\n1,2\n1,2,3\n",
    "latin.csv": b"time,x\n1,Z\xfcrich\n",
    "wide.csv": "time,x\n1,2\n".encode("utf-16"),
    "twice.csv": b"time,x,x\n1,2,3\n",
    "picture.PARQUET": b"\x89PNG\r\n\x1a\n",
}


@dataclass
class RandomTable:
    """The rows that the files of a folder mean, in the order in which they are read."""

    rows: list[dict[str, Any]]
    """By column the cell that is meant: time in seconds, classes as 0 and 1, versions as text; ``None`` is missing."""
    positive: str
    broken: list[str] = field(default_factory=list)
    """Files that no program can read."""


@st.composite
def random_tables(draw: st.DrawFn, folder: Path, columns: Sequence[str] = COLUMNS) -> RandomTable:
    """Writes one to four files into ``folder``, and beside them what is to be left out."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    table = RandomTable([], draw(st.sampled_from(sorted(CLASSES))))
    for number in range(draw(st.integers(1, 4))):
        rows = [_row(chance, len(table.rows) + place) for place in range(draw(st.sampled_from([0, 1, 2, 7, 40])))]
        table.rows += draw(written_rows(folder, f"{number}", rows, table.positive, columns, lacking=number > 0))
    for name in draw(st.lists(st.sampled_from(sorted(BROKEN)), unique=True, max_size=2)):
        (folder / name).write_bytes(BROKEN[name])
        table.broken.append(name)
    if draw(st.booleans()):
        for hidden in ("_temporary", ".ipynb_checkpoints"):
            (folder / hidden).mkdir()
            pq.write_table(pa.table({"time": [START], "x": [1.0]}), folder / hidden / "0.parquet")
    return table


@st.composite
def written_rows(
    draw: st.DrawFn,
    folder: Path,
    name: str,
    rows: list[dict[str, Any]],
    positive: str,
    columns: Sequence[str],
    *,
    lacking: bool = False,
) -> list[dict[str, Any]]:
    """Writes a file, and returns the rows that it means. ``lacking``: it may lack columns."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    absent = {one for one in columns if lacking and one not in ("id", "time", "known") and chance.random() < 0.08}
    region = chance.choice(["eu", "a b", None])
    in_folder = "region" in columns and chance.random() < 0.15
    rows = [row | dict.fromkeys(absent) | ({"region": region} if in_folder else {}) for row in rows]
    text = draw(st.booleans())
    arrays = {
        one: _encode(draw, chance, one, positive, [row[one] for row in rows], text)
        for one in columns
        if one not in absent and not (in_folder and one == "region")
    }
    if not text:
        for one in draw(st.lists(st.sampled_from(["a", "b c", "ü/=*", "__index_level_0__"]), unique=True, max_size=2)):
            arrays[one] = JUNK[draw(st.sampled_from(sorted(JUNK)))](rows, chance)
    place = folder / (f"region={region or '__HIVE_DEFAULT_PARTITION__'}" if in_folder else f"part {int(name) % 2}")
    place.mkdir(parents=True, exist_ok=True)
    _write(draw, chance, place / name, arrays, text)
    return rows


@st.composite
def json_lines(draw: st.DrawFn, folder: Path) -> RandomTable:
    """Writes a file of JSON lines."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    rows = [_row(chance, place) for place in range(draw(st.integers(1, 40)))]
    table = RandomTable(rows, draw(st.sampled_from(sorted(CLASSES))))
    columns = {
        name: _encode(draw, chance, name, table.positive, [row[name] for row in rows], text=True) for name in COLUMNS
    }
    cells = zip(*(column.to_pylist() for column in columns.values()), strict=True)
    lines = [dict(zip(columns, row, strict=True)) | {"nested": {"a": [1, None]}} for row in cells]
    if draw(st.booleans()):
        lines[1:] = [{name: cell for name, cell in line.items() if cell is not None} for line in lines[1:]]
    text = "".join(f"{json.dumps(line, ensure_ascii=draw(st.booleans()))}\n" for line in lines)
    (folder / "log.jsonl").write_text(text.replace("NaN,", "null,").replace("NaN}", "null}"), "utf-8")
    return table


def _row(chance: random.Random, number: int) -> dict[str, Any]:
    def or_missing(cell: Any) -> Any:
        return None if chance.random() < 0.1 else cell

    label = chance.randrange(2)
    return {
        "id": number,
        "time": or_missing(START + chance.randrange(2 * DAY)),
        "version": or_missing(chance.choice(["1", "2"])),
        "region": or_missing(chance.choice(["eu", "a b", "ä=/"])),
        "x": or_missing(chance.randrange(-400, 400) / 4),
        "kind": or_missing(chance.choice(["car", "van", "Ünï", "a,b;c", 'say "x"'])),
        "label": or_missing(label),
        "prediction": or_missing(label if chance.random() < 0.7 else 1 - label),
    }


def _encode(draw: st.DrawFn, chance: random.Random, name: str, positive: str, cells: Cells, text: bool) -> pa.Array:
    encoders = {"time": TIMES, "known": TIMES, "x": NUMBERS, "version": VERSIONS, "id": IDS}.get(name, NAMES)
    if name in ("label", "prediction"):
        encoders = CLASSES[positive]
    if all(cell is None for cell in cells) and not text and chance.random() < 0.5:
        return pa.nulls(len(cells))
    kind = "class" if name in ("label", "prediction") else "time" if name == "known" else name
    usable = TEXT_KINDS.get(kind, ["text"]) if text else sorted(encoders)
    return encoders[draw(st.sampled_from([one for one in usable if one in encoders]))](cells, chance)


def _write(draw: st.DrawFn, chance: random.Random, place: Path, arrays: dict[str, pa.Array], text: bool) -> None:
    names = list(arrays)
    chance.shuffle(names)
    if not text:
        codec = draw(st.sampled_from(["snappy", "zstd", "none"]))
        table = pa.table({name: arrays[name] for name in names})
        suffix = draw(st.sampled_from([".parquet", ".pq", ".PARQUET"]))
        pq.write_table(table, f"{place}{suffix}", row_group_size=chance.choice([1, 5, 1000]), compression=codec)
        return
    kind = draw(st.sampled_from([".csv", ".tsv", ".CSV"]))
    content = io.StringIO(newline="")
    writer = csv.writer(
        content,
        delimiter="\t" if kind == ".tsv" else draw(st.sampled_from([",", ";", "|"])),
        quoting=csv.QUOTE_ALL if draw(st.booleans()) else csv.QUOTE_MINIMAL,
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
    )
    writer.writerow(names)
    for row in zip(*(arrays[name].to_pylist() for name in names), strict=True):
        writer.writerow(["" if cell is None else cell for cell in row])
    packed = draw(st.sampled_from(sorted(PACKED)))
    head = draw(st.sampled_from(["", "\ufeff"]))
    Path(f"{place}{kind}{packed}").write_bytes(PACKED[packed]((head + content.getvalue()).encode()))
