"""The relay under load: real processes on loopback, the generator's own limit beside what it measured."""

from __future__ import annotations

import itertools
import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psutil

from modelwatch.testing.standins.pagerduty.webhooks import WebhookSender
from tests.relay.load import Taken, load, request
from tests.relay.world import CONFIG, SECRET, RelayProcess, call, free_port, incident, raw

from .measure import Row

SECONDS = 6.0
FLOODS = 3
STEADY_AFTER = 2.0
"""Seconds after which a flood is steady. At first its 1,000 connections forge all at once, which takes the relay 0.3 s:
whether that falls into the time measured decided the p99."""


def run(port: int, requests: Iterator[bytes], **more: float) -> Taken:
    import uvloop

    return uvloop.run(load(port, requests, **more))  # type: ignore[arg-type]


@contextmanager
def github(delay: float = 0.0, most: int = 0, span: float = 60.0) -> Iterator[int]:
    """A light GitHub in a process of its own; gives its port."""
    port = free_port()
    words = [sys.executable, "-m", "tests.relay.load", str(port), str(delay), str(most), str(span)]
    with subprocess.Popen(words) as process:
        try:
            until = time.monotonic() + 30
            while time.monotonic() < until:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.02)
            yield port
        finally:
            process.kill()


@contextmanager
def world(
    delay: float = 0.0, most: int = 0, span: float = 60.0, config: str = CONFIG
) -> Iterator[tuple[RelayProcess, int]]:
    with tempfile.TemporaryDirectory() as folder, github(delay, most, span) as port:
        env = {"MODELWATCH_WAIT_SCALE": str(span / 60)}
        with RelayProcess(Path(folder), f"http://127.0.0.1:{port}", "ghp_bench", env, config) as relay:
            yield relay, port


def told(port: int) -> dict[str, int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        found: dict[str, int] = json.load(answer)
        return found


def fresh(prefix: str, kind: str = "incident.triggered", size: int = 2_000) -> Iterator[bytes]:
    """Webhooks of the usual size, each with an id of its own."""
    for number in itertools.count():
        yield request(raw(incident(f"{prefix}-{number}", kind, title="x" * size)), SECRET)


def ready(webhooks: Iterator[bytes], count: int) -> Iterator[bytes]:
    """Made and signed beforehand, so that the generator does not measure itself; from the start again at the end."""
    return itertools.cycle(list(itertools.islice(webhooks, count)))


def once(webhooks: Iterator[bytes], count: int) -> Iterator[bytes]:
    """Made and signed beforehand; each is sent once."""
    return iter(list(itertools.islice(webhooks, count)))


def rows() -> Iterator[Row]:
    own = own_limit()
    yield from verified(own)
    yield from forwarded()
    yield from storm()
    yield from slow_github()
    yield from flood()
    yield from loris()


def own_limit() -> float:
    """What the generator sends and hears when the other side does nothing at all."""
    with github() as port:
        return run(port, ready(fresh("own"), 500), connections=32, seconds=SECONDS).rate


def verified(own: float) -> Iterator[Row]:
    with world() as (relay, _):
        webhooks = ready(fresh("unwanted", "incident.escalated"), 2_000)
        taken = run(relay.port, webhooks, connections=32, seconds=SECONDS)
        assert set(taken.statuses) == {202}, taken.statuses
        reference = f"2,000/s; the generator alone {own:,.0f}/s"
        yield Row("relay: verified, not forwarded", f"{taken.rate:,.0f}/s", reference, 2_000 / taken.rate, 1.0)


def forwarded() -> Iterator[Row]:
    with world() as (relay, port):
        taken = run(relay.port, once(fresh("most"), 12_000), connections=32, seconds=SECONDS)
        assert set(taken.statuses) == {202}, taken.statuses
        assert told(port)["events"] >= len(taken.latencies)
        yield Row("relay: forwarded", f"{taken.rate:,.0f}/s", "250/s", 250 / taken.rate, 1.0)
        paced = run(relay.port, once(fresh("paced"), 2_000), connections=64, seconds=SECONDS, rate=250)
        assert set(paced.statuses) == {202}, paced.statuses
        slow = paced.quantile(0.99)
        yield Row("relay: p99 at 250/s forwarded", f"{slow * 1e3:.0f} ms", "250 ms", slow / 0.25, 1.0)


def storm() -> Iterator[Row]:
    """1,000 incidents at once, 80 dispatches a minute; a minute is a second here, for GitHub and PagerDuty alike."""
    with world(most=80, span=1.0) as (relay, port):
        began = time.monotonic()
        with WebhookSender(lambda: f"{relay.url}/pagerduty", [SECRET], workers=16, wait_scale=1 / 60) as courier:
            for number in range(1_000):
                courier.send(incident(f"storm-{number}"))
            done = courier.wait(300)
        seen, minutes = told(port), time.monotonic() - began
        lost = 1_000 - seen["events"] if done else 1_000
        measured = f"{lost} lost, {minutes:.0f} min"
        reference = f"1,000 at 80/min need 12 min; {seen['dispatches'] - seen['events']} twice"
        yield Row("relay: storm of 1,000 incidents", measured, reference, float(lost + len(courier.dropped)), 0.0)


def slow_github() -> Iterator[Row]:
    with world(delay=0.3) as (relay, _):
        process, ending = psutil.Process(relay.pid), threading.Event()
        held: list[tuple[float, float]] = []

        def watch() -> None:
            while not ending.wait(0.1):
                text = call(f"{relay.url}/metrics").body["text"]
                found = re.search(r"^modelwatch_relay_under_way (\S+)$", text, re.MULTILINE)
                held.append((float(found[1]) if found else 0.0, process.memory_info().rss / 2**20))

        watcher = threading.Thread(target=watch)
        watcher.start()
        taken = run(relay.port, once(fresh("slow"), 12_000), connections=600, seconds=SECONDS)
        ending.set()
        watcher.join()
        assert set(taken.statuses) == {202}, taken.statuses
        most, memory = max(one for one, _ in held), max(two for _, two in held)
        yield Row("relay: in flight, GitHub at 300 ms", f"{most:.0f}", "500", 500 / max(most, 1), 1.0)
        yield Row("relay: memory then", f"{memory:.0f} MB", "200 MB", memory / 200, 1.0)


def flood() -> Iterator[Row]:
    """Valid webhooks at 100/s: alone, while 10,000 forged ones a second are attempted at somebody else, and at us. The
    second tells what the flood itself takes of two cores. Medians of rounds: a p99 of 600 is the sixth-slowest one."""

    def valid(name: str) -> Taken:
        return run(relay.port, once(fresh(name), 800), connections=32, seconds=SECONDS, rate=100)

    rounds: dict[str, list[Taken]] = {"alone": [], "beside it": [], "within": []}
    with world() as (relay, _), github(delay=2.0) as elsewhere:
        run(relay.port, fresh("warm"), connections=8, seconds=1.0)
        for number in range(FLOODS):
            rounds["alone"].append(valid(f"alone-{number}"))
            with _attack(elsewhere, SECONDS + STEADY_AFTER + 2) as told_by_attack:
                rounds["beside it"].append(valid(f"beside-{number}"))
                told_by_attack()
            with _attack(relay.port, SECONDS + STEADY_AFTER + 2) as told_by_attack:
                rounds["within"].append(valid(f"within-{number}"))
                refused = told_by_attack()
        assert all(set(taken.statuses) == {202} for taken in rounds["within"])
    for name, share in (("median", 0.5), ("p99", 0.99)):
        values = {where: median(one.quantile(share) for one in taken) for where, taken in rounds.items()}
        for where in ("alone", "beside it"):
            reference, ratio = f"{values[where] * 1e3:.1f} ms {where}; {refused}", values["within"] / values[where]
            yield Row(f"relay: {name} in a forged flood", f"{values['within'] * 1e3:.1f} ms", reference, ratio, 2.0)


_ATTACK = """
import itertools, sys
from tests.bench.relay import fresh, request, run
from tests.relay.world import incident, raw
port, seconds = int(sys.argv[1]), float(sys.argv[2])
forged = [request(raw(incident(f"F{n}", title="x" * 2000)), "", "v1=" + "0" * 64) for n in range(200)]
print("begins", flush=True)
taken = run(port, itertools.cycle(forged), connections=1_000, seconds=seconds, rate=10_000)
print(f"{taken.attempted / seconds:,.0f}/s attempted, {taken.rate:,.0f}/s refused")
"""


@contextmanager
def _attack(port: int, seconds: float) -> Iterator[Callable[[], str]]:
    """Under way when the block begins; what it gives tells what came of it."""
    command = [sys.executable, "-c", _ATTACK, str(port), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begins\n"
            time.sleep(STEADY_AFTER)
            yield lambda: process.communicate()[0].strip()
        finally:
            process.kill()


def loris() -> Iterator[Row]:
    """500 clients that write a byte a second: how long they last, and whether others are served meanwhile."""
    with world() as (relay, _):
        slow = [socket.create_connection(("127.0.0.1", relay.port)) for _ in range(500)]
        began = time.monotonic()
        ends: list[float] = []

        def dribble(one: socket.socket, ended: Callable[[float], None]) -> None:
            one.settimeout(1.0)
            try:
                one.sendall(b"POST /pagerduty HTTP/1.1\r\n")
                while time.monotonic() - began < 20:
                    try:
                        if not one.recv(100):
                            break
                    except TimeoutError:
                        one.sendall(b"x")
            except OSError:
                pass
            ended(time.monotonic() - began)

        threads = [threading.Thread(target=dribble, args=(one, ends.append)) for one in slow]
        for thread in threads:
            thread.start()
        taken = run(relay.port, fresh("meanwhile"), connections=8, seconds=3.0, rate=50)
        for thread in threads:
            thread.join()
        assert set(taken.statuses) == {202}, taken.statuses
        reference = f"8 s; others meanwhile {taken.quantile(0.99) * 1e3:.0f} ms (p99)"
        yield Row("relay: slow-loris cut off after", f"{max(ends):.1f} s", reference, max(ends) / 8.0, 1.0)
