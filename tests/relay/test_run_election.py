"""Of several workflow runs with one id the lowest that has not failed proceeds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.cli import main
from modelwatch.clients.github import GitHubClient
from modelwatch.clients.retry import RetryPolicy
from modelwatch.errors import ServiceError, UserError
from modelwatch.relay.run_election import FAILED_CONCLUSIONS, ElectionResult, RunElection, WorkflowRun, elect
from modelwatch.testing.standins.github import GitHubStandIn, RunControl
from modelwatch.testing.standins.http import Server

from .world import REPOSITORY, WORKFLOW, RelayProcess, ids, incident

STATES = st.sampled_from([("queued", ""), ("in_progress", ""), ("completed", "success"), ("completed", "failure")])


@given(st.dictionaries(st.integers(1, 50), st.tuples(st.sampled_from(["A", "B"]), STATES), min_size=1), st.data())
def test_at_most_one_proceeds_and_never_none(
    found: dict[int, tuple[str, tuple[str, str]]], data: st.DataObject
) -> None:
    runs = [WorkflowRun(number, f"PagerDuty {name}", *state) for number, (name, state) in found.items()]
    name = data.draw(st.sampled_from([run.title.split()[1] for run in runs]))
    alive = sorted(run.id for run in runs if run.has_id(name) and not run.failed)
    told = {own: elect(name, own, runs) for own in alive}
    assert [own for own, decision in told.items() if decision and decision.proceed] == alive[:1]


def test_an_id_is_a_word_of_the_title_and_not_a_part_of_one() -> None:
    runs = [WorkflowRun(1, "PagerDuty AB", "queued", ""), WorkflowRun(2, "PagerDuty A", "queued", "")]
    decision = elect("A", 2, runs)
    assert decision is not None
    assert decision.proceed
    assert elect("A", 3, runs) is None


@pytest.mark.parametrize("conclusion", sorted(FAILED_CONCLUSIONS))
def test_a_higher_one_takes_the_place_of_one_that_failed(conclusion: str) -> None:
    runs = [
        WorkflowRun(1, "X A", "completed", conclusion),
        WorkflowRun(2, "X A", "queued", ""),
        WorkflowRun(3, "X A", "queued", ""),
    ]
    assert [elect("A", own, runs) for own in (2, 3)] == [
        ElectionResult(True, "the 1 workflow runs before it failed"),
        ElectionResult(False, "workflow run 2 carries the same event and came first"),
    ]


def guard(github: Server[GitHubStandIn], settle: float = 0.0, tries: int = 10) -> RunElection:
    token = github.standin.state.add_token("github-actions[bot]", {"actions": "read"})
    client = GitHubClient(github.url, token, RetryPolicy(max_attempts=3, initial_wait=0.0, timeout=10.0))
    return RunElection(client, REPOSITORY, WORKFLOW, time.time, settle, 0.05, tries)


def runs_of(github: Server[GitHubStandIn]) -> list[int]:
    return sorted(github.standin.state.repo(REPOSITORY).runs.items)


def test_two_relays_and_one_of_their_workflow_runs_proceeds(
    another: Callable[..., RelayProcess], github: Server[GitHubStandIn]
) -> None:
    """Neither relay knows of the other: every event becomes two workflow runs, and takes effect once."""
    effects: list[str] = []

    def execute(control: RunControl) -> None:
        control.start()
        name = control.run.title.split()[-1]
        if guard(github).decide(name, control.run_id, time.time() - 60).proceed:
            effects.append(name)
        control.finish("success")

    relays = [another(), another()]
    github.standin.state.executor = execute
    try:
        threads = [
            threading.Thread(target=relay.send, args=(incident(f"E{number}"),))
            for number in range(12)
            for relay in relays
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ids(github)) == 24
        until = time.monotonic() + 60
        runs = github.standin.state.repo(REPOSITORY).runs.items
        while time.monotonic() < until and any(run.status != "completed" for run in runs.values()):
            time.sleep(0.05)
    finally:
        github.standin.state.executor = None
    assert sorted(effects) == sorted(f"E{number}" for number in range(12))


def test_a_list_that_lags_is_waited_for(relay: RelayProcess, github: Server[GitHubStandIn]) -> None:
    state = github.standin.state
    try:
        relay.send(incident("LAG"))
        state.lag.seconds = 1.0
        relay.kill()
        relay.start()  # it has forgotten everything
        relay.send(incident("LAG"))
        first, second = runs_of(github)
        assert not guard(github, tries=60).decide("LAG", second, time.time() - 60).proceed
        assert guard(github, tries=60).decide("LAG", first, time.time() - 60).proceed
    finally:
        state.catch_up_lists()


def test_who_would_proceed_waits_until_the_list_can_be_trusted(
    relay: RelayProcess, github: Server[GitHubStandIn]
) -> None:
    relay.send(incident("SETTLE"))
    (own,) = runs_of(github)
    github.requests.clear()
    assert guard(github, settle=2.5, tries=100).decide("SETTLE", own, time.time() - 60).proceed
    assert len(github.requests) > 3


def test_more_workflow_runs_than_one_query_lists(
    relay: RelayProcess, github: Server[GitHubStandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelwatch.relay.run_election.MAX_LISTED_RUNS", 5)
    for number in range(12):
        relay.send(incident(f"MANY{number}"))
        time.sleep(0.25 if number % 4 == 3 else 0)
    assert guard(github).decide("MANY0", runs_of(github)[0], time.time() - 60).proceed
    assert guard(github).decide("MANY11", runs_of(github)[-1], time.time() - 60).proceed


def test_what_cannot_be_seen_is_not_guessed(relay: RelayProcess, github: Server[GitHubStandIn]) -> None:
    relay.send(incident("SEEN"))
    (own,) = runs_of(github)
    with pytest.raises(UserError, match="does not carry OTHER"):
        guard(github).decide("OTHER", own, time.time() - 60)
    with pytest.raises(ServiceError, match="does not list"):
        guard(github, tries=2).decide("SEEN", own + 1, time.time() - 60)
    blind = RunElection(
        GitHubClient(github.url, "nobody", RetryPolicy(max_attempts=1)), REPOSITORY, WORKFLOW, time.time, 0.0, 0.0
    )
    with pytest.raises(ServiceError, match="401"):
        blind.decide("SEEN", own, time.time() - 60)


def test_the_step_sets_its_outputs(
    relay: RelayProcess, github: Server[GitHubStandIn], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CLI", "CLI-2"):
        relay.send(incident(name))
    first, _ = runs_of(github)
    env = {
        "GITHUB_API_URL": github.url,
        "GITHUB_TOKEN": github.standin.state.add_token(permissions={"actions": "read"}),
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_WORKFLOW_REF": f"{REPOSITORY}/.github/workflows/{WORKFLOW}@refs/heads/main",
        "GITHUB_RUN_ID": str(first),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "MODELWATCH_WAIT_SCALE": "0.01",
    }
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main(["relay", "proceed", "--id", "CLI"])
    assert ended.value.code == 0
    assert "\ntrue\n" in (tmp_path / "output").read_text()
    monkeypatch.setenv("GITHUB_TOKEN", "nobody-at-all")
    with pytest.raises(SystemExit) as ended:
        main(["relay", "proceed", "--id", "CLI"])
    assert ended.value.code == 4
