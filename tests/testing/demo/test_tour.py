"""The guided tour: commands act on the stand-ins, the clock runs, and the bill is that of what really served."""

from __future__ import annotations

import io
import os
import re
import select
import subprocess
import sys
import time
from contextlib import redirect_stdout, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from modelwatch.report.console import open_console
from modelwatch.report.formatting import utc_time
from modelwatch.testing.demo.command import demo
from modelwatch.testing.standins.github.issue_actions import Person
from tests.testing.demo.night import Night, spend

START = [sys.executable, "-m", "modelwatch", "demo", "--interactive"]


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Night:
    lines = (
        "ack",
        "diagnose",
        'release rollback --reason "v7 misreads tenure"',
        "status",
        "wait 30m",
        "wait 2h",
        "help",
    )
    return spend(tmp_path_factory.mktemp("well"), *lines)


@pytest.fixture(scope="module")
def approved(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """By comment on the issue, once modelwatch proposes it; then through the team's workflow."""
    lines = ("wait 30m", "issue", "gh issue comment 1 --body '/modelwatch approve rollback.1'", "runbook", "wait 2h")
    return spend(tmp_path_factory.mktemp("approved"), *lines)


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Night:
    return spend(tmp_path_factory.mktemp("idle"))


def test_the_ending_says_when_the_incident_and_when_the_issue_closed(tmp_path: Path) -> None:
    night = spend(tmp_path, "comment /modelwatch false-positive", "release rollback", "wait 2h")
    resolved, closed = (utc_time(time)[11:16] for time in (night.incident.resolved, night.issue.closed))
    assert resolved != closed
    ending = " ".join(night.out.split())
    assert f"The incident was resolved at {resolved}; modelwatch closed the issue at {closed}" in ending
    assert "Nobody acknowledged" not in ending, "it was resolved at once"


def test_closing_the_issue_does_what_it_does_in_production(tmp_path: Path) -> None:
    """It acknowledges until it gets worse, or mutes it; only recovery ends the night."""
    lines = ("close", "wait 10m", "wait 30m", "close not planned", "wait 20m", "status")
    night = spend(tmp_path, *lines, "release rollback v6", "wait 2h")
    assert "closed as completed" in night.after("close")
    assert "acknowledge incident: acknowledged by closing the issue" in night.after("wait 10m")
    assert "reopen issue: the issue was closed by hand, the alert is still firing, and it got worse" in night.out
    assert "resolve incident" in night.after("wait 20m") + night.after("close not planned")
    assert 'muted: churn #1: the issue was closed as "not planned"' in night.after("status")
    assert "production now serves v6" in night.out
    assert night.desk.end_reason == "Everything is closed."


def test_a_reopened_issue_speaks_again(tmp_path: Path) -> None:
    night = spend(tmp_path, "close", "reopen", "reopen", "quit")
    assert "Issue #1 is open again." in night.after("reopen")
    assert "Issue #1 is open." in night.out
    assert night.issue.state == "open"


def test_no_comment_is_shown_without_its_text(tmp_path: Path) -> None:
    """What is folded away on GitHub, such as a part of the record, is not shown here either."""
    night = spend(tmp_path, "comment /modelwatch ack", "quit")
    Person(night.world.github.standin.state, night.repository, "github-actions[bot]").add_comment(
        1, "<details><summary>Record</summary>\n\n- entry\n</details>"
    )
    out = io.StringIO()
    with redirect_stdout(out):
        night.desk.console = open_console()
        night.desk._print_issue()
    shown = out.getvalue()
    assert "robin acknowledged this" in shown
    heads = re.findall(r"(?m)^github-actions\[bot\], \d\d:\d\d:\n(.*)", shown)
    assert heads
    assert all(line.strip() for line in heads)


def test_a_workflow_that_a_person_starts_is_on_record_as_theirs(tmp_path: Path) -> None:
    night = spend(tmp_path, "gh workflow run rollback.yml -f key=k.1.rollback.1 -f model=churn", "quit")
    assert [run.actor for run in night.repository.runs.items.values()] == ["robin"]


def test_a_night_that_goes_well(well: Night) -> None:
    shift = well.desk.shift
    assert shift.production.versions == ["v6", "v7", "v6"]
    assert well.held["production"] == "v6"
    assert well.held["previous"] == "v7"
    assert (well.incident.status, well.issue.state) == ("resolved", "closed")
    log = [(entry.action, entry.by.kind) for entry in well.incident.log]
    assert log[:2] == [("trigger", "integration"), ("acknowledge", "user")]
    assert log[-1] == ("resolve", "integration")
    changes = [str(change.event["payload"]["summary"]) for change in well.world.pagerduty.standin.state.change_events]
    assert changes[-1] == "churn rolled back to v6 from v7: v7 misreads tenure"
    assert not well.repository.runs.items, "nobody started a workflow"
    assert well.desk.end_reason == "Everything is closed."
    assert "on call> help" not in well.out, "the night was over by then"


def test_the_real_commands_answer_as_of_the_simulated_time(well: Night) -> None:
    told = well.after("diagnose")
    for wanted in (
        "ERROR · churn: accuracy (region=latam alone)",
        "(healthy) → v7",
        "customers.tenure",
        "acknowledged",
    ):
        assert wanted in told
    assert "healthy under today's rules: v6" in well.after('release rollback --reason "v7 misreads tenure"')
    assert "acknowledged" in well.after("status")
    prompts = re.findall(r"(?m)^(\d\d:\d\d) on call> (\w+)", well.out)
    assert prompts[:5] == [
        ("02:50", "ack"),
        ("02:52", "diagnose"),
        ("02:54", "release"),
        ("02:56", "status"),
        ("02:58", "wait"),
    ]


def test_the_bill_of_a_night_that_goes_well(well: Night) -> None:
    bills = well.desk.cost_comparison()
    assert bills.actual.minutes == 8, "two commands of two minutes, and four for the rollout"
    assert bills.ideal.minutes == 4
    assert bills.without_action.minutes is None
    assert 0 < bills.ideal.wrong_decisions < bills.actual.wrong_decisions < bills.without_action.wrong_decisions / 20
    assert bills.wrong_before_page > 0
    ending = " ".join(well.out.split("What it cost")[1].split())
    for bill in (bills.actual, bills.without_action, bills.ideal):
        assert f"{bill.wrong_decisions:,}" in ending
        assert f"${bill.dollars:,.0f}" in ending
    assert "4 until a rollout began, 4 for the rollout" in ending
    assert "closed by themselves" in ending
    assert "Nobody acknowledged" not in ending


def test_what_happened_is_told_in_order(well: Night) -> None:
    story = well.out.split("What happened")[1].split("What it cost")[0]
    wanted = [
        "v7 is promoted",
        "ERROR: churn",
        "trigger incident",
        "you: ack",
        "you: diagnose",
        "you: release rollback",
    ]
    wanted += ["production now serves v6", "healthy again"]
    places = [story.index(text) for text in wanted]
    assert places == sorted(places)


def test_an_approved_proposal_rolls_back_through_the_workflow(approved: Night) -> None:
    assert "rollback.1" in approved.after("issue")
    told = approved.after("gh issue comment 1 --body '/modelwatch approve rollback.1'")
    assert "robin approved rollback.1: rollback.1 to v6 is dispatched" in " ".join(told.split())
    (run,) = approved.repository.runs.items.values()
    assert (run.conclusion, run.payload["inputs"]["target_version"]) == ("success", "v6")
    assert approved.held["production"] == "v6"
    assert approved.desk.shift.production.versions == ["v6", "v7", "v6"]
    assert (approved.incident.status, approved.incident.severity, approved.issue.state) == (
        "resolved",
        "critical",
        "closed",
    )
    assert not any(found.is_open for found in approved.world.pagerduty.standin.state.incidents)
    bills = approved.desk.cost_comparison()
    assert bills.actual.minutes == 30 + 2 + 3 + 4, "waiting, reading, the workflow, the rollout"
    assert "Nobody acknowledged the page" in approved.out


def test_the_runbook_is_at_hand_and_filled_in(approved: Night) -> None:
    page = " ".join(approved.after("runbook").split())
    assert "Accuracy drop" in page
    assert "What it means" in page
    assert "CRITICAL: churn accuracy (region=latam alone)" in page
    assert "gh issue view 1" in page
    assert "ISSUE" not in page


def test_a_night_in_which_nobody_acts(idle: Night) -> None:
    bills = idle.desk.cost_comparison()
    assert bills.actual == bills.without_action
    assert bills.actual.minutes is None
    assert idle.held["production"] == "v7"
    assert (idle.incident.status, idle.issue.state) == ("triggered", "open")
    assert idle.desk.end_reason == "There are no more lines."
    assert f"v7 was left in production: at 06:50 it has cost ${bills.actual.dollars:,.0f}." in idle.out


def test_an_acknowledged_night_that_gets_worse_wakes_again(tmp_path: Path) -> None:
    rollback = 'release rollback --reason "v7 misreads tenure"'
    night = spend(tmp_path, "ack", "wait 1h", "page", "ack", rollback, "wait 2h", night="worse")
    pages = night.world.pagerduty.standin.state.notifications
    assert [(page.at % 86_400 // 60, page.severity) for page in pages] == [(200, "error"), (240, "critical")]
    assert pages[1].key == f"{pages[0].key}.2"
    woken = night.after("wait 1h")
    assert re.search(r"04:00  Your phone rings again: churn accuracy \(region=latam alone\)", woken)
    assert "The page ends your wait, after 38 of 60 minutes." in woken
    assert re.search(r"(?m)^04:00 on call> page", night.out), "a page wakes whoever waits"
    assert "incident 2, triggered, critical" in night.after("page")
    assert "approve rollback.1" in " ".join(night.after("page").split())
    assert "The page stays as it was sent; `diagnose` says what is next now." in night.after("page")
    assert [found.status for found in night.world.pagerduty.standin.state.incidents] == ["resolved", "resolved"]
    assert night.issue.state == "closed"
    ending = " ".join(night.out.split("What it cost")[1].split())
    assert "You acknowledged the page at 03:20." in ending
    assert "modelwatch opened another one at 04:00: worse: critical, paged as error." in ending


def test_the_phone_acknowledges_every_open_incident(tmp_path: Path) -> None:
    night = spend(tmp_path, "wait 40m", "ack", "quit", night="worse")
    assert "Incidents 1 and 2 are acknowledged: nobody else is woken." in night.out
    assert [
        len([entry for entry in one.log if entry.action == "acknowledge"])
        for one in night.world.pagerduty.standin.state.incidents
    ] == [1, 1]


def test_wrong_decisions_act_too_and_cost(tmp_path: Path) -> None:
    lines = ("/modelwatch retrain", "release degrade", "wait 10m", "release rollback v5", "wait 70m", "quit", "ack")
    night = spend(tmp_path, *lines)
    shift, bills = night.desk.shift, night.desk.cost_comparison()
    assert shift.production.versions == ["v6", "v7", "fallback", "v5"]
    assert night.held["production"] == "v5"
    (run,) = night.repository.runs.items.values()
    assert run.title.startswith("modelwatch retrain churn")
    assert bills.actual.minutes == 6
    assert bills.ideal.wrong_decisions * 10 < bills.actual.wrong_decisions < bills.without_action.wrong_decisions
    assert "In the morning v5 still serves, which is worse than v6." in night.out
    assert "acknowledged: nobody" not in night.out, "what follows the end is not read"


def test_it_leaves_files_behind(well: Night) -> None:
    folder = Path(re.findall(r"Files: (.*)", well.out)[0])
    assert "# [recovered] churn: accuracy" in (folder / "issues.md").read_text("utf-8")
    assert "resolved" in (folder / "incidents.md").read_text("utf-8")


NONSENSE = [
    b"foo; rm -rf /",
    b'"open',
    b"\xff\xfe\x00\x1b[31m",
    b"chek",
    b"wait",
    b"wait 99999h",
    b"a" * 100_000,
    b"check --config /etc/passwd",
    b"run --out ../../evil",
    b"comment $(touch evil) `touch evil` \x1b[31m <script>",
    b"release rollback v99",
    b"/modelwatch fly",
    b"demo",
    b"gh pr list",
    *[b"help"] * 600,
]


def test_nonsense_gets_hints_and_does_nothing(tmp_path: Path) -> None:
    """Through a pipe, without end, and as bytes that are no text."""
    ended = subprocess.run(
        [*START, "--out", str(tmp_path / "out"), "--now", "2026-11-20T12:00Z"],
        input=b"\n".join(NONSENSE),
        capture_output=True,
        cwd=tmp_path,
        timeout=240,
        check=False,
    )
    out, problems = ended.stdout.decode(), ended.stderr.decode()
    assert ended.returncode == 0, problems
    assert "Traceback" not in out + problems
    assert "\x1b" not in out
    for hint in ("Did you mean `check`?", "A quotation mark is left open.", "`wait 30m`", "longer than any command"):
        assert f"{hint}" in out
    assert "leave --config out" in out
    assert "Files stay in the tour's own folder" in out
    assert "there is no version 'v99'" in problems
    assert "unknown command `fly`" in " ".join(out.split())
    assert "500 lines are enough for one night." in out
    assert "v7 was left in production" in out
    assert not [path for path in tmp_path.rglob("*") if path.name == "evil"]
    issue = (tmp_path / "out" / "churn" / "issues.md").read_text("utf-8")
    assert "$(touch evil) `touch evil` �[31m <script>" in issue


def test_ctrl_c_at_the_keyboard_ends_with_the_summary(tmp_path: Path) -> None:
    """On a terminal of its own: prompts, colours, editing."""
    pty = pytest.importorskip("pty", reason="terminals of one's own are POSIX's")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [*START, "--out", str(tmp_path)], os.environ | {"TERM": "xterm-256color"})  # noqa: S606
    seen = read_until(terminal, b"on call> ")
    os.write(terminal, b"ack\n")
    seen += read_until(terminal, b"on call> ")
    seen += read_until(terminal, None, again=b"\x03")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0, seen.decode()
    for wanted in (b"\x1b[", b"Incident 1 is acknowledged", b"You left in a hurry.", b"What it cost", b"nobody acts"):
        assert wanted in seen
    assert b"Traceback" not in seen


def read_until(terminal: int, text: bytes | None, again: bytes = b"") -> bytes:
    """What the terminal shows until ``text`` is there, or until nobody writes to it any more.

    ``again`` is pressed every ten seconds: Python's readline loses a Ctrl-C that comes just before it waits.
    """
    seen, end, pressed = b"", time.monotonic() + 120, 0.0
    while time.monotonic() < end and (text is None or text not in seen):
        if again and time.monotonic() >= pressed + 10:
            pressed = time.monotonic()
            with suppress(OSError):
                os.write(terminal, again)
        if not select.select([terminal], [], [], 0.5)[0]:
            continue
        try:
            some = os.read(terminal, 65_536)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not some:
            break
        seen += some
    return seen


@pytest.mark.parametrize(
    "options", [["--script", __file__], ["--night", "worse"], ["--interactive", "--model", "fraud"]]
)
def test_options_that_do_not_go_together(options: list[str]) -> None:
    ended = CliRunner().invoke(demo, options)
    assert ended.exit_code == 2
    assert "--interactive" in ended.output
