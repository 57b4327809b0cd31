"""audit and review: who did what, when and why, each once; and what a reader of the review learns."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelwatch.testing.standins.faults import Fault

from .test_status import episode
from .world import CONFIG, CRITICAL, ERROR, HEALTHY, REPOSITORY, WARNING, World

OLD_ISSUE = Path(__file__).parents[1] / "formats" / "v0.1" / "issue.md"


def audited(world: World) -> list[dict[str, Any]]:
    ran = world.run("audit", "--format", "json")
    assert ran.code == 0, ran.err
    entries: list[dict[str, Any]] = ran.json
    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)
    return entries


def whats(world: World) -> list[str]:
    return [entry["what"] for entry in audited(world)]


def whole_incident(world: World) -> None:
    """Warning, error, critical; a silence that expires, a refused command, a retraining that ends; recovery."""
    alice = world.github.standin.person(REPOSITORY, "alice")
    world.metrics(HEALTHY, WARNING, WARNING, ERROR, ERROR, CRITICAL, CRITICAL, HEALTHY, HEALTHY, HEALTHY)
    for hour in range(1, 11):
        world.at(hour)
        if hour == 6:
            alice.add_comment(1, "/modelwatch silence 90m looking | into <b>it</b> @bob")
            world.github.standin.state.finish_run(world.runs[0].id, "failure")
        if hour == 7:
            alice.add_comment(1, "/modelwatch approve")
        assert world.run("run").code == 0
    alice.add_comment(1, "The upstream feed was empty @bob <script>")


def test_every_act_is_there_once_with_who_and_when(world: World) -> None:
    whole_incident(world)
    told = [(entry["at"][11:16], entry["who"], entry["what"]) for entry in audited(world)]
    assert told == [
        ("02:00", "modelwatch", "started firing"),
        ("03:05", "modelwatch", "opened the issue, warning"),
        ("03:05", "modelwatch", "retrain dispatched"),
        ("05:00", "modelwatch", "worse: now error"),
        ("05:05", "modelwatch", "incident triggered, error"),
        ("06:05", "the workflow", "retrain finished: failure"),
        ("06:05", "alice", "command silence"),
        ("06:05", "modelwatch", "incident acknowledged at PagerDuty"),
        ("07:00", "modelwatch", "worse: now critical"),
        ("07:05", "alice", "command approve, refused"),
        ("07:35", "modelwatch", "the silence expired"),
        ("08:05", "modelwatch", "a mute expired, the on-call is notified"),
        ("08:05", "modelwatch", "incident triggered, critical"),
        ("09:00", "modelwatch", "better: now warning"),
        ("10:00", "modelwatch", "recovered"),
        ("10:05", "modelwatch", "closed the issue"),
        ("10:05", "modelwatch", "incident resolved, critical"),
    ]
    shown = world.run("audit").out
    assert all(word in shown for word in ("alice", "retrain", "incident", "closed"))
    assert "part 1: 9 entries" in "".join(world.comments)  # the older ones are in a comment
    actions = world.issues[0].body.split("### Actions taken")[1].split("<details>")[0]
    assert "incident triggered, error" not in actions.lower()
    assert "Earlier pages and acknowledgements: see the 9 entries in [a comment](http" in actions


def test_the_end_of_a_workflow_has_its_own_time_on_the_issue(world: World) -> None:
    world.metrics(HEALTHY, WARNING, WARNING, WARNING, WARNING)
    world.at(3)
    world.run("run")
    world.at(5)
    world.github.standin.state.finish_run(world.runs[0].id, "success")
    world.run("run")
    rows = [line for line in world.issues[0].body.splitlines() if "`retrain`" in line]
    assert [row[:20] for row in rows] == ["| 2026-11-20 03:05 |", "| 2026-11-20 05:05 |"]
    assert "dispatched" in rows[0]
    assert "finished: success" in rows[1]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("skip", [0, 1])
def test_a_crash_between_the_effect_and_the_record_tells_it_once(world: World, when: str, skip: int) -> None:
    world.metrics(HEALTHY, CRITICAL, CRITICAL, CRITICAL, before="v5")
    world.at(3)
    fault = Fault("drop", when, "PATCH", "/issues/1", skip=skip)
    world.github.inject(fault)
    world.run("run")
    world.github.inject(Fault("drop", when, "POST", "/issues"))
    world.at(4)
    world.run("run")
    world.run("run")
    told = whats(world)
    assert len(told) == len(set(told))
    assert told.count("incident triggered, critical") == 1
    assert told.count("rollback proposed") == 1


def test_two_evaluations_at_once_write_each_entry_once(world: World) -> None:
    world.metrics(HEALTHY, WARNING, WARNING, ERROR, ERROR)
    world.at(3)
    world.run("run")
    world.at(5)
    world.run("pull", "--out", "series.jsonl")
    world.run("evaluate", "--series", "series.jsonl", "--out", "alerts.json")
    digests = []
    for name in ("one.json", "two.json"):
        ran = world.run("plan", "--alerts", "alerts.json", "--out", name)
        digests.append(next(word for word in ran.out.split() if len(word) == 64))
    for name, digest in zip(("one.json", "two.json"), digests, strict=True):
        world.run("apply", "--plan", name, "--digest", digest, "--out", "receipts.json")
    told = whats(world)
    assert len(told) == len(set(told))
    assert told.count("incident triggered, error") == 1


def test_people_who_close_and_reopen_are_named_as_people(world: World) -> None:
    alice = world.github.standin.person(REPOSITORY, "alice")
    episode(world)
    alice.reopen_issue(1)
    world.run("run")
    world.at(10)
    told = [(entry["who"], entry["what"]) for entry in audited(world)]
    assert ("a person", "reopened the issue") in told


def test_an_issue_of_an_older_version_is_audited_from_its_register(world: World) -> None:
    world.github.standin.person(REPOSITORY, "github-actions[bot]").open_issue(
        "old", OLD_ISSUE.read_text("utf-8"), labels=["modelwatch"]
    )
    world.at(9 * 24)
    told = whats(world)
    assert "started firing" in told
    assert told.count("rollback finished: success") == 1
    assert "incident resolved, critical" in told
    assert "started firing" in world.run("review", "1").out


def test_the_text_has_a_line_for_each_entry_and_names_the_issue(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    whole_incident(world)
    lines = world.run("audit").out.splitlines()
    assert len(lines) == len(audited(world))
    assert lines[0] == "2026-11-20 02:00  churn accuracy #1, modelwatch: started firing"
    assert {entry["issue"] for entry in audited(world)} == {"#1"}


def test_a_terminal_gets_lines_that_fit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    whole_incident(world)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", world.run("audit").out).splitlines()
    assert len(shown) > len(audited(world))
    assert max(map(len, shown)) <= 80
    assert all(re.match(r"2026-11-20 \d\d:\d\d  churn accuracy #1, | {18}\S", line) for line in shown)


def test_only_what_happened_since(world: World) -> None:
    whole_incident(world)
    every = audited(world)
    since = world.run("audit", "--since", "2026-11-20T07:00Z", "--format", "json").json
    assert since == [entry for entry in every if entry["at"] >= "2026-11-20T07:00"]
    assert 0 < len(since) < len(every)
    assert world.run("audit", "--since", "2026-12-01").out == "Nothing is recorded since 2026-12-01 00:00 UTC.\n"


def test_audit_of_nothing(world: World) -> None:
    assert "Nothing is recorded yet." in world.run("audit").out


def test_a_deleted_comment_is_told_with_4(world: World) -> None:
    whole_incident(world)
    repo = world.github.standin.state.repo(REPOSITORY)
    number = next(comment.id for comment in repo.comments.items.values() if "modelwatch:ledger" in comment.body)
    repo.comments.remove(number)
    ran = world.run("audit", "--format", "json")
    assert ran.code == 4
    assert "9 of 9 entries in comments are missing" in ran.err
    assert "The record is not complete" in world.run("review", "1").out


def test_the_review_of_a_closed_issue(world: World) -> None:
    whole_incident(world)
    ran = world.run("review", "1")
    assert ran.code == 0
    text = ran.out
    for part in (
        "**Recovered** after 8 h. Worst severity: critical.",
        "| First page | 2026-11-20 05:05 UTC (3 h 5 min after it began; 2 pages in all) |",
        "| First action of a person | 2026-11-20 06:05 UTC, by alice |",
        "| Severity | warning 4 h, error 2 h, critical 2 h |",
        "| At its worst | 0.78 instead of 0.92 (−15.2 %) |",
        "| Rows affected | 40,000 rows since it began |",
        "It recovered without an action that is on record.",
        "Why did `retrain.1` end in failure ([workflow run]",
        "`The upstream feed was empty @bob <script>`",
    ):
        assert part in text
    titles = [line for line in text.splitlines() if line.startswith("## ")]
    assert titles == [
        "## Impact",
        "## Timeline",
        "## What was tried",
        "## What helped",
        "## What people wrote",
        "## Open questions",
        "## Actions",
    ]


def test_a_mistyped_command_is_on_record_and_no_open_question(world: World) -> None:
    alice = world.github.standin.person(REPOSITORY, "alice")
    world.metrics(HEALTHY, ERROR, ERROR, ERROR)
    for hour in (2, 3):
        world.at(hour)
        world.run("run")
    for mistake in ("aprove rollback.1", "silence", "approve rollback.99", "promote"):
        alice.add_comment(1, f"/modelwatch {mistake}")
    alice.add_comment(1, "/modelwatch degrade")
    world.at(4)
    world.run("run")
    text = world.run("review", "1").out
    timeline, tried = (text.split(f"## {title}")[1].split("## ")[0] for title in ("Timeline", "What was tried"))
    questions = text.split("## Open questions")[1]
    assert timeline.count(", invalid: ") == 3
    assert "invalid" not in tried
    assert "invalid" not in questions
    assert "`aprove`" not in questions
    assert "Command degrade, refused (`alice`): was that right? `no workflow 'degrade' is configured" in questions


def test_the_review_of_an_open_issue_needs_no_configuration(world: World) -> None:
    world.metrics(HEALTHY, WARNING, WARNING)
    world.at(3)
    world.run("run")
    (world.folder / "modelwatch.yml").unlink()
    ran = world.run("review", f"{world.github.url}/acme/churn-model/issues/1")
    assert ran.code == 0, ran.err
    assert "**Not recovered** after 1 h 5 min; the issue is still open." in ran.out
    assert "nobody was paged" in ran.out


@pytest.mark.parametrize(
    ("issue", "code", "told"),
    [
        ("9", 2, "there is no issue #9 of modelwatch. `modelwatch status --all` lists them."),
        ("x", 2, "is not the number of an issue"),
        ("https://e.org/a", 2, "not the address"),
        ("1", 2, "there is no issue #1 of modelwatch."),
    ],
)
def test_what_cannot_be_reviewed_is_told(world: World, issue: str, code: int, told: str) -> None:
    world.github.standin.person(REPOSITORY, "alice").open_issue("not ours", "text")
    ran = world.run("review", issue)
    assert ran.code == code
    assert told in ran.err


def test_a_number_alone_names_no_issue_of_many_repositories(world: World) -> None:
    rest = CONFIG[CONFIG.index("  - name: ") :]
    names = [f"c{number}" for number in range(6)]
    copies = [
        rest.replace("name: churn", f"name: {name}").replace("acme/churn-model", f"acme/{name}") for name in names
    ]
    world.config(CONFIG + "".join(copies))
    assert "names 7 repositories: acme/churn-model" in (told := world.run("review", "1").err)
    assert "acme/c3 and 2 more." in told


def test_the_issue_comes_before_what_followed_from_it(world: World) -> None:
    """An evaluation stamps its acts with its beginning, and GitHub's clock comes later."""
    world.metrics(HEALTHY, CRITICAL, CRITICAL, before="v5")
    world.at(3)
    world.run("run")
    (issue,) = world.issues
    issues = world.github.standin.state.repo(REPOSITORY).issues.items
    issues[issue.number] = replace(issue, created=issue.created + 30)
    assert [what.split()[0] for what in whats(world)] == ["started", "opened", "rollback", "incident"]
