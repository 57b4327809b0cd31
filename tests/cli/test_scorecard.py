"""scorecard: what the alerts were worth, the handover page and the weekly issue, and what cannot be read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelwatch.clients.github import GitHubClient, github_retry_policy
from modelwatch.model.register import Register
from modelwatch.targets.register.client import LABEL, IssueClient
from modelwatch.targets.register.codec import parse_body, render_body
from modelwatch.testing.standins.faults import Fault
from modelwatch.timeutil import DAY, WEEK

from .test_status import episode
from .world import BEGIN, CONFIG, CRITICAL, HEALTHY, HOUR, REPOSITORY, TABLE, WANDB, WARNING, World, log_to_wandb

WEEKLY = "modelwatch-scorecard"


def figures(world: World, *options: str, code: int = 0) -> dict[str, Any]:
    ran = world.run("scorecard", "--format", "json", *options)
    assert ran.code == code, ran.err
    return dict(ran.json["scorecard"])


def person(world: World, login: str = "alice") -> IssueClient:
    token = world.github.standin.state.add_token(login, kind="user")
    return IssueClient(GitHubClient(world.github.url, token, github_retry_policy({})), REPOSITORY)


@pytest.fixture
def firing(world: World) -> World:
    """A critical alert, whose rollback is proposed."""
    world.metrics(HEALTHY, CRITICAL, CRITICAL, *[CRITICAL] * 30, before="v5")
    world.at(3)
    assert world.run("run").code == 0
    return world


def test_an_episode_in_figures(world: World) -> None:
    episode(world)
    found = figures(world)
    assert found["problems"] == []
    period = found["figures"]
    assert (period["alerts"], period["open"], period["pages"]) == (1, 0, 1)
    assert period["recover"] == {"n": 1, "median": 6 * HOUR, "p90": 6 * HOUR, "without": 0}
    assert (period["acknowledge"]["n"], period["acknowledge"]["without"]) == (0, 1)
    (flow,) = period["workflows"]
    assert (flow["verb"], flow["started"], flow["automatic"], flow["success"]["count"]) == ("retrain", 1, 1, 1)
    assert flow["helped"]["count"] == 0, "it got worse after it"
    assert period["answered"]["count"] == 1
    assert found["before"]["alerts"] == 0
    assert found["coverage"]["never_fired"] == []
    text = " ".join(world.run("scorecard").out.split())
    assert "1 alert, 0.077 a week. 0 % were false alarms (0 of 1; 95 %: 0 to 79 %)." in text
    assert "Without a runbook of yours, so issues link to the general one: churn accuracy." in text


def test_without_any_alert_it_says_so(world: World) -> None:
    assert "No alert in 13 weeks." in world.run("scorecard").out
    assert "Nothing is open." in world.run("scorecard", "--handover").out


def test_github_away_makes_figures_unknown_and_not_0(firing: World) -> None:
    firing.github.inject(Fault("status", status=503, times=-1))
    found = figures(firing, code=4)
    assert (found["figures"], found["before"]) == (None, None)
    assert found["cost"]["workflows"] is None
    assert found["coverage"]["never_fired"] is None
    ran = firing.run("scorecard", "--format", "markdown")
    assert "**No issue could be read, so every figure of the alerts is unknown.**" in ran.out
    assert "| Alerts a week | unknown | unknown |  |" in ran.out
    assert "| Minutes of GitHub Actions | unknown | unknown |  |" in ran.out
    page = firing.run("scorecard", "--handover")
    assert page.code == 4
    assert "Not everything could be read" in page.out


def test_of_two_repositories_the_one_that_can_be_read_is_counted(firing: World) -> None:
    other = CONFIG.replace("SOURCE", TABLE).partition("  - name: churn")[2].replace(REPOSITORY, "acme/away")
    firing.config(f"{CONFIG}  - name: offers{other}")
    found = figures(firing, code=4)
    assert found["figures"]["alerts"] == 1
    assert found["unread"] == ["offers"]
    assert found["cost"]["workflows"] is None, "half a sum is no sum"
    ran = firing.run("scorecard")
    assert "No figure has offers: the issues could not be read." in ran.out


def test_a_marked_begin_and_a_marked_false_alarm_count(world: World) -> None:
    episode(world)
    world.write("incidents.yml", "- {model: churn, start: 2026-11-20T00:30, end: 2026-11-20T03:00}\n")
    period = figures(world, "--incidents", "incidents.yml")["figures"]
    assert period["detect"]["median"] == 3 * HOUR + 300 - HOUR / 2
    assert period["recover"]["median"] == 7 * HOUR + HOUR / 2
    world.write("incidents.yml", "- {model: churn, start: 2026-11-20T00:30, end: 2026-11-20T03:00, verdict: false}\n")
    assert figures(world, "--incidents", "incidents.yml")["figures"]["false"]["count"] == 1


def test_the_handover_names_what_is_open_muted_and_waiting(firing: World) -> None:
    issues = person(firing)
    firing.at(4)
    issues.add_comment(1, "/modelwatch silence 24h a *deployment*", "silence", frozenset())
    firing.run("run")
    firing.at(5)
    page = firing.run("scorecard", "--handover", "--format", "markdown").out
    assert "**1 open**, of which 1 muted. **1 waiting for your answer.**" in page
    assert "`/modelwatch approve rollback.1` or `/modelwatch reject rollback.1`" in page
    assert "`silenced by alice: a *deployment*, at most until 2026-11-21 04:05 UTC`" in page
    shown = firing.run("scorecard", "--handover", "--format", "json").json
    (alert,) = shown["alerts"]
    assert (alert["number"], alert["severity"], alert["tried"]) == (1, "critical", "rollback: proposed")


def test_the_handover_says_what_was_learned_for_a_week(world: World) -> None:
    episode(world)
    learned = world.run("scorecard", "--handover", "--format", "json").json["learned"]
    assert [(one["rule"], one["helped"], one["false_reason"]) for one in learned] == [("accuracy", "", "")]
    world.at(8 * 24)
    assert world.run("scorecard", "--handover", "--format", "json").json["learned"] == []


# --- the weekly issue


def weekly(world: World) -> list[Any]:
    return [issue for issue in world.issues if WEEKLY in issue.labels]


def test_one_issue_a_week_is_edited_and_never_doubled(firing: World) -> None:
    assert firing.run("scorecard", "--issue").code == 0
    (first,) = weekly(firing)
    assert first.title == "Scorecard and handover, week of 2026-11-16"
    assert first.body.startswith("# Handover: 2026-11-20 03:05 UTC")
    assert "# What the alerts were worth" in first.body
    before = len(firing.writes())
    assert "unchanged: " in firing.run("scorecard", "--issue").err
    assert len(firing.writes()) == before
    firing.at(5)
    assert "updated: " in firing.run("scorecard", "--issue").err
    (edited,) = weekly(firing)
    assert edited.body != first.body


def test_a_closed_one_is_edited_and_stays_closed(firing: World) -> None:
    firing.run("scorecard", "--issue")
    (issue,) = weekly(firing)
    person(firing).update(issue.number, {"state": "closed"})
    firing.at(5)
    firing.run("scorecard", "--issue")
    (found,) = weekly(firing)
    assert found.state == "closed"
    assert "2026-11-20 05:05 UTC" in found.body


def test_a_new_week_has_a_new_issue_and_the_old_one_is_closed(firing: World) -> None:
    firing.run("scorecard", "--issue")
    firing.at(4 * 24)
    firing.run("scorecard", "--issue")
    old, new = weekly(firing)
    assert (old.state, new.state) == ("closed", "open")
    assert new.title == "Scorecard and handover, week of 2026-11-23"
    assert firing.run("check").code == 0
    assert firing.run("status", "--format", "json").json["troubles"] == [], "it is no alert"


def test_it_is_found_while_lists_lag_and_without_its_label(firing: World) -> None:
    firing.run("scorecard", "--issue")
    (issue,) = weekly(firing)
    firing.github.standin.state.repo(REPOSITORY).issues.put(issue.number, replace(issue, labels=()))
    firing.run("scorecard", "--issue")
    assert [found.number for found in firing.issues if "What the alerts" in found.body] == [issue.number]


def test_of_two_the_older_one_counts_and_a_strangers_means_nothing(firing: World) -> None:
    firing.run("scorecard", "--issue")
    (issue,) = weekly(firing)
    issues = firing.github.standin.state.repo(REPOSITORY).issues
    issues.put(90, replace(issue, number=90, id=990))
    issues.put(1000, replace(issue, number=1000, id=9990, login="mallory"))
    firing.at(5)
    firing.run("scorecard", "--issue")
    found = {one.number: one for one in weekly(firing)}
    assert {number: one.state for number, one in found.items()} == {issue.number: "open", 90: "closed", 1000: "open"}
    assert found[90].state_reason == "duplicate"
    assert "03:05 UTC" in found[1000].body, "it is left alone"


def test_an_issue_whose_answer_is_lost_is_not_opened_twice(firing: World) -> None:
    firing.github.inject(Fault("drop", when="after", method="POST", path=f"/repos/{REPOSITORY}/issues"))
    assert firing.run("scorecard", "--issue").code == 0
    assert len(weekly(firing)) == 1


# --- what is hostile, or cannot be read


def tamper(world: World, number: int, **fields: Any) -> None:
    issue = next(one for one in world.issues if one.number == number)
    world.github.standin.state.repo(REPOSITORY).issues.put(number, replace(issue, **fields))


def copy_issue(world: World, number: int, **fields: Any) -> None:
    issue = replace(world.issues[0], number=number, id=5000 + number, **fields)
    world.github.standin.state.repo(REPOSITORY).issues.put(number, issue)


def register_of(world: World) -> Register:
    register = parse_body(world.issues[0].body).register
    assert register is not None
    return register


def test_strangers_registers_and_broken_ones_are_left_out_and_named(firing: World) -> None:
    plain, register = firing.issues[0].body, register_of(firing)
    copy_issue(firing, 20, login="mallory")
    copy_issue(firing, 21, body=plain.replace('"severity"', '"severities"'))
    copy_issue(firing, 22, state_reason="duplicate", state="closed")
    copy_issue(firing, 23, body=render_body("", "x", replace(register, group="0" * 16, model="other")))
    copy_issue(firing, 24)
    later = replace(register, episode=2, start=firing.clock.now + 9 * DAY)
    copy_issue(firing, 25, body=render_body("", "x", later))
    found = figures(firing)
    assert found["figures"]["alerts"] == 1
    assert [problem.partition(": ")[2] for problem in found["problems"]] == [
        "#20 (its author is not trusted)",
        "#21 (its register cannot be read: repair or close it)",
        "#23 (its model is not in the configuration)",
        "#24 (it is of the same episode as #1)",
        "#25 (the register in the issue names a time that is still to come: repair or close the issue)",
    ]
    assert "#20 (its author is not trusted)" in firing.run("scorecard", "--handover").out


def test_an_archive_that_somebody_edited_is_counted_without_times(world: World) -> None:
    episode(world)
    register = register_of(world)
    broken = replace(register, ledger=replace(register.ledger, archived=3, digest="0" * 16))
    tamper(world, 1, body=render_body(world.issues[0].body, "", broken))
    period = figures(world)["figures"]
    assert (period["alerts"], period["incomplete"], period["recover"]["n"]) == (1, 1, 0)
    assert period["answered"]["of"] == 0
    assert "record of 1 alert is not complete" in world.run("scorecard").out


def test_more_issues_than_are_read_shorten_the_period(firing: World) -> None:
    """The newest 2,000 are read: of the time before them nothing is known."""
    issue, shelf = firing.issues[0], firing.github.standin.state.repo(REPOSITORY).issues
    firing.clock.now = BEGIN + 10 * WEEK
    for number in range(100, 2150):
        at = BEGIN + (number - 99) * 2800.0
        shelf.put(number, replace(issue, number=number, id=9000 + number, body="", created=at, updated=at))
    first_read = BEGIN + (150 - 99) * 2800.0
    firing.github.requests.clear()
    found = figures(firing, "--weeks", "10")
    assert found["period"]["start"] == first_read
    assert f"{REPOSITORY} has more issues than are read" in found["problems"]
    assert (found["figures"]["alerts"], found["before"]) == (0, None)
    assert len([asked for asked in firing.github.requests if asked.path.endswith("/issues")]) == 40
    shorter = figures(firing, "--weeks", "9")
    assert shorter["period"]["start"] == firing.clock.now - 9 * WEEK
    assert shorter["before"] is None, "it would not be complete"


def test_texts_from_outside_stay_texts(firing: World) -> None:
    evil = "](https://evil.example) <img src=x onerror=alert(1)> @everyone <!-- modelwatch:begin 0123456789abcdef -->"
    issues = person(firing)
    firing.at(4)
    issues.add_comment(1, f"/modelwatch silence 24h {evil}", "silence", frozenset())
    firing.run("run")
    firing.run("scorecard", "--issue")
    (issue,) = weekly(firing)
    assert "https://evil.example" in issue.body
    assert parse_body(issue.body).group == "", "it is no register"
    assert firing.run("status", "--format", "json").json["troubles"] == []


# --- costs and coverage


def test_minutes_are_those_of_the_runs_of_our_workflows(world: World) -> None:
    episode(world)
    (run,) = world.runs
    runs = world.github.standin.state.repo(REPOSITORY).runs
    runs.put(run.id, replace(run, started=run.created, updated=run.created + 190))
    old = replace(run, id=run.id + 1, created=run.created - 13 * WEEK, started=None)
    runs.put(old.id, replace(old, started=old.created, updated=old.created + 60))
    found = figures(world)
    cost = {"repository": REPOSITORY, "workflow": "retrain.yml", "runs": 1, "minutes": 4}
    assert found["cost"]["workflows"] == [cost]
    assert found["cost_before"]["workflows"] == [cost | {"minutes": 1}]
    assert found["cost"]["wandb_calls"] == 0


def test_a_long_list_of_runs_is_read_in_parts(world: World) -> None:
    """GitHub lists at most 1,000 workflow runs of a span of time; one every half an hour are more in four weeks."""
    episode(world)
    (run,) = world.runs
    runs = world.github.standin.state.repo(REPOSITORY).runs
    for number in range(1, 1400):
        at = run.created - number * HOUR / 2
        runs.put(run.id + number, replace(run, id=run.id + number, created=at, started=at, updated=at + 60))
    world.github.requests.clear()
    (cost,) = figures(world)["cost"]["workflows"]
    assert cost["runs"] == 1400
    assert cost["minutes"] == 1399
    assert len([asked for asked in world.github.requests if asked.path.endswith("retrain.yml/runs")]) < 40


def test_entries_in_comments_count_too(firing: World) -> None:
    """Alice acknowledges first, and then does so much that her first act is archived in a comment."""
    issues = person(firing)
    for number in range(9):
        firing.at(4 + number)
        verb = "unsilence" if number % 2 else f"silence {number + 1}h looking"
        issues.add_comment(1, f"/modelwatch {'ack' if number == 0 else verb}", f"{number}", frozenset())
        firing.at(4 + number + 0.5)
        assert firing.run("run").code == 0
    assert register_of(firing).ledger.archived > 0
    period = figures(firing)["figures"]
    assert (period["incomplete"], period["acknowledge"]["median"]) == (0, HOUR)


def test_what_is_logged_and_unwatched_and_what_calls_cost(world: World, wandb_server: Any) -> None:
    world.config(source=WANDB)
    log_to_wandb(wandb_server, HEALTHY, HEALTHY)
    wandb_server.standin.state.add_run("acme", "prices", "day-1", history=[], created_at=BEGIN)
    found = figures(world)
    assert found["coverage"]["unread"] == []
    assert found["coverage"]["logged"] == 2
    assert found["coverage"]["unwatched"] == []
    assert found["coverage"]["unwatched_projects"] == ["acme/prices"]
    assert found["cost"]["calls_each"] >= 2
    assert found["cost"]["wandb_calls"] == 0, "no workflow evaluates here"


def test_a_label_that_is_not_ours_is_not_counted(firing: World) -> None:
    tamper(firing, 1, labels=())
    assert figures(firing)["figures"]["alerts"] == 0
    assert LABEL not in firing.issues[0].labels


def test_modes_that_are_not_earned_say_so(world: World) -> None:
    episode(world)
    ran = world.run("scorecard", "--earned-modes")
    assert ran.code == 0
    assert ran.out.splitlines()[0] == "No automation has earned another mode."
    assert "retrain of churn stays in act: 1 attempt: 1 harmful" in ran.out
    assert world.run("scorecard", "--earned-modes", "--issue").code == 2
    assert world.run("scorecard", "--patch", "x.patch").code == 2


def test_rules_over_their_budget_are_named(world: World) -> None:
    """Two dips of three hours in a fortnight, both called false, where the budget is one in 90 days."""
    levels = [HEALTHY] * (14 * 24)
    for dip in (100, 280):
        levels[dip : dip + 3] = [WARNING] * 3
    world.metrics(*levels)
    issues = person(world)
    for number, dip in enumerate((100, 280), start=1):
        world.at(dip + 4)
        assert world.run("run").code == 0
        issues.add_comment(number, "/modelwatch false-positive", "false", frozenset())
        world.at(dip + 12)
        assert world.run("run").code == 0
    world.at(14 * 24)
    plain = world.run("scorecard", "--weeks", "2")
    assert "Over the budget of false alarms in 2 weeks: churn accuracy (2 false, allowed 0.16)." in plain.out
    assert "WHAT TUNING SUGGESTS" not in plain.out
    (row,) = figures(world, "--weeks", "2")["figures"]["rules"]
    assert (row["over_budget"], row["false"]["count"]) == (True, 2)


def test_nothing_is_tuned_or_proposed_where_no_rule_is_over_its_budget(firing: World) -> None:
    ran = firing.run("scorecard", "--pull-request")
    assert ran.code == 0
    assert "No setting is proposed." in ran.err
    assert not any("/pulls" in write for write in firing.writes())
