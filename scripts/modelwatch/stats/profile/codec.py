"""Profiles as bytes: NumPy's npz with a JSON header, the same bytes for the same profile.

The header holds everything that is text; counts and edges lie in three long arrays behind it, edges and places that
many profiles share only once. Reading needs only JSON and plain arrays: no pickles.
"""

from __future__ import annotations

import io
import json
import math
import threading
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from .bottom_k_sketches import MAX_TEXT_CHARACTERS, DistinctProfile, SampleProfile
from .categorical import CategoricalProfile
from .delays import BINS, DelayProfile
from .exact_sum import ExactSums
from .numeric import NumericProfile, ProfileMismatchError, count_type
from .table import ColumnProfile, Profile, ProfileKey, TableProfile

FORMAT = 1
COMPRESSION_LEVEL = 1
MAX_FILE_BYTES = 1 << 28
"""Of a file with a profile; the largest of our tests have 20 MB."""
MAX_UNPACKED_BYTES = 1 << 30
"""Bytes of a profile once it is unpacked; a file that holds more is none of ours."""
MAX_EXPANSION = 100
"""As above, per byte of the file and beyond ``FREE_BYTES``. Measured: 2 to 15."""
FREE_BYTES = 1 << 20
MAX_HEADER_VALUES = 8_000_000
"""Values in the JSON header; each takes about 60 bytes of memory once it is read."""
MAX_SPARSENESS = 4
"""Bins per one that is not empty up to which empty ones are written, too: the file is smaller, and sooner written."""
_ARRAYS = threading.Lock()
"""NumPy parses the heads of arrays with ``ast``, and CPython counts the depth of all threads that parse in one place:
two at once raise SystemError now and then (python/cpython#106905)."""
_NAMES = frozenset({"header.npy", "floats.npy", "ints.npy", "hashes.npy"})
_DECODING_ERRORS = (
    MemoryError,
    OverflowError,
    RecursionError,
    OSError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading raises where the bytes are something else."""


class _ArrayPool:
    """Arrays laid one behind the other."""

    def __init__(self) -> None:
        self._parts: list[NDArray[Any]] = []
        self._length = 0
        self._lowest = self._highest = 0

    def add(self, values: NDArray[Any]) -> list[int]:
        """Where they lie: first place, and the one behind the last."""
        if values.dtype.kind == "i" and len(values):
            self._lowest, self._highest = min(self._lowest, int(values.min())), max(self._highest, int(values.max()))
        self._parts.append(values)
        begin, self._length = self._length, self._length + len(values)
        return [begin, self._length]

    def concatenate(self, kind: type[Any]) -> NDArray[Any]:
        """All parts; integers of the smallest type that holds them."""
        parts, self._parts = self._parts, []
        if kind is np.int64 and self._lowest >= 0 and parts:
            kind = np.uint16 if self._highest < 1 << 16 else np.uint32 if self._highest < 1 << 32 else np.int64
        return np.concatenate(parts, dtype=kind, casting="unsafe") if parts else np.zeros(0, dtype=kind)


class _Writer:
    def __init__(self) -> None:
        self.pools = {"f": _ArrayPool(), "i": _ArrayPool(), "u": _ArrayPool()}
        """By the kind of their numbers."""
        self._edges: dict[bytes, list[int]] = {}
        self._edge_arrays: dict[int, tuple[Floats, list[int]]] = {}
        """By identity; the array is held so that no other one gets its identity."""
        self._all_places: dict[int, list[int]] = {}
        """By number of bins: 0, 1, 2 and so on."""
        self._vocabularies: dict[frozenset[str], int] = {}
        self.vocabularies: list[list[str]] = []

    def _encode(self, value: Any) -> Any:
        """The field of a profile as what JSON can hold; arrays go to their pool."""
        match value:
            case None | int() | str() | tuple():
                return value
            case float():
                return _none_if_nan(value)
            case np.ndarray():
                return self.pools[value.dtype.kind].add(value.ravel())
        raise TypeError(type(value).__name__)

    def _encode_fields(self, value: Any, **changed: Any) -> dict[str, Any]:
        names = (field.name for field in fields(value))
        return {name: self._encode(getattr(value, name)) for name in names if name not in changed} | changed

    def encode_table(self, key: ProfileKey, table: TableProfile) -> dict[str, Any]:
        """Field by field, since there are many: one a window, version and segment."""
        # Members that most tables do not have are left out where they are empty.
        optional = {
            "outputs": {name: _encode_sums(sums) for name, sums in sorted(table.outputs.items())},
            "distributions": {name: self._encode_numeric(part) for name, part in sorted(table.distributions.items())},
            "delays": None if table.delays is None else self._encode_delays(table.delays),
        }
        return {
            "window": key.window,
            "version": key.version,
            "segment": key.segment,
            "rows": table.rows,
            "columns": {name: self._encode_column(column) for name, column in sorted(table.columns.items())},
            "formats": {name: self._encode_categorical(shapes) for name, shapes in sorted(table.formats.items())},
            "pairs": None if table.pairs is None else self._encode_categorical(table.pairs),
            "scores": {name: self._encode_numeric(score) for name, score in sorted(table.scores.items())},
            "sums": {name: _encode_sums(sums) for name, sums in table.sums.items()},
            "ids": None if table.ids is None else self._encode_fields(table.ids),
            "oldest": _none_if_nan(table.oldest),
            "newest": _none_if_nan(table.newest),
            "samples": {
                name: self._encode_fields(sample, width=sample.width) for name, sample in sorted(table.samples.items())
            },
            **{name: parts for name, parts in optional.items() if parts},
        }

    def _encode_column(self, column: ColumnProfile) -> dict[str, Any]:
        if isinstance(column, NumericProfile):
            return self._encode_numeric(column)
        return self._encode_categorical(column)

    def _encode_categorical(self, profile: CategoricalProfile) -> dict[str, Any]:
        return {
            "vocabulary": self._vocabulary(profile.vocabulary),
            "bound": profile.bound,
            "counts": dict(profile.counts),
            "unseen": dict(profile.unseen),
            "other": profile.other,
            "missing": profile.missing,
        }

    def _encode_delays(self, delays: DelayProfile) -> dict[str, Any]:
        known = {name: self._encode_sparse(counts) for name, counts in sorted(delays.known.items())}
        record = {"known": known, "waiting": self._encode_sparse(delays.waiting), "untimed": delays.untimed}
        return record | ({"early": delays.early} if delays.early else {})

    def _encode_sparse(self, counts: NDArray[Any]) -> list[Any]:
        """The places that are filled, and what they hold."""
        filled = np.flatnonzero(counts)
        return [self.pools["i"].add(filled), self.pools["i"].add(counts[filled])]

    def _encode_numeric(self, profile: NumericProfile) -> dict[str, Any]:
        filled, counts = self._encode_counts(profile.counts)
        return {
            "edges": self._encode_edges(profile.edges),
            "filled": filled,
            "counts": counts,
            "n": profile.n,
            "missing": profile.missing,
            "infinite": [profile.infinite_low, profile.infinite_high],
            "low": _none_if_nan(profile.low),
            "high": _none_if_nan(profile.high),
            "other_types": profile.other_types,
            "outside": None,  # earlier versions expect it
        }

    def _encode_counts(self, counts: NDArray[Any]) -> tuple[list[int], list[int]]:
        """Places and counts of the bins that are not empty. Where few bins are empty, all come with their counts: the
        places are then the same for many profiles, and lie in the file once."""
        if MAX_SPARSENESS * int(np.count_nonzero(counts)) >= len(counts):
            if len(counts) not in self._all_places:
                self._all_places[len(counts)] = self.pools["i"].add(np.arange(len(counts)))
            return self._all_places[len(counts)], self.pools["i"].add(counts)
        filled = np.flatnonzero(counts).astype(np.min_scalar_type(len(counts)))
        return self.pools["i"].add(filled), self.pools["i"].add(counts[filled])

    def _encode_edges(self, edges: Floats) -> list[int]:
        """Edges that many profiles share come once; most share the array, too."""
        known = self._edge_arrays.get(id(edges))
        if known is None:
            content = edges.tobytes()
            if content not in self._edges:
                self._edges[content] = self._encode(edges)
            known = self._edge_arrays[id(edges)] = edges, self._edges[content]
        return known[1]

    def _vocabulary(self, names: frozenset[str]) -> int:
        if names not in self._vocabularies:
            self._vocabularies[names] = len(self.vocabularies)
            self.vocabularies.append(sorted(names))
        return self._vocabularies[names]


def to_bytes(profile: Profile, about: Mapping[str, Any] | None = None) -> bytes:
    """``about``: anything that JSON can hold, to travel along (origin, version, time of capture)."""
    import msgspec

    to_json, writer = msgspec.json.Encoder(order="sorted").encode, _Writer()
    # Each as bytes at once: all of them as objects take several times as much memory.
    cells = [to_json(writer.encode_table(cell, profile.cells[cell])) for cell in sorted(profile.cells)]
    header = {"format": FORMAT, "undated": profile.undated, "vocabularies": writer.vocabularies}
    begin = b'{"about":%b,"cells":[' % to_json(dict(about or {}))
    text = b"".join((begin, b",".join(cells), b"],", to_json(header)[1:]))
    members = {
        "header": np.frombuffer(text, dtype=np.uint8),
        "floats": writer.pools["f"].concatenate(np.float64),
        "ints": writer.pools["i"].concatenate(np.int64),
        "hashes": writer.pools["u"].concatenate(np.uint64),
    }
    del text, cells
    into = io.BytesIO()
    # As ``numpy.savez_compressed`` writes them, which has no choice of the level: its own takes ten times as long.
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL) as archive:
        for name in list(members):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, members.pop(name), allow_pickle=False)
    return into.getvalue()


def _encode_sums(sums: ExactSums) -> dict[str, Any]:
    """In hexadecimal: JSON's numbers may lose digits, and the decimal form is slow to make."""
    return {"n": sums.n, "totals": {name: None if total is None else hex(total) for name, total in sums.totals.items()}}


def _none_if_nan(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def from_bytes(content: bytes) -> tuple[Profile, dict[str, Any]]:
    """The profile and what travelled along. Raises ValueError for anything that ``to_bytes`` did not write."""
    try:
        _check_size(content)
        with _ARRAYS, np.load(io.BytesIO(content), allow_pickle=False) as file:
            header = json.loads(_checked_header(file["header"].tobytes()))
            reader = None if header.get("format") != FORMAT else _Reader(header, file)
        if reader is not None:
            cells = dict(reader.table(cell) for cell in header["cells"])
            return Profile(cells, header["undated"]), header["about"]
    except _DECODING_ERRORS as error:
        raise ValueError(f"this is no profile: {error}") from error
    raise ValueError(f"this profile has format {header.get('format')}; this version reads format {FORMAT}.")


def _check_size(content: bytes) -> None:
    """Before anything is unpacked: a small file may stand for terabytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        members = file.infolist()
    if {member.filename for member in members} != _NAMES or len(members) != len(_NAMES):
        raise ValueError("it holds something else.")
    if sum(member.file_size for member in members) > min(MAX_UNPACKED_BYTES, FREE_BYTES + MAX_EXPANSION * len(content)):
        raise ValueError("it is too large.")


def _checked_header(text: bytes) -> bytes:
    """Before it becomes objects."""
    if sum(text.count(mark) for mark in (b",", b"[", b"{")) > MAX_HEADER_VALUES:
        raise ValueError("its header is too large.")
    return text


class _Reader:
    def __init__(self, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        self.floats, self.hashes = arrays["floats"], arrays["hashes"]
        self.ints = arrays["ints"].astype(np.int64)
        self._words = [frozenset(words) for words in header["vocabularies"]]
        self._edges: dict[tuple[int, int], Floats] = {}

    def numeric(self, record: Mapping[str, Any]) -> NumericProfile:
        begin, end = record["edges"]
        edges = self._edges.setdefault((begin, end), self.floats[begin:end])
        counts = np.zeros(len(edges) + 1, dtype=np.int64)
        counts[self.ints[slice(*record["filled"])]] = self.ints[slice(*record["counts"])]
        if counts.sum() != record["n"]:
            raise ProfileMismatchError("its counts do not add up.")
        infinite_low, infinite_high = record["infinite"]
        low, high = _nan_if_none(record["low"]), _nan_if_none(record["high"])
        n, missing, other_types = record["n"], record["missing"], record["other_types"]
        counts = counts.astype(count_type(n))
        return NumericProfile(edges, counts, n, missing, infinite_low, infinite_high, low, high, other_types)

    def categorical(self, record: Mapping[str, Any]) -> CategoricalProfile:
        words = self._words[record["vocabulary"]]
        return CategoricalProfile(
            words, record["bound"], record["counts"], record["unseen"], record["other"], record["missing"]
        )

    def sample(self, record: Mapping[str, Any]) -> SampleProfile:
        hashes, width = self.hashes[slice(*record["hashes"])], record["width"]
        texts = tuple(str(text)[:MAX_TEXT_CHARACTERS] for text in record["texts"])
        rows = self.floats[slice(*record["rows"])].reshape(len(hashes), width)
        if width < 0 or (texts and len(texts) != len(hashes)):
            raise ProfileMismatchError("its sample is not whole.")
        return SampleProfile(hashes, rows, texts, record["n"], record["missing"], record["other_types"])

    def column(self, record: Mapping[str, Any]) -> ColumnProfile:
        return self.numeric(record) if "edges" in record else self.categorical(record)

    def ids(self, record: Mapping[str, Any]) -> DistinctProfile:
        hashes, counts = self.hashes[slice(*record["hashes"])], self.ints[slice(*record["counts"])]
        return DistinctProfile(hashes, counts, record["rows"], record["missing"], record["bound"])

    def table(self, record: Mapping[str, Any]) -> tuple[ProfileKey, TableProfile]:
        segment = tuple((name, value) for name, value in record["segment"])
        return ProfileKey(record["window"], record["version"], segment), TableProfile(
            record["rows"],
            {name: self.column(part) for name, part in record["columns"].items()},
            {name: self.categorical(part) for name, part in record["formats"].items()},
            None if record["pairs"] is None else self.categorical(record["pairs"]),
            {name: self.numeric(part) for name, part in record["scores"].items()},
            {name: _decode_sums(part) for name, part in record["sums"].items()},
            None if record["ids"] is None else self.ids(record["ids"]),
            _nan_if_none(record["oldest"]),
            _nan_if_none(record["newest"]),
            {name: self.sample(part) for name, part in record.get("samples", {}).items()},
            {name: _decode_sums(part) for name, part in record.get("outputs", {}).items()},
            {name: self.numeric(part) for name, part in record.get("distributions", {}).items()},
            self.delays(record["delays"]) if "delays" in record else None,
        )

    def delays(self, record: Mapping[str, Any]) -> DelayProfile:
        known = {name: self.sparse(part) for name, part in record["known"].items()}
        return DelayProfile(known, self.sparse(record["waiting"]), record["untimed"], record.get("early", 0))

    def sparse(self, record: tuple[Any, Any]) -> NDArray[np.int64]:
        counts = np.zeros(BINS, dtype=np.int64)
        places, held = (self.ints[slice(*part)] for part in record)
        if len(held) and held.min() < 0:
            raise ProfileMismatchError("a count of its delays is negative.")
        counts[places] = held
        return counts


def _decode_sums(record: Mapping[str, Any]) -> ExactSums:
    return ExactSums(
        record["n"], {name: None if text is None else int(text, 16) for name, text in record["totals"].items()}
    )


def _nan_if_none(value: float | None) -> float:
    return math.nan if value is None else float(value)
