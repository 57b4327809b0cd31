"""Arrow columns as numbers, texts, codes and hashes: the one place that defines what each kind of cell means.

Numbers: integers and decimals become float64; ``true`` is 1; dates and times are seconds since the epoch (UTC), times
of day and durations seconds; text that reads as a number is one. Missing: empty cells, NaN, and ``MISSING_WORDS``.
Nested and binary cells are not numbers. Texts: ``true`` and ``false``, ``1`` for 1.0 (float or decimal), ISO for dates.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from ..stats.arrays import Bools, Floats, Hashes, Ints
from ..timeutil import DAY

MAX_ESCAPED_BYTES = 64
"""Of a binary cell that is no text."""
MAX_MIXED_BYTES = 64
"""Bytes of a text that are hashed one by one; a digest represents the rest of a longer one."""
MAX_CELL_BYTES, HEAD_CHARACTERS, DIGEST_CHARACTERS = 4096, 1000, 16
"""A text with more bytes becomes so many of its characters and so many of its digest: work is bounded by rows."""
_PRIME = np.uint64(0x100000001B3)
_OFFSET = np.uint64(0xCBF29CE484222325)
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_INFINITY_WORDS = frozenset({"inf", "infinity", "+inf", "+infinity", "-inf", "-infinity"})
MISSING_WORDS = frozenset(
    (
        *("", "NA", "N/A", "n/a", "<NA>", "#N/A", "#N/A N/A", "#NA", "None", "NULL", "null", "NaT"),
        *("NaN", "nan", "+nan", "-nan", "-NaN", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    )
)
"""What programs write into an empty cell: those that ``pandas.read_csv`` knows, and NaT. Not ``none``, which can be a
category."""
CLASS_MISSING_WORDS = MISSING_WORDS - {"None", "NULL", "null", "NA", "N/A", "n/a"}
"""The same in a column of classes, where these can be classes."""
_CODE = re.compile(r"[A-Z]{2,4}")
Rename = Callable[[str], str]
_UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


def parse_numbers(array: Any) -> tuple[Floats, int, int]:
    """The numbers in an Arrow array (with NaN and infinities), and how many cells are missing, and how many neither."""
    nulls = array.null_count
    array = decode_dictionary(array)
    if array.null_count:
        array = array.drop_null()
    values, is_other = _valid_numbers(array)
    if not is_text_type(array.type):
        return (values, nulls, 0) if not is_other.any() else (np.zeros(0), nulls, len(array))
    is_number = ~np.isnan(values)
    other = int(is_other.sum())
    return values[is_number], nulls + len(values) - other - int(is_number.sum()), other


def read_numbers(array: Any) -> tuple[Floats, Bools]:
    """One number a row, NaN if the cell has none; and which cells are neither numbers nor missing."""
    array = decode_dictionary(array)
    values, is_other = _valid_numbers(array.drop_null() if array.null_count else array)
    return _spread_over_rows(values, array, np.nan), _spread_over_rows(is_other, array, False)


def floats_by_row(array: Any) -> Floats:
    """One number a row; NaN if the cell has none."""
    return read_numbers(array)[0]


def numbers_by_row(array: Any) -> Floats | None:
    """One number a row of an array of numbers or times, NaN if the cell has none; ``None`` for another type."""
    array = decode_dictionary(array)
    values = _to_floats(array.drop_null() if array.null_count else array)
    return None if values is None else _spread_over_rows(values, array, np.nan)


def _spread_over_rows(values: NDArray[Any], array: Any, missing: Any) -> NDArray[Any]:
    """The values of the cells of an array that are not null by row; ``missing`` where there is none."""
    if len(values) == len(array):
        return values
    by_row = np.full(len(array), missing, values.dtype)
    by_row[to_mask(array.is_valid())] = values
    return by_row


def count_texts(
    array: Any, rename: Rename | None = None, missing_words: frozenset[str] = MISSING_WORDS
) -> tuple[dict[str, int], int]:
    """How often each text occurs, and how many cells are missing; other arguments as in ``factorize``."""
    codes, texts = factorize(array, rename, missing_words)
    counts = np.bincount(codes + 1, minlength=len(texts) + 1)
    by_text = {text: count for text, count in zip(texts, counts[1:].tolist(), strict=True) if count}
    return by_text, int(counts[0])


def factorize(
    array: Any, rename: Rename | None = None, missing_words: frozenset[str] = MISSING_WORDS
) -> tuple[Ints, list[str]]:
    """One code a row into a list of different texts; -1 if the cell is missing.

    ``rename``: gives the name of a text; texts of one name share a code. ``missing_words``: texts that stand for an
    empty cell. ``NA`` does not where the other texts are short codes, such as those of countries.
    """
    import pyarrow as pa

    if not pa.types.is_dictionary(array.type):
        array = _to_encodable(array).dictionary_encode()
    texts, missing = _dictionary_texts(array.dictionary, missing_words)
    codes = np.full(len(array), -1, dtype=np.int64)
    valid = to_mask(array.indices.is_valid()) if array.indices.null_count else slice(None)
    codes[valid] = to_numpy(array.indices.drop_null() if array.indices.null_count else array.indices)
    if missing.any():
        codes = np.where(np.append(missing, False)[codes], -1, codes)
    names = texts if rename is None else list(map(rename, texts))
    number_of = {name: number for number, name in enumerate(dict.fromkeys(names))}
    if len(number_of) < len(names):
        codes = np.array([*(number_of[name] for name in names), -1], dtype=np.int64)[codes]
    return codes, list(number_of)


def texts_by_row(
    array: Any, missing: str | None, rename: Rename | None = None, missing_words: frozenset[str] = MISSING_WORDS
) -> NDArray[Any]:
    """One text a row, ``missing`` if the cell has none; other arguments as in ``factorize``."""
    codes, texts = factorize(array, rename, missing_words)
    return np.array([*texts, missing], dtype=object)[codes]


def shown_cells(array: Any) -> list[str | None]:
    """The cells of an Arrow array as text, to show them; ``None`` where one is empty."""
    cells: list[str | None] = texts_by_row(array, None, missing_words=frozenset()).tolist()
    return cells


def to_text(array: Any) -> Any:
    """An Arrow array of texts, one a row, null if the cell has none. Words for an empty cell stay."""
    import pyarrow as pa

    return pa.array(texts_by_row(array, None, missing_words=frozenset(("",))), pa.string())


def count_shapes(counts: dict[str, int]) -> dict[str, int]:
    """How often each shape of text occurs: digits become 9, capitals A and other letters a, each run once."""
    by_shape: dict[str, int] = {}
    for text, count in counts.items():
        shape = _shape(text[:200])
        by_shape[shape] = by_shape.get(shape, 0) + count
    return by_shape


@lru_cache(maxsize=1 << 14)
def _shape(text: str) -> str:
    signs = ["9" if char.isnumeric() else "A" if char.isupper() else "a" if char.isalpha() else char for char in text]
    return "".join(
        sign for sign, before in zip(signs, ["", *signs], strict=False) if sign != before or sign not in "9Aa"
    )


def is_text_type(kind: Any) -> bool:
    """Whether an Arrow type holds text."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_binary_type(kind: Any) -> bool:
    """Whether an Arrow type holds bytes, of any length or of one."""
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def to_arrow(values: NDArray[Any], missing: Bools | None = None) -> Any:
    """An Arrow array of 64-bit numbers. Not through ``pyarrow.array``, which imports pandas: half a second."""
    import pyarrow as pa

    kinds = {"i": pa.int64(), "u": pa.uint64(), "f": pa.float64()}
    valid = None if missing is None else pa.py_buffer(np.packbits(~missing, bitorder="little"))
    content = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(kinds[values.dtype.kind], len(values), [valid, content])


def to_numpy(array: Any) -> Any:
    """The numbers of an Arrow array without nulls. Not through ``to_numpy``, which imports pandas too."""
    return np.from_dlpack(array)


def to_mask(array: Any) -> Bools:
    """An Arrow array of booleans without nulls as a NumPy mask."""
    import pyarrow as pa

    mask: Bools = to_numpy(array.cast(pa.uint8())).view(np.bool_)
    return mask


def decode_dictionary(array: Any) -> Any:
    """The array without dictionary encoding."""
    import pyarrow as pa

    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def plain_types(batch: Any) -> Any:
    """A record batch without extension types, such as UUID and JSON: each becomes its text. Views, for which Arrow
    lacks functions, become plain texts and bytes."""
    import pyarrow as pa

    views = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    for place, field in enumerate(batch.schema):
        if isinstance(field.type, pa.BaseExtensionType):
            column = batch.column(place)
            if is_text_type(column.type.storage_type):
                cells = column.storage
            else:
                cells = pa.array([None if cell is None else str(cell) for cell in column.to_pylist()], pa.string())
            batch = batch.set_column(place, field.name, cells)
        elif field.type in views:
            batch = batch.set_column(place, field.name, batch.column(place).cast(views[field.type]))
    return batch


def shorten_texts(batch: Any) -> Any:
    """A record batch in which each long text is its beginning and a digest of the whole."""
    for place, field in enumerate(batch.schema):
        if is_text_type(field.type):
            column = batch.column(place)
            shorter = _shorten_column(column)
            if shorter is not column:
                batch = batch.set_column(place, field.name, shorter)
    return batch


def _shorten_column(array: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(array.type):
        texts = _shorten_column(array.dictionary)
        return array if texts is array.dictionary else pa.DictionaryArray.from_arrays(array.indices, texts)
    plain = array.cast(pa.large_string()) if pa.types.is_string_view(array.type) else array
    rows = [row for row in np.flatnonzero(_byte_lengths(plain) > MAX_CELL_BYTES).tolist() if plain[row].is_valid]
    if not rows:
        return array
    import pyarrow.compute as pc

    is_long = np.zeros(len(plain), np.bool_)
    is_long[rows] = True
    short = [_shorten(plain[row].as_buffer()) for row in rows]
    return pc.replace_with_mask(plain, pa.array(is_long), pa.array(short, plain.type))


def _byte_lengths(texts: Any) -> Ints:
    """Of each text of an array with offsets. Not through ``pyarrow.compute``, which takes long to import."""
    import pyarrow as pa

    offsets = texts.buffers()[1]
    if offsets is None or not len(texts):
        return np.zeros(0, np.int64)
    width = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    ends = np.frombuffer(offsets, dtype=width)[texts.offset : texts.offset + len(texts) + 1]
    wide: Ints = ends.astype(np.int64)
    return wide[1:] - wide[:-1]


def _shorten(text: Any) -> str:
    """``text``: a buffer of UTF-8."""
    head = bytes(text[: 4 * HEAD_CHARACTERS]).decode("utf-8", "ignore")[:HEAD_CHARACTERS]
    return f"{head}~{hashlib.sha256(text).hexdigest()[:DIGEST_CHARACTERS]}"


def column_or_nulls(batch: Any, name: str) -> Any:
    """A column of a record batch; nulls if the batch lacks it."""
    import pyarrow as pa

    return batch.column(name) if name in batch.schema.names else pa.nulls(batch.num_rows)


def release_unused_memory() -> None:
    """Give back what Arrow keeps for later: reading leaves behind more than most profiles take."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def parse_number_or_nan(cell: str) -> float:
    """The number that a text reads as, as in a column of numbers."""
    cell = cell.strip()
    is_number = re.match(_NUMBER, cell) or cell.lower() in _INFINITY_WORDS
    return float(cell) if is_number else np.nan


def hash_ids(array: Any) -> tuple[Hashes, int]:
    """A hash for each row that has an id, in order, and how many rows have none.

    The hash depends on the value alone: two equal ids have the same hash in every process. Two different ones share a
    hash with a probability of 2^-64.
    """
    import pyarrow as pa

    array = decode_dictionary(array)
    missing = array.null_count
    array = array.drop_null()
    if pa.types.is_integer(array.type):
        return splitmix64(to_numpy(array.cast(pa.int64(), safe=False)).view(np.uint64)), missing
    if not (is_text_type(array.type) or is_binary_type(array.type)):
        array = pa.array([str(cell) for cell in array.to_pylist()], pa.string())
    return _fnv1a(array.cast(pa.large_binary())), missing


def hash_by_row(ids: Any) -> tuple[Hashes, Bools]:
    """By row the hash of the id's text, so that 7 in one table equals ``"7"`` in another, and whether it has an id."""
    import pyarrow as pa

    ids = decode_dictionary(ids)
    if is_binary_type(ids.type):
        ids = pa.array([cell if cell is None else _id_bytes(cell) for cell in ids.to_pylist()], pa.large_binary())
    elif pa.types.is_floating(ids.type) or pa.types.is_decimal(ids.type) or pa.types.is_nested(ids.type):
        ids = to_text(ids)
    elif not is_text_type(ids.type):
        ids = ids.cast(pa.string())
    valid = to_mask(ids.is_valid())
    hashes = np.zeros(len(ids), dtype=np.uint64)
    hashes[valid] = hash_ids(ids)[0]
    return hashes, valid


def _id_bytes(cell: bytes) -> bytes:
    """The bytes of an id's text: of 16 bytes that are no text (no UUID of RFC 9562 is ASCII) the UUID, as text."""
    is_uuid = len(cell) == 16 and not (cell.isascii() and cell.decode().isprintable())
    return str(UUID(bytes=cell)).encode() if is_uuid else cell


def splitmix64(values: Hashes) -> Hashes:
    """The finalizer of SplitMix64 (Steele, Lea and Flood 2014): a bijection that spreads neighbours."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _to_floats(array: Any) -> Floats | None:
    """An array of numbers or times, without nulls, as float64; ``None`` for another type."""
    import pyarrow as pa

    kind, is_ = array.type, pa.types
    values: Floats
    if is_.is_float64(kind):  # no cast: that alone imports pyarrow.compute
        values = to_numpy(array)
    elif is_.is_decimal(kind):
        values = _decimals_to_floats(array)
    elif is_.is_floating(kind) or is_.is_integer(kind):
        values = to_numpy(array.cast(pa.float64(), safe=False))
    elif is_.is_boolean(kind):
        values = to_numpy(array.cast(pa.uint8())).astype(np.float64)
    elif is_.is_date32(kind):
        values = to_numpy(array.cast(pa.int32())) * DAY
    elif is_.is_time32(kind):
        values = to_numpy(array.cast(pa.int32())) / _UNITS[kind.unit]
    elif is_.is_temporal(kind) and not is_.is_interval(kind):
        values = to_numpy(array.cast(pa.int64())) / (1e3 if is_.is_date64(kind) else _UNITS[kind.unit])
    elif is_.is_null(kind):
        values = np.full(len(array), np.nan)
    else:
        return None
    return values


def _decimals_to_floats(array: Any) -> Floats:
    """The float64 next to each decimal. Arrow's cast is off by a bit: of 0.6 it makes 0.6000000000000001."""
    import pyarrow as pa

    scale = array.type.scale
    if array.type.precision <= 38:
        whole = array.cast(pa.decimal128(38, scale))
        words = np.frombuffer(whole.buffers()[1] or b"", np.int64).reshape(-1, 2)[whole.offset :][: len(whole)]
        low, high = words[:, 0], words[:, 1]
        if 0 <= scale <= 22 and (high == low >> 63).all() and (low < 2**53).all() and (low > -(2**53)).all():
            return np.asarray(low / 10.0**scale)  # both are exact, so the quotient is rounded once
    return np.array([float(cell) for cell in array.to_pylist()], dtype=np.float64)


def _valid_numbers(array: Any) -> tuple[Floats, Bools]:
    """The numbers in an array without nulls, NaN for other cells, and which of these are not missing either."""
    values = _to_floats(array)
    if values is not None:
        return values, np.zeros(len(array), dtype=np.bool_)
    if is_text_type(array.type):
        return _numbers_in_text(array)
    return np.full(len(array), np.nan), np.ones(len(array), dtype=np.bool_)


def _numbers_in_text(array: Any) -> tuple[Floats, Bools]:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return to_numpy(array.cast(pa.float64())), np.zeros(len(array), dtype=np.bool_)
    except pa.ArrowInvalid:
        trimmed = pc.utf8_trim_whitespace(array)
    is_number = pc.match_substring_regex(trimmed, _NUMBER)
    values, is_other = np.full(len(array), np.nan), np.zeros(len(array), dtype=np.bool_)
    numbers = to_mask(is_number)
    values[numbers] = [float(cell) for cell in trimmed.filter(is_number).to_pylist()]
    words = trimmed.filter(pc.invert(is_number)).to_pylist()
    values[~numbers] = [float(word) if word.lower() in _INFINITY_WORDS else np.nan for word in words]
    is_other[~numbers] = [
        word not in MISSING_WORDS and word.lower() != "nan" and word.lower() not in _INFINITY_WORDS for word in words
    ]
    return values, is_other


def _to_encodable(array: Any) -> Any:
    """An array that ``dictionary_encode`` accepts: nested cells as text, 0.0 without a sign."""
    import pyarrow as pa

    if pa.types.is_nested(array.type):
        return pa.array([None if cell is None else str(cell) for cell in array.to_pylist()], pa.string())
    if pa.types.is_floating(array.type):
        values = to_numpy(array.cast(pa.float64()).fill_null(np.nan)) + 0.0
        return to_arrow(values, missing=np.isnan(values))
    return array


def _dictionary_texts(values: Any, missing_words: frozenset[str]) -> tuple[list[str], Bools]:
    """The entries of a dictionary as text, and which of them mean a missing cell."""

    kind = values.type
    if is_text_type(kind):
        cells = values.to_pylist()
    elif is_binary_type(kind):
        cells = [None if cell is None else _bytes_text(cell) for cell in values.to_pylist()]
    else:
        cells = _cast_or_str(values)
    if "NA" in cells and "NA" in missing_words and _are_codes({*cells} - {None} - missing_words):
        missing_words -= {"NA"}
    missing = np.array([cell is None or cell.strip() in missing_words for cell in cells], dtype=np.bool_)
    return ["" if cell is None else cell for cell in cells], missing


def _are_codes(texts: set[str]) -> bool:
    """Whether most texts are short and in capitals: ``NA`` among them is Namibia, or North America."""
    return sum(_CODE.fullmatch(text) is not None for text in texts) > len(texts) / 2


def _bytes_text(cell: bytes) -> str:
    """The text in a binary cell. Of a picture, where escaping each byte takes long, a beginning and a digest."""
    try:
        return cell.decode("utf-8")
    except UnicodeDecodeError:
        head = cell[:MAX_ESCAPED_BYTES].decode("utf-8", "backslashreplace")
        return head if len(cell) <= MAX_ESCAPED_BYTES else f"{head}... {hashlib.sha256(cell).hexdigest()}"


def _cast_or_str(values: Any) -> list[str | None]:
    import pyarrow as pa

    kind = values.type
    try:
        texts: list[str | None] = values.cast(pa.string()).to_pylist()
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return [None if cell is None else str(cell) for cell in values.to_pylist()]
    if pa.types.is_decimal(kind):
        return [text and (text.rstrip("0").rstrip(".") if "." in text else text) for text in texts]
    if pa.types.is_floating(kind):
        return [None if text == "nan" else _without_exponent(text) if text and "e+" in text else text for text in texts]
    return texts


def _without_exponent(text: str) -> str:
    """A whole number as an integer column would write it, if a float can hold it exactly."""
    return str(int(float(text))) if float(text).is_integer() and abs(float(text)) < 2**53 else text


def _fnv1a(array: Any) -> Hashes:
    """FNV-1a over the bytes (Fowler, Noll and Vo), finished by ``splitmix64``."""
    count = len(array)
    if not count:
        return np.zeros(0, dtype=np.uint64)
    _, offsets, content = array.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + count + 1]
    text = np.frombuffer(content, dtype=np.uint8) if content is not None else np.zeros(0, dtype=np.uint8)
    lengths = np.diff(ends)
    hashes = np.full(count, _OFFSET)
    for position in range(min(int(lengths.max()), MAX_MIXED_BYTES)):
        rows = np.flatnonzero(lengths > position)
        if len(rows) == count:
            hashes = (hashes ^ text[ends[:-1] + position]) * _PRIME
        else:
            hashes[rows] = (hashes[rows] ^ text[ends[rows] + position]) * _PRIME
    for row in np.flatnonzero(lengths > MAX_MIXED_BYTES):
        rest = text[ends[row] + MAX_MIXED_BYTES : ends[row + 1]].tobytes()
        digest = hashlib.blake2b(rest, digest_size=8).digest()
        hashes[row] ^= np.uint64(int.from_bytes(digest, "big"))
    return splitmix64(hashes ^ lengths.astype(np.uint64))
