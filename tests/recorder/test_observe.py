"""A function that is observed behaves as it did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from .recorders import recorded_rows, recorder


def test_a_generator_gets_what_is_sent_and_thrown(tmp_path: Path) -> None:
    made = recorder(tmp_path / "spool", folder=tmp_path / "out", sample_rate=1.0)

    @made.observe
    def add(total: int) -> Generator[int, int, str]:
        try:
            while True:
                total += (yield total) or 0
        except KeyError:
            return f"ended at {total}"

    stream = add(1)
    assert (next(stream), stream.send(4)) == (1, 5)
    with pytest.raises(StopIteration) as ended:
        stream.throw(KeyError("enough"))
    assert ended.value.value == "ended at 5"
    with pytest.raises(ValueError, match="other"):
        add(1).throw(ValueError("other"))
    stream = add(2)
    next(stream)
    with pytest.raises(ValueError, match="other"):
        stream.throw(ValueError("other"))
    assert made.close(60.0)
    found = [(row["total"], row["prediction"], row["error"]) for row in recorded_rows(tmp_path / "out")]
    assert found == [(1, [1, 5], None), (2, None, "ValueError")], "one that never began is no call"


def test_so_does_an_async_one(tmp_path: Path) -> None:
    made = recorder(tmp_path / "spool", folder=tmp_path / "out", sample_rate=1.0)

    @made.observe
    async def add(total: int) -> AsyncGenerator[int, int]:
        try:
            while True:
                total += (yield total) or 0
        except KeyError:
            yield -total

    async def talk() -> list[int]:
        stream = add(1)
        said = [await anext(stream), await stream.asend(4), await stream.athrow(KeyError("enough"))]
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        left = add(7)
        said.append(await anext(left))
        await left.aclose()
        return said

    assert asyncio.run(talk()) == [1, 5, -5, 7]
    assert made.close(60.0)
    found = [(row["total"], row["prediction"], row["error"]) for row in recorded_rows(tmp_path / "out")]
    assert found == [(1, [1, 5, -5], None), (7, [7], None)]
