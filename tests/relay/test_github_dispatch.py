"""Whatever GitHub does, PagerDuty is told the truth: accepted, or come again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server

from .world import RelayProcess, call, ids, incident

LIMIT = (("retry-after", "60"),)


@pytest.mark.parametrize(
    ("fault", "status", "outcome"),
    [
        (Fault("status", status=401), 502, "refused"),
        (Fault("status", status=403), 502, "refused"),
        (Fault("status", status=404), 502, "refused"),
        (Fault("status", status=422), 502, "refused"),
        (Fault("status", status=500), 502, "refused"),
        (Fault("status", status=502), 502, "refused"),
        (Fault("status", status=503), 502, "refused"),
        (Fault("status", status=200), 502, "refused"),
        (Fault("status", status=302, headers=(("location", "http://127.0.0.1:1/"),)), 502, "refused"),
        (Fault("drop", times=2), 502, "unreachable"),
        (Fault("reset", times=2), 502, "unreachable"),
        (Fault("hang", seconds=6), 504, "timeout"),
        (Fault("status", status=429, headers=LIMIT), 503, "limited"),
        (Fault("status", status=403, headers=LIMIT), 503, "limited"),
        (Fault("status", status=403, headers=(("x-ratelimit-remaining", "0"),)), 503, "limited"),
    ],
    ids=lambda value: f"{value.what}-{value.status}" if isinstance(value, Fault) else None,
)
def test_a_trouble_comes_again_and_is_then_passed_on(
    another: Callable[..., RelayProcess], github: Server[GitHubStandIn], fault: Fault, status: int, outcome: str
) -> None:
    relay = another()
    github.inject(fault)
    began = time.monotonic()
    answer = relay.send(incident("T1"))
    assert (answer.status, answer.body["outcome"]) == (status, outcome)
    assert time.monotonic() - began < 5.0, "PagerDuty waits no longer"
    assert ids(github) == []
    while (again := relay.send(incident("T1"))).body["outcome"] == "limited":
        assert again.headers["retry-after"]
        time.sleep(0.1)
    assert again.body["outcome"] == "accepted"
    assert ids(github) == ["T1"]


@pytest.mark.parametrize("what", ["drop", "reset"])
def test_one_broken_connection_is_not_even_noticed(
    relay: RelayProcess, github: Server[GitHubStandIn], what: str
) -> None:
    github.inject(Fault(what))
    assert relay.send(incident(f"BROKEN-{what}")).status == 202
    assert ids(github) == [f"BROKEN-{what}"]


def test_while_a_limit_lasts_github_is_left_alone(
    another: Callable[..., RelayProcess], github: Server[GitHubStandIn]
) -> None:
    relay = another(env={"MODELWATCH_WAIT_SCALE": "1"})
    github.inject(Fault("status", status=429, headers=(("retry-after", "30"),)))
    assert [relay.send(incident(f"L{n}")).body["outcome"] for n in range(5)] == ["limited"] * 5
    assert len(github.requests) == 1
    assert 25 <= int(relay.send(incident("L9")).headers["retry-after"]) <= 30


def test_a_token_in_a_file_is_read_again(
    another: Callable[..., RelayProcess], github: Server[GitHubStandIn], tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("ghp_revoked")
    relay = another(token="", env={"GITHUB_TOKEN_FILE": str(file)})
    assert relay.send(incident("K1")).body["outcome"] == "refused"
    file.write_text(github.standin.state.add_token("relay", {"contents": "write"}))
    assert relay.send(incident("K1")).body["outcome"] == "accepted"


def test_a_token_without_the_permission_is_our_trouble(
    another: Callable[..., RelayProcess], github: Server[GitHubStandIn]
) -> None:
    relay = another(token=github.standin.state.add_token("reader", {"contents": "read"}))
    assert relay.send(incident("P1")).status == 502


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_in_the_middle_nothing_is_lost(
    another: Callable[..., RelayProcess], github: Server[GitHubStandIn], when: str
) -> None:
    relay = another()
    github.inject(Fault("kill", when=when, pid=lambda: relay.pid))
    with pytest.raises(OSError):  # noqa: PT011 - a reset, or a connection that ends
        relay.send(incident("KILLED"))
    assert relay.process is not None
    assert relay.process.wait(10) == -9
    relay.start()
    assert relay.send(incident("KILLED")).body["outcome"] == "accepted"
    # Where GitHub had taken the first one there are two workflow runs, and the higher one stands down.
    assert ids(github) == ["KILLED"] * (2 if when == "after" else 1)


def test_more_than_it_can_hold_comes_again(another: Callable[..., RelayProcess], github: Server[GitHubStandIn]) -> None:
    from .world import CONFIG

    relay = another(config="most_at_once = 2\n" + CONFIG)
    github.inject(Fault("delay", seconds=1.0, times=-1))
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(relay.send(incident(f"F{n}")).body["outcome"]))
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    assert call(f"{relay.url}/healthz").status == 200
    for thread in threads:
        thread.join()
    assert sorted(found) == ["accepted"] * 2 + ["full"] * 4
