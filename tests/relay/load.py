"""A load generator, and a GitHub that costs next to nothing: what the figures of the relay are taken with."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from modelwatch.testing.standins.pagerduty.webhooks import signature

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ID = re.compile(rb'"id": *"([^"]+)"')


def request(body: bytes, secret: str, header: str | None = None) -> bytes:
    """One webhook, ready to be sent."""
    signed = signature(body, (secret,)) if header is None else header
    head = f"POST /pagerduty HTTP/1.1\r\nhost: relay\r\nx-pagerduty-signature: {signed}\r\n"
    return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


@dataclass
class Taken:
    """What a load came to; latencies in seconds."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    attempted: int = 0

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def quantile(self, share: float) -> float:
        found = sorted(self.latencies)
        return found[min(math.ceil(share * len(found)), len(found)) - 1] if found else math.inf


class _Line(asyncio.Protocol):
    """One connection with one request on it at a time; connects again when the other side hangs up."""

    def __init__(self, done: Callable[[_Line, int], None]) -> None:
        self.done = done
        self.began = 0.0
        self.waits = False
        self.gone = False
        self.transport: asyncio.Transport | None = None
        self._text = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def send(self, data: bytes, began: float) -> None:
        assert self.transport is not None
        self.waits, self.began = True, began
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._text += data
        head = self._text.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(self._text, 0, head)
        if len(self._text) < head + 4 + (int(length[1]) if length else 0):
            return
        status, self._text, self.waits = int(self._text[9:12]), b"", False
        self.done(self, status)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.done(self, 0 if self.waits else -1)


async def load(
    port: int, requests: Iterator[bytes], *, connections: int, seconds: float, rate: float = 0.0, count: int = 0
) -> Taken:
    """Send ``requests`` until ``seconds`` are over, ``count`` are answered, or all of them.

    Without ``rate`` every connection sends as soon as it was answered. With one, a request is due every 1/rate seconds,
    and its latency counts from when it was due, so that waiting for a free connection is not hidden.
    """
    loop, taken = asyncio.get_running_loop(), Taken()
    free: deque[_Line] = deque()
    ending = asyncio.Event()
    lines: set[_Line] = set()
    pending: set[asyncio.Task[None]] = set()

    async def connect() -> None:
        try:
            _, line = await loop.create_connection(lambda: _Line(done), "127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            if not ending.is_set():
                again()
            return
        lines.add(line)
        idle(line)

    def again() -> None:
        task = loop.create_task(connect())
        pending.add(task)
        task.add_done_callback(pending.discard)

    def idle(line: _Line) -> None:
        if ending.is_set() or line.gone:
            return
        if rate:
            free.append(line)
        elif data := next(requests, b""):
            taken.attempted += 1
            line.send(data, time.perf_counter())
        elif not any(other.waits for other in lines):
            ending.set()

    def done(line: _Line, status: int) -> None:
        if status >= 0 and not ending.is_set():
            taken.statuses[status] += 1
            if status:
                taken.latencies.append(time.perf_counter() - line.began)
            if count and len(taken.latencies) >= count:
                ending.set()
        if line.gone:
            lines.discard(line)
            if not ending.is_set():
                again()
        else:
            idle(line)

    began = time.perf_counter()
    await asyncio.gather(*(connect() for _ in range(connections)))
    if rate:
        await _pace(requests, free, taken, rate, seconds, ending)
    else:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), seconds)
    while rate and any(line.waits for line in lines) and time.perf_counter() - began < seconds + 6:
        await asyncio.sleep(0.01)
    taken.seconds = time.perf_counter() - began
    ending.set()
    for line in list(lines):
        if line.transport:
            line.transport.abort()
    for task in list(pending):
        task.cancel()
    await asyncio.sleep(0)
    return taken


async def _pace(
    requests: Iterator[bytes], free: deque[_Line], taken: Taken, rate: float, seconds: float, ending: asyncio.Event
) -> None:
    began, number, late = time.perf_counter(), 0, deque[float]()
    while not ending.is_set() and (now := time.perf_counter()) - began < seconds:
        while began + number / rate <= now:
            late.append(began + number / rate)
            number += 1
        taken.attempted = number
        if len(late) > 5_000:
            late = deque(list(late)[-1_000:])  # a flood does not queue up for ever
        while late and free:
            line = free.popleft()
            if not line.gone and (data := next(requests, b"")):
                line.send(data, late.popleft())
        await asyncio.sleep(0.001)


class LightGitHub(asyncio.Protocol):
    """Takes dispatches after ``delay``; more than ``most`` in ``span`` seconds get a 403 with Retry-After."""

    delay = 0.0
    most = 0
    span = 60.0
    seen: ClassVar[Counter[bytes]] = Counter()
    times: ClassVar[deque[float]] = deque()
    peak = 0
    now = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.text = b""

    def data_received(self, data: bytes) -> None:
        self.text += data
        while (head := self.text.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self.text, 0, head)
            end = head + 4 + (int(length[1]) if length else 0)
            if len(self.text) < end:
                return
            whole, self.text = self.text[:end], self.text[end:]
            if whole.startswith(b"GET"):
                told = {"dispatches": sum(self.seen.values()), "events": len(self.seen), "peak": LightGitHub.peak}
                text = json.dumps(told).encode()
                self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text))
            else:
                LightGitHub.now += 1
                LightGitHub.peak = max(self.peak, self.now)
                asyncio.get_running_loop().call_later(self.delay, self.answer, whole)

    def answer(self, whole: bytes) -> None:
        LightGitHub.now -= 1
        now = time.monotonic()
        while self.times and now - self.times[0] > self.span:
            self.times.popleft()
        if self.most and len(self.times) >= self.most:
            wait = math.ceil((self.times[0] + self.span - now) * 60 / self.span)
            text = b"HTTP/1.1 403 Forbidden\r\nretry-after: %d\r\ncontent-length: 0\r\n\r\n" % max(wait, 1)
        else:
            self.times.append(now)
            found = _ID.search(whole)
            self.seen[found[1] if found else b""] += 1
            text = b"HTTP/1.1 204 No Content\r\n\r\n"
        if not self.transport.is_closing():
            self.transport.write(text)


async def serve_github(port: int, delay: float, most: int, span: float) -> None:
    LightGitHub.delay, LightGitHub.most, LightGitHub.span = delay, most, span
    server = await asyncio.get_running_loop().create_server(LightGitHub, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve_github(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
