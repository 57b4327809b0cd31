"""``modelwatch backtest`` on a table, with marks, against a git ref, and as a comment on a pull request."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github.issue_actions import open_issue, set_labels, store_issue
from modelwatch.testing.standins.github.records import PullRequestDetails

from ..injection.inert import check_markdown
from .world import BEGIN, CONFIG, ERROR, HEALTHY, HOUR, REPOSITORY, TABLE, WARNING, World

LEVELS = [HEALTHY] * 10 + [ERROR] * 6 + [HEALTHY] * 30 + [WARNING] * 6 + [HEALTHY] * 10
"""A drop of 7.6 % from hour 11 to 16, one of 3.3 % from hour 47 to 52: a day apart, each has an issue of its own."""
INCIDENTS = """\
- {model: churn, start: 2026-11-20T11:00, end: 2026-11-20T16:30, name: the morning drop}
- {model: churn, start: 2026-11-21T23:00, end: 2026-11-22T05:00, rules: accuracy, verdict: 'false'}
"""
QUICK = ("error: {drop: 5%, do: [issue, page]}", "error: {drop: 5%, do: [issue, page], for: 4}")
LAST = 62
SPAN = ("--since", "60h", "--no-issues")


def git(world: World, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", *identity, *words], cwd=world.folder, check=True, capture_output=True)


def begin(world: World, before: str | None = None) -> None:
    """History of 62 hours. ``before``: the configuration that ``main`` has, if it is another one."""
    world.metrics(*LEVELS)
    world.at(LAST)
    world.write("incidents.yml", INCIDENTS)
    if before is not None:
        present = world.read("modelwatch.yml")
        world.config(before)
        git(world, "init", "--quiet", "--initial-branch=main")
        git(world, "add", "--all")
        git(world, "commit", "--quiet", "--message", "Before")
        world.write("modelwatch.yml", present)


def backtest(world: World, *more: str, code: int = 0) -> Any:
    ran = world.run("backtest", *SPAN, "--format", "json", *more)
    assert ran.code == code, ran.err
    return ran.json


def test_figures_and_marks(world: World) -> None:
    begin(world)
    found = backtest(world, "--incidents", "incidents.yml")
    (rule,) = found["rules"]
    assert (rule["alerts"], rule["detected"], rule["false_alarms"], rule["unmarked"]) == (2, 1, 1, 0)
    assert (rule["issues"], rule["pages"], rule["dispatches"]) == (2, 1, [["retrain", 1]])
    (incident,) = found["incidents"]
    assert (incident["found"], incident["paged"]) == (BEGIN + 12 * HOUR, BEGIN + 12 * HOUR)
    assert found["totals"]["pages"] == 1
    assert [alert["verdict"] for alert in found["alerts"]] == ["incident", "false"]
    assert world.writes() == []


def test_a_proposal_counts_once(world: World) -> None:
    begin(world)
    world.config(CONFIG.replace("retrain: retrain.yml", "retrain: {file: retrain.yml, mode: propose}"))
    found = backtest(world)
    assert found["totals"]["proposals"] == 1  # of the warning alone, however many evaluations show it
    assert found["totals"]["workflows"] == 0


def test_for_people(world: World) -> None:
    begin(world)
    out = world.run("backtest", *SPAN, "--incidents", "incidents.yml").out
    assert "It finds 1 of 1 marked incident, after 1 h (median)." in out
    assert "the morning drop" in out
    out = world.run("backtest", *SPAN, "--format", "markdown").out
    assert out.startswith("## Backtest\n\n**In the 2 days until 2026-11-22: 2 alerts: 2 issues, 1 page, ")
    assert "Nothing is marked, so no alert is called right or wrong" in out


def test_a_file_instead_of_standard_output(world: World) -> None:
    begin(world)
    ran = world.run("backtest", *SPAN, "--format", "markdown", "--out", "report.md")
    assert (ran.code, ran.out) == (0, "")
    assert world.read("report.md").startswith("## Backtest")
    assert world.run("backtest", *SPAN, "--out", "missing/report.md").code == 2


def test_against_a_ref(world: World) -> None:
    begin(world, before=CONFIG.replace(*QUICK))
    ran = world.run("backtest", *SPAN, "--incidents", "incidents.yml", "--against", "main", "--format", "json")
    assert ran.code == 0, ran.err
    found = ran.json
    assert found["before"]["incidents"][0]["paged"] - found["after"]["incidents"][0]["paged"] == 2 * HOUR
    assert found["rules"][0]["status"] == "changed"
    assert found["before"]["marks"] == found["after"]["marks"]
    assert world.read("modelwatch.yml") != CONFIG.replace(*QUICK)


def test_against_itself(world: World) -> None:
    begin(world, before=CONFIG)
    world.config(CONFIG)
    out = world.run("backtest", *SPAN, "--against", "main", "--format", "markdown").out
    assert "**No difference: both configurations raise the same 2 alerts and page once" in out


def test_a_rule_of_one_side_reads_what_the_other_does_not(world: World) -> None:
    """History is pulled once, with the keys of both."""
    begin(world, before=CONFIG)
    volume = "      - {name: volume, kind: data-quality, metric: eval/n, window: 1h, tiers: {error: {below: 100}}}\n"
    world.config(CONFIG.replace("      - name: accuracy\n", f"{volume}      - name: accuracy\n"))
    found = backtest(world, "--against", "main")
    assert {rule["rule"]: rule["status"] for rule in found["rules"]} == {"volume": "added", "accuracy": "same"}
    assert "accuracy" in world.run("backtest", *SPAN, "--against", "main").out


def test_each_side_is_as_it_is_alone(world: World) -> None:
    """Though history is pulled once for both, which read other keys and reach back for another time."""
    begin(world, before=CONFIG)
    volume = "      - {name: volume, kind: data-quality, metric: eval/n, window: 6h, tiers: {error: {below: 100}}}\n"
    changed = CONFIG.replace("window: 1h", "window: 3h").replace(
        "baseline: {value: 0.92, n: 100000}", "baseline: {rolling: 1d}"
    )
    world.config(changed.replace("      - name: accuracy\n", f"{volume}      - name: accuracy\n"))
    both = backtest(world, "--against", "main", "--incidents", "incidents.yml")
    after = backtest(world, "--incidents", "incidents.yml")
    world.config(CONFIG)
    before = backtest(world, "--incidents", "incidents.yml")
    for side, alone in (("before", before), ("after", after)):
        assert {name: both[side][name] for name in ("rules", "alerts", "incidents", "totals")} == {
            name: alone[name] for name in ("rules", "alerts", "incidents", "totals")
        }
    assert before["alerts"] != after["alerts"]


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (None, "main has no configuration at modelwatch.yml"),
        (CONFIG.replace("metric:", "metrik:"), "the configuration of main is broken: main:modelwatch.yml:"),
    ],
)
def test_a_ref_without_a_readable_configuration(world: World, before: str | None, reason: str) -> None:
    if before is None:
        begin(world)
        git(world, "init", "--quiet", "--initial-branch=main")
        git(world, "commit", "--quiet", "--message", "Empty", "--allow-empty")
    else:
        begin(world, before)
        world.config(CONFIG)
    found = backtest(world, "--against", "main")
    assert found["before"] is None
    assert reason in found["sentence"]
    assert found["after"]["rules"][0]["alerts"] == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--against", "--upload-pack=touch x"), "is not a git ref"),
        (("--against", "mian"), "does not know the ref 'mian'"),
        (("--since", "2026-12-01"), "ends before it begins"),
        (("--since", "sometimes"), "is no time"),
        (("--until", "2027-01-01"), "ends in the future"),
        (("--every", "1"), "no duration of a minute or more"),
        (("--since", "10m"), "less than two evaluations"),
        (("--against", ""), "--against has no git ref"),
        (("--incidents", "none.yml"), "none.yml: the file cannot be read"),
        (("--comment", "x"), "is not the number or the address"),
        (("--model", "chrun"), "Did you mean `churn`?"),
    ],
)
def test_wrong_words(world: World, words: tuple[str, ...], says: str) -> None:
    begin(world, before=CONFIG)
    ran = world.run("backtest", *SPAN, *words)
    assert ran.code == 2
    assert says in ran.err
    assert not (world.folder / "x").exists()


def test_a_source_that_cannot_be_read(world: World) -> None:
    begin(world)
    (world.folder / "metrics.csv").unlink()
    found = backtest(world, code=3)
    assert found["rules"] == []
    ((model, reason),) = found["errors"]
    assert model == "churn"
    assert "metrics.csv" in reason


# --- marks on issues


def live(world: World, hours: int = LAST) -> Iterator[int]:
    """The same history, evaluated live hour by hour; each workflow succeeds within the hour."""
    for hour in range(1, hours + 1):
        world.at(hour)
        yield hour
        assert world.run("run").code == 0
        for run in world.runs:
            if run.status != "completed":
                world.github.standin.state.finish_run(run.id, "success")


def issue_marks(world: World, *more: str, code: int = 0) -> Any:
    ran = world.run("backtest", "--since", "60h", "--format", "json", *more)
    assert ran.code == code, ran.err
    return ran.json["marks"]


def test_what_people_said_on_issues(world: World) -> None:
    begin(world)
    assert list(live(world))
    marks = issue_marks(world)
    assert (marks["incidents"], marks["false_marks"]) == ([], [])  # modelwatch did all of it
    assert marks["sources"] == ["acme/churn-model, 2 closed issues: no marks"]
    state = world.github.standin.state
    repo = state.repo(REPOSITORY)
    labelled = set_labels(state, repo, repo.issues.items[2], "alice", ["modelwatch", "false-positive"])
    store_issue(state, repo, labelled)
    (mark,) = issue_marks(world)["false_marks"]
    assert (mark["model"], mark["rule"]) == ("churn", "accuracy")
    assert mark["start"] == BEGIN + 47 * HOUR
    found = backtest_with_issues(world)
    assert (found["rules"][0]["false_alarms"], found["rules"][0]["unmarked"]) == (1, 1)


def backtest_with_issues(world: World) -> Any:
    ran = world.run("backtest", "--since", "60h", "--format", "json")
    return ran.json


def test_an_approved_workflow_that_succeeded_makes_it_an_incident(world: World) -> None:
    world.config(CONFIG.replace("retrain: retrain.yml", "retrain: {file: retrain.yml, mode: propose}"))
    world.metrics(*LEVELS)
    alice = world.github.standin.person(REPOSITORY, "alice")
    for hour in live(world):
        if hour == 49:
            alice.add_comment(2, "/modelwatch approve retrain.1")
    marks = issue_marks(world)
    (incident,) = marks["incidents"]
    assert (incident["name"], incident["rules"]) == ("#2", ["accuracy"])
    assert incident["start"] == BEGIN + 47 * HOUR


def test_closed_as_not_planned_by_a_person_is_a_false_alarm(world: World) -> None:
    begin(world)
    alice = world.github.standin.person(REPOSITORY, "alice")
    for hour in live(world):
        if hour == 14:
            alice.close_issue(1, "not_planned")
    (mark,) = issue_marks(world)["false_marks"]
    assert mark["end"] > mark["start"]


def test_issues_that_cannot_be_read_call_nothing_true_or_false(world: World) -> None:
    begin(world)
    assert list(live(world))
    world.github.inject(Fault("status", path="/issues", status=502, times=-1))
    marks = issue_marks(world)
    assert (marks["incidents"], marks["false_marks"]) == ([], [])
    assert "the issues of acme/churn-model cannot be read" in marks["problems"][0]


# --- the comment


def comments(world: World) -> list[Any]:
    return list(world.github.standin.state.repo(REPOSITORY).comments.items.values())


def open_pull_request(world: World) -> int:
    state = world.github.standin.state
    repo = state.repo(REPOSITORY)
    details = PullRequestDetails("change", "main", repo.git.branches["main"], repo.git.branches["main"])
    return open_issue(state, repo, "alice", "Change a limit", pull=details).number


def comment(world: World, pull: object, *more: str, code: int = 0) -> None:
    ran = world.run("backtest", *SPAN, "--against", "main", "--comment", str(pull), *more)
    assert ran.code == code, ran.err


def test_one_comment_is_edited_and_never_doubled(world: World) -> None:
    begin(world, before=CONFIG.replace(*QUICK))
    state = world.github.standin.state
    world.setenv("GITHUB_TOKEN", state.add_token(permissions={"pull_requests": "write"}))
    number = open_pull_request(world)
    comment(world, number)
    (posted,) = comments(world)
    assert posted.issue == number
    assert posted.body.startswith("### What this change would have done\n\n**")
    assert "modelwatch:note backtest." in posted.body
    writes = len(world.writes())
    comment(world, number)
    assert len(world.writes()) == writes  # nothing is new
    comment(world, f"https://github.com/{REPOSITORY}/pull/{number}", "--incidents", "incidents.yml")
    (edited,) = comments(world)
    assert edited.id == posted.id
    assert "the morning drop" in edited.body


def test_the_marker_of_somebody_else_means_nothing(world: World) -> None:
    begin(world, before=CONFIG)
    number = open_pull_request(world)
    comment(world, number)
    (posted,) = comments(world)
    posted_marker = posted.body[posted.body.index("<!--") :]
    state = world.github.standin.state
    state.repo(REPOSITORY).comments.remove(posted.id)
    alice = world.github.standin.person(REPOSITORY, "alice")
    alice.add_comment(number, f"Look: {posted_marker}")
    comment(world, number)
    assert [(found.login, found.body.startswith("###")) for found in comments(world)] == [
        ("alice", False),
        ("github-actions[bot]", True),
    ]


def test_of_several_comments_the_oldest_stays(world: World) -> None:
    begin(world, before=CONFIG)
    number = open_pull_request(world)
    comment(world, number)
    (posted,) = comments(world)
    bot = world.github.standin.person(REPOSITORY, "github-actions[bot]")
    bot.add_comment(number, posted.body)
    comment(world, number)
    assert [found.id for found in comments(world)] == [posted.id]


def test_two_configurations_have_a_comment_each(world: World) -> None:
    begin(world, before=CONFIG)
    number = open_pull_request(world)
    world.write("other.yml", CONFIG.replace("SOURCE", TABLE))
    git(world, "add", "other.yml")
    git(world, "commit", "--quiet", "--message", "Other")
    comment(world, number)
    comment(world, number, "--config", "other.yml")
    assert len(comments(world)) == 2


def test_a_change_that_cannot_be_replayed_says_so_in_the_comment(world: World) -> None:
    begin(world, before=CONFIG)
    number = open_pull_request(world)
    comment(world, number)
    world.write("modelwatch.yml", world.read("modelwatch.yml").replace("metric:", "metrik:"))
    world.setenv("GITHUB_REPOSITORY", REPOSITORY)
    comment(world, number, code=2)
    (edited,) = comments(world)
    assert "**This change could not be replayed.**" in edited.body
    assert "Did you mean `metric`?" in edited.body


def test_a_comment_that_may_not_be_written(world: World) -> None:
    begin(world, before=CONFIG)
    number = open_pull_request(world)
    world.setenv("GITHUB_TOKEN", world.github.standin.state.add_token(permissions={"contents": "read"}))
    ran = world.run("backtest", *SPAN, "--against", "main", "--comment", str(number))
    assert ran.code == 4
    assert "No difference" in ran.out  # the result is there all the same
    assert "may not do this" in ran.err
    assert comments(world) == []


def test_hostile_names_do_nothing_in_a_comment(world: World) -> None:
    begin(world, before=CONFIG)
    number = open_pull_request(world)
    world.write("incidents.yml", INCIDENTS.replace("the morning drop", "'@all <!-- modelwatch:note x --> `x` | y'"))
    comment(world, number, "--incidents", "incidents.yml")
    (posted,) = comments(world)
    check_markdown(posted.body)
    assert posted.body.count("<!-- modelwatch:") == 1


def test_json_of_a_comparison_is_one_object(world: World) -> None:
    begin(world, before=CONFIG.replace(*QUICK))
    ran = world.run("backtest", *SPAN, "--against", "main", "--format", "json")
    assert {"sentence", "ref", "before", "after", "rules", "incidents", "shifts"} <= json.loads(ran.out).keys()
