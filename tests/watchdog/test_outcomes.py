"""One issue and one page for whatever is broken, however often and however interrupted; both end with proof."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github.issue_actions import set_labels
from modelwatch.watchdog.condition import ConditionResult, State, quote
from modelwatch.watchdog.examination import CONDITIONS
from modelwatch.watchdog.memory import ConditionMemory, decode_memory, encode_memory, settle
from tests.cli.world import REPOSITORY

from .conftest import DAY, HOUR, MAIN, Watched

OK, UNKNOWN, BROKEN, PARTIAL = 0, 10, 11, 4
NO_GITHUB = Fault("status", path="^/repos/acme", status=503, times=-1)


def look(watched: Watched, code: int, *arguments: str) -> str:
    ran = watched.world.run("watchdog", "--repository", REPOSITORY, *arguments)
    assert ran.code == code, ran.out + ran.err
    return ran.out + ran.err


def statuses(watched: Watched) -> list[str]:
    return [incident.status for incident in watched.world.incidents]


def test_one_issue_and_one_page_until_every_check_is_ok(watched: Watched) -> None:
    watched.wait(3 * HOUR)
    for _ in range(3):
        look(watched, BROKEN)
    (issue,) = watched.world.issues
    assert (issue.title, issue.state, issue.labels) == (
        "Watchdog: evaluations have stopped",
        "open",
        ("modelwatch-watchdog",),
    )
    assert "Evaluations have stopped** (since 2026-11-20 01:00 UTC). `modelwatch.yml` succeeded last at" in issue.body
    assert statuses(watched) == ["triggered"]
    assert watched.world.comments == []
    watched.run(MAIN)
    look(watched, OK)
    (issue,) = watched.world.issues
    assert (issue.state, issue.state_reason) == ("closed", "completed")
    assert "Every check is ok again" in issue.body
    assert "- **evaluations**: `modelwatch.yml` succeeded last at 2026-11-20 03:00 UTC" in issue.body
    assert statuses(watched) == ["resolved"]
    look(watched, OK)
    assert len(watched.world.issues) == 1
    watched.wait(3 * HOUR)
    look(watched, BROKEN)
    assert [issue.state for issue in watched.world.issues] == ["closed", "open"]
    assert statuses(watched) == ["resolved", "triggered"]


def test_what_breaks_meanwhile_is_one_comment(watched: Watched) -> None:
    watched.wait(3 * HOUR)
    look(watched, BROKEN)
    watched.run(MAIN, "failure", exit_code=4)
    for _ in range(2):
        look(watched, BROKEN)
    (comment,) = watched.world.comments
    assert "Pages or issues are not delivered" in comment
    assert "Evaluations" not in comment
    assert watched.world.issues[0].title == "Watchdog: evaluations have stopped, and 1 more"


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_write_without_an_answer_repeats_nothing(watched: Watched, method: str, times: int) -> None:
    watched.wait(3 * HOUR)
    look(watched, BROKEN)
    watched.run(MAIN, "failure", exit_code=4)
    watched.world.github.inject(Fault("drop", method=method, path="/issues/1", times=times))
    for _ in range(times):
        look(watched, PARTIAL)
    look(watched, BROKEN)
    look(watched, BROKEN)
    assert len(watched.world.issues) == len(watched.world.comments) == 1


def test_github_down_still_pages(watched: Watched) -> None:
    """Nothing can be checked, nor counted: somebody is told, and nobody is woken by what may be over in an hour."""
    watched.world.github.inject(NO_GITHUB)
    out = look(watched, PARTIAL)
    assert "the issue cannot be read" in out
    assert statuses(watched) == ["triggered"]
    payload = watched.world.incidents[0].event["payload"]
    assert (payload["severity"], "evaluations cannot be checked" in payload["summary"]) == ("warning", True)
    look(watched, PARTIAL)
    assert statuses(watched) == ["triggered"]
    watched.world.github.faults.clear()
    look(watched, OK)
    assert statuses(watched) == ["resolved"]


def test_github_down_ends_nothing_that_is_urgent(watched: Watched) -> None:
    watched.wait(3 * HOUR)
    look(watched, BROKEN)
    watched.world.github.inject(NO_GITHUB)
    look(watched, PARTIAL)
    assert statuses(watched) == ["triggered", "triggered"]
    watched.world.github.faults.clear()
    watched.run(MAIN)
    look(watched, OK)
    assert statuses(watched) == ["resolved", "resolved"]


def test_what_cannot_be_remembered_is_paged_at_once(watched: Watched) -> None:
    watched.world.github.inject(Fault("status", method="POST", path="/issues", status=410, times=-1))
    watched.world.github.inject(Fault("status", path="/releases", status=500, times=-1))
    look(watched, PARTIAL)
    assert statuses(watched) == ["triggered"]


@pytest.mark.parametrize(
    "fault", [Fault("hang", seconds=3.0, times=-1), Fault("drop", times=-1)], ids=["hangs", "drops"]
)
def test_a_github_that_does_not_answer_delays_no_page_for_long(watched: Watched, fault: Fault) -> None:
    """Its time is bounded as a whole: what it cost already, no further check waits for."""
    watched.world.setenv("MODELWATCH_TIMEOUT_SCALE", "0.01")
    watched.world.github.inject(fault)
    out = look(watched, PARTIAL)
    assert "the issue cannot be read" in out
    assert statuses(watched) == ["triggered"]
    assert len([request for request in watched.world.github.requests if request.path.endswith("/runs")]) < 10


def test_pagerduty_down_still_opens_the_issue(watched: Watched) -> None:
    watched.wait(3 * HOUR)
    watched.world.pagerduty.inject(Fault("status", status=400, times=-1))
    out = look(watched, PARTIAL)
    assert "nobody could be paged" in out
    assert len(watched.world.issues) == 1
    watched.world.pagerduty.faults.clear()
    look(watched, BROKEN)
    assert statuses(watched) == ["triggered"]


def test_what_blinds_is_an_error_and_the_rest_a_warning(watched: Watched) -> None:
    site = ("--dashboard", watched.site.url)
    watched.site.standin.built = 1_000_000_000.0
    look(watched, BROKEN, *site)
    (incident,) = watched.world.incidents
    assert incident.event["payload"]["severity"] == "warning"
    assert incident.event["payload"]["summary"] == "modelwatch of acme/churn-model: the dashboard is stale"
    assert "modelwatch works, but 1 of 7 checks" in watched.world.issues[0].body
    watched.wait(3 * HOUR)
    look(watched, BROKEN, *site)
    assert "modelwatch may be blind: 2 of 7 checks" in watched.world.issues[0].body
    assert statuses(watched) == ["resolved", "triggered"]
    urgent = watched.world.incidents[1].event["payload"]
    assert (urgent["severity"], set(urgent["custom_details"])) == ("error", {"evaluations", "dashboard"})
    assert urgent["summary"].endswith("acme/churn-model may be blind: evaluations have stopped, and 1 more")
    watched.run(MAIN)
    for _ in range(2):
        look(watched, BROKEN, *site)
        assert statuses(watched) == ["resolved", "resolved", "triggered"]
    look(watched, OK, "--without", "dashboard")
    assert statuses(watched) == ["resolved"] * 3
    assert "### Not checked any more\n\n- **dashboard**" in watched.world.issues[0].body


def test_without_a_routing_key_there_is_the_issue_alone(watched: Watched) -> None:
    watched.world.delenv("PAGERDUTY_ROUTING_KEY")
    watched.wait(3 * HOUR)
    look(watched, BROKEN)
    assert len(watched.world.issues) == 1
    assert statuses(watched) == []


def test_a_dry_run_writes_nothing(watched: Watched) -> None:
    watched.wait(3 * HOUR)
    look(watched, BROKEN, "--dry-run")
    assert watched.world.writes() == []


def test_what_cannot_be_checked_pages_at_the_third_time(watched: Watched) -> None:
    watched.world.github.inject(Fault("status", path="/releases", status=500, times=-1))
    for code, pages in ((UNKNOWN, 0), (UNKNOWN, 0), (BROKEN, 1), (BROKEN, 1)):
        look(watched, code)
        assert len(statuses(watched)) == pages
    (issue,) = watched.world.issues
    assert "what cannot be checked counts as broken" in issue.body
    watched.world.github.faults.clear()
    look(watched, OK)
    assert watched.world.issues[0].state == "closed"
    assert statuses(watched) == ["resolved"]


def test_one_that_can_be_checked_again_begins_anew(watched: Watched) -> None:
    fault = Fault("status", path="/releases", status=500, times=-1)
    for _ in range(3):
        watched.world.github.inject(fault)
        look(watched, UNKNOWN)
        look(watched, UNKNOWN)
        watched.world.github.faults.clear()
        look(watched, OK)
    assert statuses(watched) == []


def test_what_was_broken_and_cannot_be_checked_stays_broken(watched: Watched) -> None:
    watched.wait(3 * HOUR)
    look(watched, BROKEN)
    watched.run(MAIN)
    watched.world.github.inject(Fault("status", path="/runs$", status=500, times=-1))
    look(watched, BROKEN)
    assert watched.world.issues[0].state == "open"
    assert statuses(watched) == ["triggered"]


def test_an_issue_that_a_person_closed_rests_for_a_day(watched: Watched) -> None:
    watched.wait(3 * HOUR)
    look(watched, BROKEN)
    watched.world.github.standin.person(REPOSITORY, "alice").close_issue(1)
    watched.wait(HOUR)
    look(watched, BROKEN)
    assert watched.world.issues[0].state == "closed"
    watched.wait(DAY)
    look(watched, BROKEN)
    assert [issue.state for issue in watched.world.issues] == ["open"]


def test_a_closed_issue_goes_on_counting(watched: Watched) -> None:
    site = ("--dashboard", watched.site.url)
    watched.site.standin.built = 1_000_000_000.0
    look(watched, BROKEN, *site)
    watched.world.github.standin.person(REPOSITORY, "alice").close_issue(1)
    watched.world.github.inject(Fault("status", path="/releases", status=500, times=-1))
    for state in ("closed", "closed", "open"):
        look(watched, BROKEN, *site)
        assert [issue.state for issue in watched.world.issues] == [state]
    assert "what cannot be checked counts as broken" in watched.world.issues[0].body


def test_what_recovers_and_breaks_again_reopens_the_issue(watched: Watched) -> None:
    site = ("--dashboard", watched.site.url)
    watched.site.standin.built = 1_000_000_000.0
    watched.run(MAIN, "failure", exit_code=4)
    look(watched, BROKEN, *site)
    watched.world.github.standin.person(REPOSITORY, "alice").close_issue(1)
    watched.run(MAIN)
    look(watched, BROKEN, *site)
    assert watched.world.issues[0].state == "closed"
    watched.run(MAIN, "failure", exit_code=4)
    look(watched, BROKEN, *site)
    assert watched.world.issues[0].state == "open"


def resolve(watched: Watched) -> None:
    """A person resolves the newest incident."""
    state = watched.world.pagerduty.standin.state
    state.resolve_as_person(state.incidents[-1])


def test_an_incident_that_a_person_resolved_rests_for_a_day(watched: Watched) -> None:
    watched.wait(3 * HOUR)
    look(watched, BROKEN)
    resolve(watched)
    look(watched, BROKEN)
    assert statuses(watched) == ["resolved"]
    watched.run(MAIN, "failure", exit_code=4)
    look(watched, BROKEN)
    assert statuses(watched) == ["resolved", "triggered"], "something else is broken"
    resolve(watched)
    watched.wait(DAY - 60)
    look(watched, BROKEN)
    assert statuses(watched) == ["resolved", "resolved"]
    watched.world.github.standin.person(REPOSITORY, "alice").close_issue(1)
    watched.wait(HOUR)
    look(watched, BROKEN)
    assert statuses(watched) == ["resolved", "resolved"], "the issue was closed an hour ago"
    watched.wait(DAY)
    look(watched, BROKEN)
    assert statuses(watched) == ["resolved", "resolved", "triggered"]


def test_a_page_that_failed_is_sent_by_the_next_look(watched: Watched) -> None:
    watched.wait(3 * HOUR)
    look(watched, BROKEN)
    resolve(watched)
    watched.run(MAIN, "failure", exit_code=4)
    watched.world.pagerduty.inject(Fault("status", status=400, times=-1))
    look(watched, PARTIAL)
    watched.world.github.standin.person(REPOSITORY, "alice").close_issue(1)
    watched.world.pagerduty.faults.clear()
    look(watched, BROKEN)
    assert statuses(watched) == ["resolved", "triggered"]


def test_an_issue_without_its_label_is_found(watched: Watched) -> None:
    watched.wait(3 * HOUR)
    look(watched, BROKEN)
    (issue,) = watched.world.issues
    watched.repo.issues.put(1, replace(issue, labels=()))
    look(watched, BROKEN)
    assert len(watched.world.issues) == 1


def test_an_issue_of_somebody_else_is_not_ours(watched: Watched) -> None:
    """Its text says that everything is known to be broken, with the label."""
    forged = encode_memory({"evaluations": ConditionMemory(State.BROKEN, 0.0)})
    person = watched.world.github.standin.person(REPOSITORY, "alice")
    person.open_issue("Watchdog", forged, labels=["modelwatch-watchdog"])
    watched.wait(3 * HOUR)
    look(watched, BROKEN)
    assert [issue.login for issue in watched.world.issues] == ["alice", "github-actions[bot]"]


def open_alert(watched: Watched) -> None:
    """An alert of modelwatch's own, by the same account: an issue, and an incident."""
    watched.world.metrics(0.92, 0.85, 0.85)
    watched.world.at(3)
    watched.run(MAIN)
    ran = watched.world.run("run")
    assert ran.code == 0, ran.err
    assert [issue.state for issue in watched.world.issues] == ["open"]
    assert statuses(watched) == ["triggered"]


@pytest.mark.parametrize("labels", [(), ("modelwatch-watchdog",)])
@pytest.mark.parametrize("state", ["open", "closed"])
def test_an_alert_of_the_same_account_is_never_written_to(
    watched: Watched, labels: tuple[str, ...], state: str
) -> None:
    open_alert(watched)
    (alert,) = watched.world.issues
    if labels:
        alert = set_labels(watched.state, watched.repo, alert, "alice", [*alert.labels, *labels])
    alert = replace(alert, state=state)
    watched.repo.issues.put(alert.number, alert)
    for wait, code in ((0.0, OK), (3 * HOUR, BROKEN), (0.0, BROKEN)):
        watched.wait(wait)
        look(watched, code)
    watched.run(MAIN)
    look(watched, OK)
    assert watched.repo.issues.items[alert.number] == alert
    assert [issue.title for issue in watched.world.issues] == [alert.title, "Watchdog: evaluations have stopped"]
    assert statuses(watched) == ["triggered", "resolved"]


def test_the_evaluation_after_the_watchdog_pages_nobody_again(watched: Watched) -> None:
    open_alert(watched)
    look(watched, OK)
    watched.wait(HOUR)
    assert watched.world.run("run").code == 0
    assert len(watched.world.issues) == 1
    assert statuses(watched) == ["triggered"]


def test_wrong_usage_is_one_clear_line(watched: Watched) -> None:
    everything = [part for name in CONDITIONS for part in ("--without", name)]
    for arguments, told in (
        (["--wandb", "churn"], "no project of W&B"),
        (["--every", "soon"], "is not a duration"),
        (["--without", "evaluation"], "Did you mean `evaluations`?"),
        (["--repository", "churn"], "is not a repository"),
        (["--repository", "../.."], "is not a repository"),
        (["--actions", "modelwatch"], "is not a repository"),
        (["--dashboard", "https://acme.example/?signature=k3y"], "has a query or a password"),
        (everything, "every check is left out"),
    ):
        ran = watched.world.run("watchdog", "--repository", REPOSITORY, *arguments)
        assert told in ran.err
        assert (ran.code, ran.out) == (2, "")
        assert "k3y" not in ran.err
        assert watched.world.writes() == []
    assert "needs to know the repository" in watched.world.run("watchdog").err


def test_hostile_text_stays_in_its_code_span() -> None:
    text = quote("`](http://x) @alice\n<!-- --> **x**" + "x" * 500)
    assert text.count("`") == 2
    assert "\n" not in text
    assert len(text) <= 202


OWN = encode_memory({})


@pytest.mark.parametrize(
    "body", ["", "no marker", f"> {OWN}", f"`{OWN}`", f"{OWN}\nand more", "<!-- modelwatch-watchdog: drill.1 -->"]
)
def test_a_text_without_the_marker_at_its_end_is_not_ours(body: str) -> None:
    assert decode_memory(body) is None


@pytest.mark.parametrize(
    "body", ["<!-- modelwatch-watchdog {} -->", "<!-- modelwatch-watchdog {x} -->", f"one\n{OWN}\n"]
)
def test_a_memory_that_is_garbled_or_empty_is_empty(body: str) -> None:
    assert decode_memory(body) == {}


def test_memory_comes_back_as_it_was() -> None:
    memory = {"drill": ConditionMemory(State.UNKNOWN, 12.5, 2), "schedule": ConditionMemory(State.BROKEN, 3.0, 0, 4.5)}
    assert decode_memory(f"text\n{encode_memory(memory)}\n") == memory


def test_every_path_of_three_looks_closes_only_with_proof() -> None:
    """Whatever was seen before: only a check that is ok ends what is broken."""
    for path in itertools.product(State, repeat=3):
        memory: dict[str, ConditionMemory] = {}
        state, broken = State.OK, False
        for time, found in enumerate(path):
            (result,), kept = settle([ConditionResult("drill", found, "it is")], memory, float(time))
            memory, state = dict(kept), result.state
            broken = state is State.BROKEN or (broken and found is not State.OK)
            assert (state is State.OK) == (found is State.OK)
            assert state is State.BROKEN or not broken
