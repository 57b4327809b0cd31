"""A 64-bit hash of every id in a column, without a loop over the rows."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cells import decode_dictionary, is_text_type, to_numpy

Hashes = NDArray[np.uint64]

MAX_MIXED_BYTES = 64
"""Bytes of a text that are mixed in one by one; of a longer one a digest stands for the rest."""
_PRIME = np.uint64(0x100000001B3)
_OFFSET = np.uint64(0xCBF29CE484222325)


def hash_ids(array: Any) -> tuple[Hashes, int]:
    """A hash a row that has an id, in their order, and how many have none.

    Whole numbers and texts are told apart by value only: two ids that are equal have the same hash in every process.
    Two different ones share a hash with a probability of 2^-64.
    """
    import pyarrow as pa

    array = decode_dictionary(array)
    missing = array.null_count
    array = array.drop_null()
    if pa.types.is_integer(array.type):
        return splitmix64(to_numpy(array.cast(pa.int64(), safe=False)).view(np.uint64)), missing
    if not (is_text_type(array.type) or pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type)):
        array = pa.array([str(cell) for cell in array.to_pylist()], pa.string())
    return _fnv1a(array.cast(pa.large_binary())), missing


def splitmix64(values: Hashes) -> Hashes:
    """The finalizer of SplitMix64 (Steele, Lea and Flood 2014): a bijection that spreads neighbours."""
    found = values + np.uint64(0x9E3779B97F4A7C15)
    found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return found ^ (found >> np.uint64(31))


def _fnv1a(array: Any) -> Hashes:
    """FNV-1a over the bytes (Fowler, Noll and Vo), finished by ``mixed``."""
    count = len(array)
    if not count:
        return np.zeros(0, dtype=np.uint64)
    _, offsets, content = array.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + count + 1]
    text = np.frombuffer(content, dtype=np.uint8) if content is not None else np.zeros(0, dtype=np.uint8)
    lengths = np.diff(ends)
    found = np.full(count, _OFFSET)
    for place in range(min(int(lengths.max()), MAX_MIXED_BYTES)):
        rows = np.flatnonzero(lengths > place)
        every = len(rows) == count
        byte = text[ends[:-1] + place] if every else text[ends[rows] + place]
        if every:
            found = (found ^ byte) * _PRIME
        else:
            found[rows] = (found[rows] ^ byte) * _PRIME
    for row in np.flatnonzero(lengths > MAX_MIXED_BYTES):
        rest = text[ends[row] + MAX_MIXED_BYTES : ends[row + 1]].tobytes()
        digest = hashlib.blake2b(rest, digest_size=8).digest()
        found[row] ^= np.uint64(int.from_bytes(digest, "big"))
    return splitmix64(found ^ lengths.astype(np.uint64))
