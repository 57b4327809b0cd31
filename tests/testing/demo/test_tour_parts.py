"""What a typed line asks for, and what a night costs."""

from __future__ import annotations

from unicodedata import category

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.testing.demo.tour.command_parser import MODELWATCH_COMMANDS, Command, CommandKind, parse_line
from modelwatch.testing.demo.tour.cost_report import compare_costs
from modelwatch.testing.demo.tour.messages import HELP
from modelwatch.testing.demo.tour.production import BAD_VERSION, FALLBACK_VERSION, GOOD_VERSION, Production
from modelwatch.timeutil import MINUTE

T0 = 1_789_956_000.0
PAGED = T0 + 60 * MINUTE
ENDS = PAGED + 240 * MINUTE


@pytest.mark.parametrize(
    ("typed", "wish"),
    [
        ("", Command(CommandKind.NOTHING)),
        ("  # a note in a script", Command(CommandKind.NOTHING)),
        ("\ufeffhelp\r\n", Command(CommandKind.HELP)),
        ("QUIT", Command(CommandKind.QUIT)),
        ("ack", Command(CommandKind.ACK)),
        ("wait 30m", Command(CommandKind.WAIT, minutes=30)),
        ("wait 2 hours", Command(CommandKind.WAIT, minutes=120)),
        ("wait 15", Command(CommandKind.WAIT, minutes=15)),
        ("check", Command(CommandKind.REAL, ("check",))),
        ("modelwatch release rollback v6", Command(CommandKind.REAL, ("release", "rollback", "v6"))),
        (
            'release rollback --reason "two words"',
            Command(CommandKind.REAL, ("release", "rollback", "--reason", "two words")),
        ),
        ("diagnose churn --help", Command(CommandKind.USAGE, ("diagnose", "churn", "--help"))),
        ("/modelwatch approve rollback.1", Command(CommandKind.COMMENT, text="/modelwatch approve rollback.1")),
        ("comment /modelwatch ack", Command(CommandKind.COMMENT, text="/modelwatch ack")),
        ("comment 'it is the release'", Command(CommandKind.COMMENT, text="it is the release")),
        ("comment it's the release", Command(CommandKind.COMMENT, text="it's the release")),
        ("gh issue view 1 --comments", Command(CommandKind.ISSUE)),
        ("close", Command(CommandKind.CLOSE, text="completed")),
        ("close not planned", Command(CommandKind.CLOSE, text="not_planned")),
        ("gh issue close 1", Command(CommandKind.CLOSE, text="completed")),
        ('gh issue close 1 --reason "not planned"', Command(CommandKind.CLOSE, text="not_planned")),
        ("gh issue reopen 1", Command(CommandKind.REOPEN)),
        ('gh issue comment 1 --body "/modelwatch ack"', Command(CommandKind.COMMENT, text="/modelwatch ack")),
        ("gh workflow run rollback.yml -f a=b -f c=d", Command(CommandKind.DISPATCH, ("a=b", "c=d"), "rollback")),
    ],
)
def test_a_line_is_understood(typed: str, wish: Command) -> None:
    assert parse_line(typed) == wish


def test_every_command_that_the_help_names_is_understood() -> None:
    further = HELP.partition("with their options:")[2].partition(".")[0]
    shown = [line.split("  ")[1] for line in HELP.splitlines() if line.startswith("  ")]
    names = [name.split()[0] for text in (further, *shown) for name in text.split(",")]
    assert {"review", "sensitivity", "runbooks", "audit", "wait"} <= set(names)
    assert set(MODELWATCH_COMMANDS) <= set(names)
    assert [name for name in names if parse_line(f"{name} 30m").kind is CommandKind.UNKNOWN] == []


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("chek", "`check`"),
        ("wait", "`wait 30m`"),
        ("wait -5", "`wait 30m`"),
        ("wait 0m", "`wait 30m`"),
        ("wait 241m", "`wait 30m`"),
        ('say "', "quotation"),
        ("demo", "`help`"),
        ("init", "Did you mean"),
        ("standins", "Did you mean"),
        ("check --config=x.yml", "--config"),
        ("check --now 2030-01-01", "--now"),
        ("run --out /tmp/elsewhere", "folder"),
        ("run --out=../elsewhere", "folder"),
        ("run --out ~/elsewhere", "folder"),
        ("gh api /user", "gh issue view"),
        ("gh issue comment 1", "comment"),
        ("x" * 1001, "longer"),
    ],
)
def test_a_line_that_is_not_understood_gets_a_hint(typed: str, hint: str) -> None:
    wish = parse_line(typed)
    assert wish.kind is CommandKind.UNKNOWN
    assert hint in wish.text or wish.text.startswith("`help`")


@given(
    st.text(max_size=200)
    | st.sampled_from(MODELWATCH_COMMANDS).flatmap(lambda name: st.text(max_size=80).map(f"{name} ".__add__))
)
@settings(max_examples=100, deadline=None)
def test_whatever_is_typed_is_read_and_harmless(typed: str) -> None:
    wish = parse_line(typed)
    assert not [
        char for word in (*wish.words, wish.text) for char in word if category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    ]
    if wish.kind is CommandKind.REAL:
        assert wish.words[0] in MODELWATCH_COMMANDS


def test_every_night_has_the_same_people_in_it() -> None:
    one, other = Production.starting_with(T0, GOOD_VERSION), Production.starting_with(T0 + 86_400 * 7, GOOD_VERSION)
    assert one.count_wrong_decisions(T0, ENDS) == other.count_wrong_decisions(T0 + 86_400 * 7, ENDS + 86_400 * 7)


def served(*moves: tuple[str, float]) -> Production:
    production = Production.starting_with(T0 - 600, GOOD_VERSION)
    production.deploy(BAD_VERSION, T0)
    for version, minutes in moves:
        production.deploy(version, PAGED + minutes * MINUTE)
    return production


def test_acting_earlier_costs_less() -> None:
    bills = [compare_costs(served((GOOD_VERSION, after)), T0, PAGED, ENDS, 4 * MINUTE) for after in (4, 20, 60, 180)]
    assert [bill.actual.minutes for bill in bills] == [4, 20, 60, 180]
    wrong = [bill.actual.wrong_decisions for bill in bills]
    assert wrong == sorted(wrong)
    assert bills[0].actual == bills[0].ideal
    assert len({bill.without_action for bill in bills}) == 1
    assert wrong[-1] < bills[0].without_action.wrong_decisions


def test_a_crutch_costs_more_than_the_good_version_and_less_than_the_bad_one() -> None:
    crutch = compare_costs(served((FALLBACK_VERSION, 4)), T0, PAGED, ENDS, 4 * MINUTE)
    assert crutch.actual.minutes == 4
    assert crutch.ideal.wrong_decisions < crutch.actual.wrong_decisions
    back = compare_costs(served((GOOD_VERSION, 4), (BAD_VERSION, 30)), T0, PAGED, ENDS, 4 * MINUTE)
    assert back.actual.minutes is None, "it serves again"


def test_what_served_before_the_page_is_counted_apart() -> None:
    bills = compare_costs(served((GOOD_VERSION, 4)), T0, PAGED, ENDS, 4 * MINUTE)
    whole = served((GOOD_VERSION, 4)).count_wrong_decisions(T0, ENDS) - Production.starting_with(
        T0, GOOD_VERSION
    ).count_wrong_decisions(T0, ENDS)
    assert bills.wrong_before_page + bills.actual.wrong_decisions == whole
