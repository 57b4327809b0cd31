"""Files that are no profiles, or were made to hurt: refused with one kind of error, before anything is unpacked."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from modelwatch.stats.profile.bottom_k_sketches import SampleProfile
from modelwatch.stats.profile.codec import FREE_BYTES, MAX_HEADER_VALUES, MAX_UNPACKED_BYTES, from_bytes, to_bytes
from modelwatch.stats.profile.numeric import NumericProfile
from modelwatch.stats.profile.table import Profile, ProfileKey, TableProfile

SAMPLE = SampleProfile.of(np.arange(5, dtype=np.uint64), np.ones((5, 3)))
NUMBERS = NumericProfile.of(np.array([0.5, 7.0]), np.array([0.0, 1.0]))
GOOD = Profile({ProfileKey(): TableProfile(5, {"x": NUMBERS}, samples={"v": SAMPLE})})


def packed(**changed: Any) -> bytes:
    with np.load(io.BytesIO(to_bytes(GOOD))) as file:
        arrays = {name: file[name] for name in file.files}
    into = io.BytesIO()
    np.savez_compressed(into, **{**arrays, **changed})
    return into.getvalue()


def header(of: str = "samples", name: str = "v", **changed: Any) -> Any:
    with np.load(io.BytesIO(to_bytes(GOOD))) as file:
        found = json.loads(file["header"].tobytes())
    found["cells"][0][of][name] |= changed
    return np.frombuffer(json.dumps(found).encode(), dtype=np.uint8)


def test_a_sample_comes_back() -> None:
    found, _ = from_bytes(packed())
    sample = found.whole().samples["v"]
    assert np.array_equal(sample.rows, SAMPLE.rows)
    assert to_bytes(found) == to_bytes(GOOD)
    numbers = found.whole().columns["x"]
    assert isinstance(numbers, NumericProfile)
    assert numbers.counts.tolist() == NUMBERS.counts.tolist()


def test_a_profile_of_an_earlier_version_is_read_and_adds_up() -> None:
    """It held exact sums of what lay beyond its range."""
    found, _ = from_bytes(packed(header=header("columns", "x", outside=[0.0, 1.0, "0x0", "0x1"])))
    assert to_bytes(found.merge(GOOD)) == to_bytes(GOOD.merge(GOOD))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x05\x06" + b"\0" * 18,
        to_bytes(GOOD)[:-30],
        packed(header=np.frombuffer(b"[" * 100_000, dtype=np.uint8)),
        packed(header=np.frombuffer(b'{"format": 1}', dtype=np.uint8)),
        packed(header=np.frombuffer(b"[]", dtype=np.uint8)),
        packed(header=header(width=1 << 60)),
        packed(header=header(width=-3)),
        packed(header=header(texts=["one"])),
        packed(header=header(rows=[0, 4])),
        packed(header=header(hashes="no")),
        packed(more=np.zeros(3)),
        packed(floats=np.array([print], dtype=object)),
    ],
)
def test_what_is_no_profile_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="this is no profile"):
        from_bytes(content)


@pytest.mark.parametrize("size", [MAX_UNPACKED_BYTES + 1, 2 * FREE_BYTES])
def test_a_small_file_that_unpacks_to_more_than_any_profile_is_refused(size: int) -> None:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("header.npy", "floats.npy", "ints.npy", "hashes.npy"):
            file.writestr(name, b"x")
    content = bytearray(into.getvalue())
    # The directory says how large a member is: so does this one.
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = size.to_bytes(4, "little")
    with pytest.raises(ValueError, match="too large"):
        from_bytes(bytes(content))


def test_a_header_of_a_great_many_values_is_refused_before_it_is_parsed() -> None:
    noise = np.random.default_rng(1).integers(0, 256, MAX_HEADER_VALUES // 30, dtype=np.uint8)  # so that it may expand
    text = np.frombuffer(b"[" + b"[]," * MAX_HEADER_VALUES + b"0]", dtype=np.uint8)
    with pytest.raises(ValueError, match="its header is too large"):
        from_bytes(packed(header=text, hashes=noise))


def test_many_profiles_are_read_at_once() -> None:
    # Without the lock, six or seven of these eight threads failed.
    content = to_bytes(Profile({}, 0))

    def read_often(_: int) -> bool:
        return all(from_bytes(content) == (Profile({}, 0), {}) for _ in range(200))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(read_often, range(8)))
    finally:
        sys.setswitchinterval(interval)
