"""What a value of a known type holds: its parts by name, its items, or the plain value that it stands for.

Types are known by protocol (mappings, sequences, sets and views of the standard library, data classes, named tuples)
or by the name of a class of a library among their bases, so that none is imported. Nothing asks the value itself: an
object that pretends, such as a mock or a proxy, has the type that it has. No reader calls a method of a user's class,
but those of ``Mapping``, ``Sequence`` and ``Set``, and no reader goes deeper than one level, or looks at more than
``MAX_ITEMS`` parts: ``conversion`` does, and counts.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, ItemsView, Iterable, Mapping, Sequence, Set, ValuesView
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from itertools import chain, islice
from typing import Any, NamedTuple, cast

from .values import HEAD_CHARACTERS, MAX_CHARACTERS, MAX_NUMBERS, UNREADABLE

MAX_ITEMS = MAX_NUMBERS + 1
"""Of a column or a series, which tells a list of numbers from one that is too long."""
MAX_ARROW_BYTES = 131_072
"""Of the cells of an array of Arrow or Polars that become objects."""
DIGESTED_NUMBERS = 4096
"""At both ends of a long array."""
FRAME_COST = 24
MISSING_TEXTS = ("NaT", "<NA>")
NUMBERS = "iufbMm"
"""NumPy's kinds of labels that are no names."""


class Part(NamedTuple):
    label: Any
    value: Any
    aliases: tuple[str, ...] = ()
    """Further names of the part, such as those that a model has in JSON."""


@dataclass(frozen=True, slots=True)
class Parts:
    """By label. ``names``: of the whole, such as that of a series. ``label_names``: of what the labels are themselves,
    such as the index of a data frame. ``cost``: of the whole, and of each part, in values of a mapping."""

    parts: Iterable[Part]
    names: tuple[Any, ...] = ()
    label_names: tuple[Any, ...] = ()
    cost: int = 1


@dataclass(frozen=True, slots=True)
class Items:
    items: Iterable[Any]


@dataclass(frozen=True, slots=True)
class Plain:
    """A scalar, or lists of scalars, at any depth, with nothing that could have a name. ``size``: how many scalars."""

    value: Any
    size: int = 1


@dataclass(frozen=True, slots=True)
class Inner:
    """The value that another one stands for: that of an enumeration, the array of a series. ``names``: as of
    ``Parts``."""

    value: Any
    names: tuple[Any, ...] = ()


Content = Parts | Items | Plain | Inner
Reader = Callable[[Any], Content]


def _find_reader(kind: type) -> Reader | None:
    """The order counts: what has names is read by them, also where it is a sequence, too."""
    if issubclass(kind, Enum):
        return lambda value: Inner(value.value)
    if issubclass(kind, type):
        return None
    for base in kind.__mro__:
        reader = _LIBRARIES.get((base.__module__.partition(".")[0], base.__name__))
        if reader is not None:
            return reader
    if issubclass(kind, bool | int | float | str | bytes | bytearray | Decimal | datetime | date | time | timedelta):
        return _read_scalar
    if dataclasses.is_dataclass(kind):
        return _read_data_class
    if hasattr(kind, "__attrs_attrs__"):
        return _read_attrs
    if issubclass(kind, Mapping):
        return _read_mapping
    if issubclass(kind, ItemsView):
        return _read_pairs
    if issubclass(kind, Sequence) and hasattr(kind, "_fields"):
        return _read_named_tuple
    if issubclass(kind, tuple) and kind is not tuple:  # such as a struct_time: what its places mean is not known
        return None
    if issubclass(kind, Sequence | Set | ValuesView):
        return Items
    if hasattr(kind, "__dlpack__") and hasattr(kind, "tolist"):  # an array of numbers by the array API standard
        return lambda value: Inner(value.tolist())
    return None


reader_of = cast("Callable[[type], Reader | None]", lru_cache(maxsize=512)(_find_reader))
"""How the content of values of a type is read; ``None`` for an unknown type. Readers raise whatever a value does."""


def _read_scalar(value: Any) -> Plain:
    """Of a type that is, or derives from, a plain one."""
    if isinstance(value, bool | int):
        return Plain(bool(value) if isinstance(value, bool) else int(value))
    if isinstance(value, float):
        return Plain(float(value))
    if isinstance(value, str):
        return Plain(str.__str__(value))
    if isinstance(value, bytes | bytearray):
        return _read_bytes(bytes(value[: 4 * MAX_CHARACTERS]))
    if isinstance(value, Decimal):
        return Plain(None if value.is_nan() else float(value))
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return Plain(None if math.isnan(seconds) else seconds)
    text = value.isoformat()
    return Plain(None if text in MISSING_TEXTS else text)


def _read_bytes(value: bytes) -> Plain:
    try:
        return Plain(value.decode(), 1 + len(value) // 16)
    except UnicodeDecodeError:  # slow to write, byte by byte
        head = value[:HEAD_CHARACTERS]
        return Plain(head.decode("utf-8", "backslashreplace"), 1 + 4 * len(head))


def _read_text(value: Any) -> Plain:
    """Of a type whose text is all that it holds."""
    text = str(value)
    return Plain(None if text in MISSING_TEXTS else text)


def _read_mapping(value: Any) -> Parts:
    return Parts(Part(*pair) for pair in value.items())


def _read_pairs(value: Any) -> Parts:
    return Parts(Part(*pair) for pair in value)


def _read_data_class(value: Any) -> Parts:
    return Parts(Part(field.name, getattr(value, field.name, None)) for field in dataclasses.fields(value))


def _read_attrs(value: Any) -> Parts:
    fields = type(value).__attrs_attrs__
    return Parts(Part(field.name, getattr(value, field.name, None), _texts(field.alias)) for field in fields)


def _read_named_tuple(value: Any) -> Parts:
    """Also a row of SQLAlchemy."""
    return Parts(Part(name, cell) for name, cell in zip(value._fields, value, strict=True))


def _read_spark_row(value: Any) -> Parts | Items:
    names = getattr(value, "__fields__", None)
    if names is None:
        return Items(tuple(value))
    return Parts(Part(name, cell) for name, cell in zip(names, value, strict=True))


def _read_pydantic(value: Any) -> Parts:
    """The fields of a model, not what its own serializers make of them."""
    kind = type(value)
    cells: dict[str, Any] = value.__dict__
    fields = getattr(kind, "model_fields", None) or getattr(kind, "__fields__", {})
    parts = [Part(name, cells.get(name), _pydantic_aliases(field)) for name, field in fields.items()]
    extra = getattr(value, "__pydantic_extra__", None) or {}
    return Parts([*parts, *(Part(name, cell) for name, cell in islice(extra.items(), MAX_ITEMS))])


def _pydantic_aliases(field: Any) -> tuple[str, ...]:
    aliases = [getattr(field, name, None) for name in ("alias", "validation_alias", "serialization_alias")]
    aliases += getattr(aliases[1], "choices", ())
    return _texts(*aliases)


def _read_msgspec(value: Any) -> Parts:
    kind = type(value)
    names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    return Parts(Part(name, getattr(value, name, None), (encoded,)) for name, encoded in names)


def _read_numpy_scalar(value: Any) -> Content:
    kind = value.dtype.kind
    if kind == "V" and value.dtype.names:
        return Parts(Part(name, value[name]) for name in value.dtype.names)
    if kind == "M":
        return _read_text(value)
    if kind == "m":
        return Inner(value.astype("m8[us]").item())
    return Plain(float(value)) if kind == "f" else Inner(value.item())


def _read_numpy_array(value: Any) -> Content:
    if value.dtype.names:
        return Parts(Part(name, value[name]) for name in value.dtype.names)
    if value.dtype.kind in "fiub":
        if value.size > MAX_NUMBERS:
            return Plain(_array_text(value), DIGESTED_NUMBERS // 4)
        return Plain((value.astype(float) if value.dtype.itemsize > 8 else value).tolist(), value.size)
    return Items(value) if value.ndim else Inner(value.item())


def _array_text(value: Any) -> str:
    """A long array of numbers: its beginning, and a digest of its shape and both ends."""
    import hashlib

    digest = hashlib.sha256(str(value.shape).encode())
    for end in (value.flat[:DIGESTED_NUMBERS], value.flat[-DIGESTED_NUMBERS:]):
        digest.update(end.tobytes())
    return f"{str(value.flat[:100].tolist())[:-1]}~{digest.hexdigest()[:16]}"


def _read_pandas_series(value: Any) -> Parts | Inner:
    """By label where these are texts, such as of a row of a data frame."""
    if value.dtype.kind not in "fiub" or value.index.dtype.kind not in NUMBERS:
        value = value.iloc[:MAX_ITEMS]
    cells, index = value.to_numpy(), value.index
    if index.dtype.kind in NUMBERS:
        return Inner(cells, (value.name,))
    if cells.dtype.kind in "fiub":
        cells = cells[:MAX_ITEMS].tolist()
    parts = (Part(label, cell) for label, cell in zip(index[:MAX_ITEMS], cells, strict=True))
    return Parts(parts, (value.name,), tuple(index.names))


def _read_pandas_frame(value: Any) -> Parts:
    """Its columns, and the levels of its index that have a name."""
    value = value.iloc[:MAX_ITEMS]
    columns = (Part(label, value.iloc[:, place].to_numpy()) for place, label in enumerate(value.columns))
    levels = (
        Part(name, value.index.get_level_values(place).to_numpy())
        for place, name in enumerate(value.index.names)
        if name is not None
    )
    return Parts(chain(levels, columns), (), tuple(value.columns.names), FRAME_COST)


def _read_pandas_index(value: Any) -> Inner:
    return Inner(value[:MAX_ITEMS].to_numpy(), tuple(value.names))


def _read_polars_frame(value: Any) -> Parts:
    return Parts((Part(column.name, _polars_cells(column)) for column in value.get_columns()), cost=4)


def _read_polars_series(value: Any) -> Inner:
    return Inner(_polars_cells(value), (value.name,))


def _polars_cells(series: Any) -> list[Any]:
    head = series.head(MAX_ITEMS)
    while len(head) and head.estimated_size() > MAX_ARROW_BYTES:
        head = head.head(len(head) // 2)
    return _cut(head.to_list(), len(series))


def _read_arrow_table(value: Any) -> Parts:
    places = range(value.num_columns)
    parts = (Part(value.schema.field(place).name, _arrow_cells(value.column(place))) for place in places)
    return Parts(parts, cost=4)


def _arrow_cells(array: Any) -> list[Any]:
    head = array.slice(0, MAX_ITEMS)
    while len(head) and head.nbytes > MAX_ARROW_BYTES:
        head = head.slice(0, len(head) // 2)
    return _cut(head.to_pylist(), len(array))


def _cut(cells: list[Any], length: int) -> list[Any]:
    return cells if len(cells) == length else [*cells, UNREADABLE]


def _texts(*names: Any) -> tuple[str, ...]:
    return tuple(name for name in names if isinstance(name, str))


_LIBRARIES: dict[tuple[str, str], Reader] = {
    ("numpy", "generic"): _read_numpy_scalar,
    ("numpy", "ndarray"): _read_numpy_array,
    ("pandas", "Series"): _read_pandas_series,
    ("pandas", "DataFrame"): _read_pandas_frame,
    ("pandas", "Index"): _read_pandas_index,
    ("pandas", "ExtensionArray"): lambda value: Inner(value[:MAX_ITEMS].to_numpy()),
    ("pandas", "NAType"): _read_text,
    ("pandas", "Period"): _read_text,
    ("pandas", "Interval"): _read_text,
    ("polars", "DataFrame"): _read_polars_frame,
    ("polars", "Series"): _read_polars_series,
    ("pyarrow", "Table"): _read_arrow_table,
    ("pyarrow", "RecordBatch"): _read_arrow_table,
    ("pyarrow", "Array"): lambda value: Inner(_arrow_cells(value)),
    ("pyarrow", "ChunkedArray"): lambda value: Inner(_arrow_cells(value)),
    ("pyarrow", "Scalar"): lambda value: Inner(value.as_py()),
    ("pydantic", "BaseModel"): _read_pydantic,
    ("msgspec", "Struct"): _read_msgspec,
    ("uuid", "UUID"): _read_text,
    ("bson", "ObjectId"): _read_text,
    ("pathlib", "PurePath"): _read_text,
    ("fractions", "Fraction"): _read_text,
    ("builtins", "complex"): _read_text,
    ("ipaddress", "IPv4Address"): _read_text,
    ("ipaddress", "IPv6Address"): _read_text,
    ("pyspark", "Row"): _read_spark_row,
}
"""By the library and the name of a class; a class counts for those that derive from it, but for its own types first."""
