"""Reference profiles (``baseline capture --from-table``) as the configuration sees them: whether they are ones, and
what columns they have. Read with the standard library alone; their numbers are nobody's business here."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass

PROFILE_FORMAT = 1
PROFILE_SUFFIX = ".npz"
ZIP_MAGIC = b"PK\x03\x04"
MAX_HEADER_BYTES = 200_000_000
"""Bytes of the header once unpacked."""
_NPY_MAGIC = b"\x93NUMPY"


@dataclass(frozen=True, slots=True)
class ProfileHeader:
    """``digest``: 16 hex characters over the content."""

    digest: str
    columns: frozenset[str]


def read_profile_header(data: bytes) -> ProfileHeader | str:
    """The profile; where it is none, why."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            if file.getinfo("header.npy").file_size > MAX_HEADER_BYTES:
                return "is too large"
            header = json.loads(_npy_content(file.read("header.npy")))
        if header["format"] != PROFILE_FORMAT:
            return (
                f"is a profile of format {header['format']}; this version of modelwatch reads format {PROFILE_FORMAT}"
            )
        columns = frozenset(str(name) for cell in header["cells"] for name in cell["columns"])
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, OSError, RuntimeError):
        return "is no profile: `modelwatch baseline capture --from-table` writes one"
    return ProfileHeader(hashlib.sha256(data).hexdigest()[:16], columns)


def _npy_content(array: bytes) -> bytes:
    """The content of an ``.npy`` file of bytes."""
    if not array.startswith(_NPY_MAGIC):
        raise ValueError("no array")
    long = array[6] >= 2
    length = int.from_bytes(array[8 : 12 if long else 10], "little")
    return array[(12 if long else 10) + length :]
