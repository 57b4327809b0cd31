"""Each condition is provoked at the services, found by the command, and over when the trouble is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn
from tests.cli.world import REPOSITORY

from .conftest import ACTIONS, DAY, DRILL, HOUR, MAIN, Watched, scheduled

OK, BROKEN, UNKNOWN, ALL_FINE = 0, 11, 10, {"evaluations": "ok", "schedule": "ok", "deliveries": "ok"}


def test_all_is_in_order(watched: Watched) -> None:
    others = {"token_expiry": "ok", "rate_limits": "ok", "pinned_actions": "ok"}
    watched.watch(code=OK, **ALL_FINE, **others)
    assert watched.world.writes() == ["POST /v2/enqueue"] * 2  # the resolves that PagerDuty drops
    assert watched.world.issues == []


def test_killing_the_main_workflow_is_noticed_within_twice_its_period(watched: Watched) -> None:
    """It runs at minute 17, this at minute 57; a run that is half an hour late is no trouble."""
    start = watched.world.clock.now
    for hour in range(1, 25):
        watched.world.clock.now = start + hour * HOUR + (1800 if hour % 5 == 0 else 0)
        watched.run(MAIN)
        watched.world.clock.now = start + hour * HOUR + 40 * 60
        watched.watch(code=OK, evaluations="ok")
    killed = watched.world.clock.now
    last = start + 24 * HOUR
    noticed = None
    for hour in range(25, 30):
        watched.world.clock.now = start + hour * HOUR + 40 * 60
        if watched.world.run("watchdog", "--repository", REPOSITORY).code == BROKEN:
            noticed = watched.world.clock.now
            break
    assert noticed is not None
    assert noticed - last <= 2 * HOUR
    assert noticed - killed <= 2 * HOUR
    (issue,) = watched.world.issues
    assert "evaluations have stopped" in issue.title


@pytest.mark.parametrize(
    ("every", "interval", "just_fine", "too_late"),
    [("1h", "1h", 1.4, 1.5), ("1h", "15m", 1.7, 1.75), ("6h", "1h", 10.9, 11.0), ("1h", "6h", 1.4, 1.5)],
)
def test_the_next_look_counts(watched: Watched, every: str, interval: str, just_fine: float, too_late: float) -> None:
    arguments = ("--every", every, "--interval", interval)
    watched.wait(just_fine * HOUR)
    watched.watch(*arguments, code=OK, evaluations="ok")
    watched.wait((too_late - just_fine) * HOUR)
    watched.watch(*arguments, code=BROKEN, evaluations="broken")


def test_a_run_by_hand_can_be_a_dry_run(watched: Watched) -> None:
    watched.wait(3 * HOUR)
    watched.run(MAIN, event="workflow_dispatch")
    watched.watch(code=BROKEN, evaluations="broken")
    watched.watch("--any-event", code=OK, evaluations="ok")
    watched.run(MAIN, event="repository_dispatch")
    watched.watch(code=OK, evaluations="ok")


def test_a_workflow_that_never_succeeded_counts_from_when_it_was_made(watched: Watched) -> None:
    for run in list(watched.repo.runs.items):
        watched.repo.runs.remove(run)
    watched.repo.runs.catch_up()
    watched.watch(code=OK, evaluations="ok", deliveries="ok")
    watched.wait(2 * HOUR)
    watched.watch(code=BROKEN, evaluations="broken")
    assert "has not succeeded since it was made" in watched.what("evaluations")


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("disabled_inactivity", "nothing happened in the repository for 60 days"),
        ("disabled_manually", "somebody has switched it off"),
        ("disabled_by_moonlight", "its state is `disabled_by_moonlight`"),
    ],
)
def test_a_schedule_that_is_off(watched: Watched, state: str, told: str) -> None:
    workflow = next(one for one in watched.repo.workflows.values() if one.path.endswith(MAIN))
    watched.repo.workflows[workflow.id] = replace(workflow, state=state)
    watched.watch(code=BROKEN, schedule="broken")
    assert told in watched.what("schedule")
    watched.repo.workflows[workflow.id] = workflow
    watched.watch(code=OK, schedule="ok")


def test_an_idle_public_repository_is_reported_before_github_switches_off(watched: Watched) -> None:
    watched.repo.private, watched.repo.pushed = False, watched.world.clock.now
    watched.wait(52 * DAY)
    watched.run(MAIN)
    watched.watch(code=OK, schedule="ok")
    watched.wait(2 * DAY)
    watched.run(MAIN)
    watched.watch(code=BROKEN, schedule="broken")
    watched.repo.private = True
    watched.watch(code=OK, schedule="ok")


@pytest.mark.parametrize(
    ("code", "found"),
    [(4, "broken"), (3, "ok"), (11, "ok"), (12, "ok"), (1, "unknown"), (2, "unknown"), (130, "unknown")],
)
def test_the_exit_code_of_the_newest_evaluation_says_whether_it_delivered(
    watched: Watched, code: int, found: str
) -> None:
    watched.wait(HOUR)
    watched.run(MAIN, "failure", exit_code=code)
    watched.watch(code={"broken": BROKEN, "ok": OK, "unknown": UNKNOWN}[found], deliveries=found)


def test_what_failed_to_deliver_is_over_with_the_next_evaluation(watched: Watched) -> None:
    begin = watched.world.clock.now
    for _ in range(3):
        watched.wait(1200)
        watched.run(MAIN, "failure", exit_code=4)
    out = watched.watch(code=BROKEN, deliveries="broken")
    assert f'"since": {begin + 1200:.1f}' in out
    watched.run(MAIN, "cancelled")
    watched.watch(code=BROKEN, deliveries="broken")
    watched.run(MAIN)
    watched.watch(code=OK, deliveries="ok")


def test_runs_that_prove_nothing_end_nothing(watched: Watched) -> None:
    """Cancelled, or with a source that was down: perhaps nothing was to be delivered."""
    begin = watched.world.clock.now
    watched.wait(60)
    watched.run(MAIN, "failure", exit_code=4)
    for exit_code in (3, 0, 3):
        watched.wait(60)
        watched.run(MAIN, "failure" if exit_code else "cancelled", exit_code=exit_code)
        assert f'"since": {begin + 60:.1f}' in watched.watch(code=BROKEN, deliveries="broken")
    watched.run(MAIN, "failure", exit_code=11)
    watched.watch(code=OK, deliveries="ok")


@pytest.mark.parametrize(("conclusion", "count"), [("cancelled", 50), ("skipped", 50), ("failure", 10)])
def test_without_any_proof_deliveries_are_unknown(watched: Watched, conclusion: str, count: int) -> None:
    for _ in range(count):
        watched.run(MAIN, conclusion, exit_code=3)
    watched.watch(code=UNKNOWN, deliveries="unknown")
    assert "proves that pages and issues arrive" in watched.what("deliveries")


def test_without_the_permission_deliveries_are_unknown(watched: Watched) -> None:
    watched.run(MAIN, "failure", exit_code=4)
    weak = watched.state.add_token(permissions={"issues": "write", "actions": "read", "contents": "read"})
    watched.world.setenv("GITHUB_TOKEN", weak)
    out = watched.watch(code=UNKNOWN, deliveries="unknown")
    assert "checks: read" in out


@pytest.fixture
def wandb(watched: Watched) -> Any:
    with Server(WandbStandIn()) as server:
        watched.world.setenv("WANDB_BASE_URL", server.url)
        watched.world.setenv("WANDB_API_KEY", "f" * 40)
        yield server


def log(server: Server[WandbStandIn], name: str, *times: float, tags: tuple[str, ...] = ("production",)) -> None:
    rows = [{"_timestamp": time, "_step": step, "acc": 0.9} for step, time in enumerate(times)]
    summary = {"_timestamp": times[-1]} if times else {}
    server.standin.state.add_run(
        "acme", "churn-prod", name, history=rows, created_at=1.0, tags=list(tags), summary=summary
    )


def test_data_that_does_not_advance(watched: Watched, wandb: Server[WandbStandIn]) -> None:
    project = ("--wandb", "acme/churn-prod", "--wandb-tag", "production")
    now = watched.world.clock.now
    log(wandb, "old", now - 7 * HOUR)
    log(wandb, "other", now, tags=("test",))
    watched.watch(*project, code=BROKEN, wandb_data="broken")
    watched.watch(*project, "--wandb-max-age", "8h", code=OK, wandb_data="ok")
    log(wandb, "wrong-clock", now + 3 * DAY)
    watched.watch(*project, code=BROKEN, wandb_data="broken")
    log(wandb, "new", now - 60)
    watched.watch(*project, code=OK, wandb_data="ok")


def test_a_project_that_cannot_be_read_is_unknown(watched: Watched, wandb: Server[WandbStandIn]) -> None:
    out = watched.watch("--wandb", "acme/nothing", code=UNKNOWN, wandb_data="unknown")
    assert "no such project" in out
    watched.world.delenv("WANDB_API_KEY")
    watched.watch("--wandb", "acme/churn-prod", code=UNKNOWN, wandb_data="unknown")


def test_what_cannot_be_checked_hides_nothing_that_is_broken(watched: Watched, wandb: Server[WandbStandIn]) -> None:
    log(wandb, "old", watched.world.clock.now - 7 * HOUR)
    watched.world.setenv("BAD", "github_pat_gone")
    projects = ("--wandb", "acme/nothing", "--wandb", "acme/churn-prod")
    tokens = ("--token", "MISSING", "--token", "BAD")
    watched.watch(*projects, *tokens, code=BROKEN, wandb_data="broken", token_expiry="broken", rate_limits="unknown")
    for condition in ("wandb-data", "token-expiry"):
        assert "cannot be checked for `" in watched.what(condition, *projects, *tokens)
    log(wandb, "new", watched.world.clock.now)
    tokens = ("--token", "GITHUB_TOKEN", "--token", "MISSING")
    without = watched.watch(*projects, *tokens, code=BROKEN, rate_limits="unknown")
    assert without.count("what cannot be checked counts as broken") == 2, "they were broken before"
    assert "or leave it out: `--without rate-limits`" in without


def test_a_project_without_data_is_broken(watched: Watched, wandb: Server[WandbStandIn]) -> None:
    log(wandb, "empty")
    watched.watch("--wandb", "acme/churn-prod", code=BROKEN, wandb_data="broken")


def test_a_stale_dashboard(watched: Watched) -> None:
    site = ("--dashboard", f"{watched.site.url}/")
    watched.watch(*site, code=OK, dashboard="ok")
    assert watched.site.standin.built is not None
    watched.site.standin.built -= 3 * HOUR + 1
    watched.watch(*site, code=BROKEN, dashboard="broken")
    watched.site.standin.built = None
    watched.watch(*site, "--without", "evaluations", code=BROKEN, dashboard="broken")


def test_a_dashboard_that_is_not_there_is_unknown(watched: Watched) -> None:
    watched.site.standin.built = None
    out = watched.watch("--dashboard", watched.site.url, code=UNKNOWN, dashboard="unknown")
    assert "it answered 404" in out


def test_the_time_is_where_the_dashboard_command_writes_it(watched: Watched) -> None:
    watched.world.metrics(0.92, 0.92)
    watched.world.at(3)
    assert watched.world.run("dashboard", "--out", "site").code == 0
    written = watched.world.read("site/assets/built.js")
    assert written == f"window.modelwatchBuilt = {watched.world.clock.now:.0f};\n"


@pytest.mark.parametrize(
    ("kind", "days", "found"),
    [("user", 15, "ok"), ("user", 14, "broken"), ("user", 0.1, "broken"), ("user", None, "ok"), ("app", 1, "ok")],
)
def test_tokens_that_end(watched: Watched, kind: str, days: float | None, found: str) -> None:
    end = None if days is None else watched.world.clock.now + days * DAY
    watched.world.setenv("DISPATCH_TOKEN", watched.state.add_token("alice", kind=kind, expires=end))
    tokens = ("--token", "GITHUB_TOKEN", "--token", "DISPATCH_TOKEN")
    watched.watch(*tokens, code=OK if found == "ok" else BROKEN, token_expiry=found)


def test_a_token_that_has_ended(watched: Watched) -> None:
    watched.world.setenv("DISPATCH_TOKEN", "github_pat_gone")
    out = watched.watch("--token", "DISPATCH_TOKEN", code=BROKEN, token_expiry="broken", rate_limits="unknown")
    assert "has expired or was revoked" in out
    assert "github_pat_gone" not in out


def test_a_token_that_is_not_set_is_unknown(watched: Watched) -> None:
    watched.watch("--token", "DISPATCH_TOKEN", code=UNKNOWN, token_expiry="unknown", rate_limits="unknown")


def test_a_rate_limit_that_is_nearly_used_up(watched: Watched) -> None:
    token = watched.state.add_token()
    watched.world.setenv("OTHER", token)
    for _ in range(790):
        watched.state.limits.check(token, "app", content=False)
    watched.watch("--token", "OTHER", code=OK, rate_limits="ok")
    for _ in range(20):
        watched.state.limits.check(token, "app", content=False)
    watched.watch("--token", "OTHER", code=BROKEN, rate_limits="broken")
    watched.wait(HOUR + 1)
    watched.run(MAIN)
    watched.watch("--token", "OTHER", code=OK, rate_limits="ok")


def test_outdated_actions_and_how_far(watched: Watched) -> None:
    library = watched.state.repo(ACTIONS)
    for release in ("v1.1.0", "v1.2.0"):
        watched.wait(10 * DAY)
        for commit in range(5):
            watched.state.add_file(library, f"file-{release}-{commit}", "two")
        watched.state.add_release(library, release)
    watched.state.add_release(library, "v2.0.0-rc1", prerelease=True)
    watched.run(MAIN)
    watched.watch(code=OK, pinned_actions="ok")
    assert "2 releases (11 commits) behind `v1.2.0`, which is young" in watched.what("pinned-actions")
    watched.wait(20 * DAY)
    watched.run(MAIN)
    watched.watch(code=BROKEN, pinned_actions="broken")
    pin = library.git.branches["main"]
    watched.state.add_file(
        watched.repo, f".github/workflows/{MAIN}", scheduled(MAIN, f"{ACTIONS}/actions/gather@{pin}")
    )
    watched.watch(code=OK, pinned_actions="ok")


def test_without_our_actions_nothing_is_outdated(watched: Watched) -> None:
    watched.watch("--actions", "other/actions", code=OK, pinned_actions="ok")


def test_a_pin_that_is_not_there_is_unknown(watched: Watched) -> None:
    watched.state.add_file(watched.repo, ".github/workflows/x.yml", scheduled("x", f"{ACTIONS}/actions/x@{'0' * 40}"))
    watched.watch(code=UNKNOWN, pinned_actions="unknown")


def test_a_drill_that_is_silent(watched: Watched) -> None:
    drill = ("--drill", DRILL)
    watched.run(DRILL)
    watched.wait(35 * DAY)
    watched.run(MAIN)
    watched.watch(*drill, code=OK, drill="ok")
    watched.wait(HOUR)
    watched.run(DRILL, "failure")
    watched.watch(*drill, code=BROKEN, drill="broken")
    watched.run(DRILL)
    watched.watch(*drill, code=OK, drill="ok")


def test_what_is_not_configured_is_not_checked(watched: Watched) -> None:
    ran = watched.world.run("watchdog", "--repository", REPOSITORY, "--format", "json", "--without", "deliveries")
    names = {row["name"] for row in ran.json["conditions"]}
    assert names.isdisjoint({"wandb-data", "dashboard", "drill", "deliveries"})


def test_a_workflow_that_is_not_there_is_unknown(watched: Watched) -> None:
    watched.watch("--workflow", "none.yml", code=UNKNOWN, evaluations="unknown", schedule="unknown")


def test_an_odd_answer_is_unknown_and_stops_nothing(watched: Watched) -> None:
    odd = '{"workflow_runs": [{"id": "x"}]}'
    watched.world.github.inject(Fault("status", path="/runs$", status=200, times=-1, body=odd))
    watched.watch(code=UNKNOWN, evaluations="unknown", deliveries="unknown", schedule="ok")
