"""The heartbeat says that an evaluation did everything, and only that; it never changes how the evaluation ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.http import Request, Response, Server

from .world import CONFIG, ERROR, HEALTHY, World

HEARTBEAT = 'heartbeat: {url: "${HEARTBEAT_URL}"}\nmodels:'
WITH_FAILURES = 'heartbeat: {url: "${HEARTBEAT_URL}", failed_url: "${HEARTBEAT_FAILED_URL}"}\nmodels:'
SENT = "watchdog: firing, heartbeat sent"
SECRET = "0f3c9b1a-ping"


class Monitor:
    name = "monitor"

    def handle(self, request: Request) -> Response:
        return Response(302, b"", (("location", "/elsewhere"),)) if "moved" in request.path else Response.of({})


@pytest.fixture
def monitor(world: World) -> Iterator[Server[Monitor]]:
    with Server(Monitor()) as server:
        world.setenv("HEARTBEAT_URL", f"{server.url}/{SECRET}")
        world.setenv("HEARTBEAT_FAILED_URL", f"{server.url}/{SECRET}/fail")
        world.setenv("MODELWATCH_TIMEOUT_SCALE", "0.05")
        world.config(CONFIG.replace("models:", HEARTBEAT))
        world.metrics(HEALTHY, HEALTHY)
        world.at(3)
        yield server


def calls(monitor: Server[Monitor]) -> list[str]:
    return [f"{request.method} {request.path}" for request in monitor.requests]


def test_an_evaluation_that_did_everything_sends_one(world: World, monitor: Server[Monitor]) -> None:
    ran = world.run("run")
    assert ran.code == 0, ran.err
    assert calls(monitor) == [f"POST /{SECRET}"]
    assert SENT in ran.out
    assert SENT in world.read("modelwatch-out/summary.md")
    assert world.load("modelwatch-out/alerts.json")["watchdog"]["state"] == "firing"
    assert world.load("modelwatch-out/plan.json")["heartbeat"]["kind"] == "send-heartbeat"
    assert world.load("modelwatch-out/receipts.json")["heartbeat"]["result"] == "done"
    files = [path.read_text("utf-8") for path in (world.folder / "modelwatch-out").iterdir()]
    everything = ran.out + ran.err + "".join(files)
    assert SECRET not in everything


def test_people_see_one_line_of_it_and_nothing_counts_it(world: World, monitor: Server[Monitor]) -> None:
    with_it = world.run("run", "--exit-code")
    world.config()
    without = world.run("run", "--exit-code")
    assert with_it.code == without.code == 0
    assert [line for line in with_it.out.splitlines() if line not in without.out.splitlines()] == [SENT]
    assert world.issues == []
    assert world.incidents == []


def test_every_evaluation_sends_it_again(world: World, monitor: Server[Monitor]) -> None:
    world.metrics(HEALTHY, *[ERROR] * 9)
    for hour in (3, 4):
        world.at(hour)
        assert world.run("run").code == 0
    assert len(calls(monitor)) == 2
    assert len(world.issues) == len(world.incidents) == 1


def test_what_does_not_act_sends_none(world: World, monitor: Server[Monitor]) -> None:
    for arguments in (["run", "--dry-run"], ["check"]):
        ran = world.run(*arguments)
        assert ran.code == 0
        assert "heartbeat sent" not in ran.out
    assert calls(monitor) == []


@pytest.mark.parametrize(
    ("fault", "tries", "why"),
    [
        (Fault("status", status=500, times=-1), 2, "it answered 500"),
        (Fault("status", status=404, times=-1), 1, "it answered 404"),
        (Fault("hang", seconds=5.0, times=-1), 2, "no answer (ReadTimeout)"),
        (Fault("reset", times=-1), 2, "no answer (ConnectionError)"),
    ],
    ids=["500", "404", "hanging", "reset"],
)
def test_a_monitor_that_fails_is_told_and_changes_nothing(
    world: World, monitor: Server[Monitor], fault: Fault, tries: int, why: str
) -> None:
    monitor.inject(fault)
    world.setenv("GITHUB_ACTIONS", "true")
    world.setenv("GITHUB_EVENT_NAME", "schedule")
    ran = world.run("run")
    assert ran.code == 0
    assert f"heartbeat not sent: the monitor (HEARTBEAT_URL) was not called: {why}" in " ".join(ran.out.split())
    assert "::warning::the heartbeat was not sent" in ran.err
    assert len(calls(monitor)) == tries
    assert SECRET not in ran.out + ran.err


@pytest.mark.parametrize("fault", [Fault("status", status=503), Fault("hang", seconds=1.0)], ids=["503", "slow once"])
def test_one_failure_is_tried_again(world: World, monitor: Server[Monitor], fault: Fault) -> None:
    monitor.inject(fault)
    assert SENT in world.run("run").out
    assert len(calls(monitor)) == 2


def test_no_redirect_is_followed(world: World, monitor: Server[Monitor]) -> None:
    world.setenv("HEARTBEAT_URL", f"{monitor.url}/moved/{SECRET}")
    ran = world.run("run")
    assert ran.code == 0
    assert "it answered 302 with another address, which is not followed" in " ".join(ran.out.split())
    assert calls(monitor) == [f"POST /moved/{SECRET}"]


def test_an_address_that_is_not_https_gets_nothing(world: World, monitor: Server[Monitor]) -> None:
    world.setenv("HEARTBEAT_URL", f"http://monitor.example/{SECRET}")
    ran = world.run("run")
    assert ran.code == 0
    assert "HEARTBEAT_URL holds no https address, so nothing was sent" in " ".join(ran.out.split())


def test_with_get_no_body_is_sent(world: World, monitor: Server[Monitor]) -> None:
    world.config(CONFIG.replace("models:", HEARTBEAT.replace('}"}', '}", method: get}')))
    assert SENT in world.run("run").out
    assert [(request.method, request.body) for request in monitor.requests] == [("GET", b"")]


def test_a_failed_change_stops_it(world: World, monitor: Server[Monitor]) -> None:
    world.metrics(HEALTHY, *[ERROR] * 9)
    world.pagerduty.inject(Fault("status", path="/v2/enqueue", status=400, times=-1))
    ran = world.run("run")
    assert ran.code == 4
    assert calls(monitor) == []
    (line,) = [line for line in ran.out.splitlines() if "heartbeat" in line]
    assert line.startswith("watchdog: firing, heartbeat not sent: trigger-incident of churn failed: PagerDuty (")
    assert "could not trigger the alert: 400" in line, "one line, for those who search for it"


@pytest.mark.parametrize(
    ("what", "code", "why"),
    [
        ("github", 4, "cannot be observed"),
        ("source", 3, "1 of the models could not be read or judged: churn"),
        ("page", 4, "trigger-incident of churn"),
    ],
)
def test_the_address_for_failures_gets_the_reason(
    world: World, monitor: Server[Monitor], what: str, code: int, why: str
) -> None:
    world.config(CONFIG.replace("models:", WITH_FAILURES))
    world.metrics(HEALTHY, *[ERROR] * 9)
    if what == "github":
        world.github.inject(Fault("status", status=503, times=-1))
    elif what == "source":
        (world.folder / "metrics.csv").unlink()
    else:
        world.pagerduty.inject(Fault("status", path="/v2/enqueue", status=400, times=-1))
    ran = world.run("run")
    assert ran.code in (code, 2), ran.out + ran.err
    assert calls(monitor) == [f"POST /{SECRET}/fail"]
    assert why in monitor.requests[0].body.decode()
    assert "the failure was reported" in " ".join(ran.out.split())


def test_a_crash_is_reported_where_failures_have_an_address(world: World, monitor: Server[Monitor]) -> None:
    """No calendar has the year 33658: the evaluation ends by an error that nobody foresaw."""
    world.metrics(HEALTHY, *[ERROR] * 9)
    for text, expected in ((HEARTBEAT, []), (WITH_FAILURES, [f"POST /{SECRET}/fail"])):
        world.config(CONFIG.replace("models:", text))
        assert world.run("run", "--now", "1e12", now=False).code == 1
        assert calls(monitor) == expected
    assert monitor.requests[0].body == b"modelwatch: the evaluation has ended by a bug (ValueError)"
    assert world.run("run", "--dry-run", "--now", "1e12", now=False).code == 1
    assert len(calls(monitor)) == 1


def test_a_part_of_the_models_sends_none(world: World, monitor: Server[Monitor]) -> None:
    text = CONFIG.replace("models:", HEARTBEAT)
    second = text[text.index("  - name: churn") :].replace("name: churn", "name: other")
    world.config(text + second)
    ran = world.run("run", "--model", "churn")
    assert ran.code == 0
    assert "heartbeat not sent: only some of the models were evaluated" in ran.out
    assert calls(monitor) == []
    assert SENT in world.run("run").out


def two_shards(world: World) -> list[str]:
    """The folders of a fleet of two, each evaluated in a shard of its own."""
    text = CONFIG.replace("models:", HEARTBEAT)
    world.config(text + text[text.index("  - name: churn") :].replace("name: churn", "name: other"))
    for name in ("churn", "other"):
        assert world.run("run", "--model", name, "--out", f"results/{name}").code == 0
    return ["results/churn", "results/other"]


def test_a_fleet_in_shards_sends_one_when_all_are_gathered(world: World, monitor: Server[Monitor]) -> None:
    folders = two_shards(world)
    assert calls(monitor) == []
    gather = ["gather", "--expect", "2", "--heartbeat", "HEARTBEAT_URL"]
    ran = world.run(*gather, folders[0], now=False)
    assert ran.code == 3
    assert "heartbeat not sent: not every shard did everything" in ran.err
    assert calls(monitor) == []
    ran = world.run(*gather, *folders, now=False)
    assert ran.code == 0
    assert SENT in ran.err
    assert calls(monitor) == [f"POST /{SECRET}"]


def test_a_shard_that_failed_stops_that_of_the_fleet(world: World, monitor: Server[Monitor]) -> None:
    folders = two_shards(world)
    world.metrics(HEALTHY, *[ERROR] * 9)
    world.pagerduty.inject(Fault("status", path="/v2/enqueue", status=400, times=-1))
    assert world.run("run", "--model", "other", "--out", folders[1]).code == 4
    ran = world.run("gather", "--heartbeat", "HEARTBEAT_URL", *folders, now=False)
    assert ran.code == 4
    assert calls(monitor) == []


def test_a_monitor_that_fails_does_not_fail_the_gathering(world: World, monitor: Server[Monitor]) -> None:
    folders = two_shards(world)
    monitor.inject(Fault("status", status=500, times=-1))
    ran = world.run("gather", "--heartbeat", "HEARTBEAT_URL", *folders, now=False)
    assert ran.code == 0
    assert "warning: the heartbeat was not sent" in ran.err
    world.delenv("HEARTBEAT_URL")
    ran = world.run("gather", "--heartbeat", "HEARTBEAT_URL", *folders, now=False)
    assert ran.code == 0
    assert "HEARTBEAT_URL holds no https address" in ran.err


def test_a_watchdog_that_was_not_judged_is_a_problem(world: World, monitor: Server[Monitor]) -> None:
    """The alerts of an evaluation that knew no heartbeat lead to no heartbeat, and the plan says so."""
    assert world.run("pull").code == 0
    world.config()
    assert world.run("evaluate").code == 0
    world.config(CONFIG.replace("models:", HEARTBEAT))
    ran = world.run("plan")
    assert ran.code == 4
    assert "the watchdog does not fire, so no heartbeat is sent" in ran.out
    assert "heartbeat" not in world.load("modelwatch-out/plan.json")


def test_the_steps_one_by_one_send_it_last(world: World, monitor: Server[Monitor]) -> None:
    assert [world.run(step).code for step in ("pull", "evaluate", "plan")] == [0, 0, 0]
    digest = world.run("plan").out.rpartition("digest ")[2].strip()
    for only, sent in (("issue", 0), ("heartbeat", 1)):
        assert world.run("apply", "--digest", digest, "--only", only).code == 0
        assert len(calls(monitor)) == sent


def test_an_address_that_is_not_set_stops_nothing(world: World, monitor: Server[Monitor]) -> None:
    """An evaluation for a comment may not have it, and the monitor misses that of the schedule."""
    world.config(CONFIG.replace("models:", WITH_FAILURES))
    world.delenv("HEARTBEAT_URL")
    world.delenv("HEARTBEAT_FAILED_URL")
    ran = world.run("run")
    assert ran.code == 0
    assert "heartbeat not sent: HEARTBEAT_URL is not set" in ran.out
    assert "warning: modelwatch.yml:2:18: the environment has no HEARTBEAT_URL, or it is empty." in ran.err
    world.pagerduty.inject(Fault("status", path="/v2/enqueue", status=400, times=-1))
    world.metrics(HEALTHY, *[ERROR] * 9)
    assert world.run("run").code == 4
    assert calls(monitor) == []
