"""What a typed line asks for, and what a night costs."""

from __future__ import annotations

from unicodedata import category

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.demo.tour.cost import reckon
from modelwatch.demo.tour.production import BAD, FALLBACK, GOOD, MINUTE, Production
from modelwatch.demo.tour.wish import REAL, What, Wish, read

T0 = 1_789_956_000.0
PAGED = T0 + 60 * MINUTE
ENDS = PAGED + 240 * MINUTE


@pytest.mark.parametrize(
    ("typed", "wish"),
    [
        ("", Wish(What.NOTHING)),
        ("  # a note in a script", Wish(What.NOTHING)),
        ("\ufeffhelp\r\n", Wish(What.HELP)),
        ("QUIT", Wish(What.QUIT)),
        ("ack", Wish(What.ACK)),
        ("wait 30m", Wish(What.WAIT, minutes=30)),
        ("wait 2 hours", Wish(What.WAIT, minutes=120)),
        ("wait 15", Wish(What.WAIT, minutes=15)),
        ("check", Wish(What.REAL, ("check",))),
        ("modelwatch release rollback v6", Wish(What.REAL, ("release", "rollback", "v6"))),
        ('release rollback --reason "two words"', Wish(What.REAL, ("release", "rollback", "--reason", "two words"))),
        ("diagnose churn --help", Wish(What.USAGE, ("diagnose", "churn", "--help"))),
        ("/modelwatch approve rollback.1", Wish(What.COMMENT, text="/modelwatch approve rollback.1")),
        ("comment /modelwatch ack", Wish(What.COMMENT, text="/modelwatch ack")),
        ("comment 'it is the release'", Wish(What.COMMENT, text="it is the release")),
        ("comment it's the release", Wish(What.COMMENT, text="it's the release")),
        ("gh issue view 1 --comments", Wish(What.ISSUE)),
        ('gh issue comment 1 --body "/modelwatch ack"', Wish(What.COMMENT, text="/modelwatch ack")),
        ("gh workflow run rollback.yml -f a=b -f c=d", Wish(What.DISPATCH, ("a=b", "c=d"), "rollback")),
    ],
)
def test_a_line_is_understood(typed: str, wish: Wish) -> None:
    assert read(typed) == wish


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
    wish = read(typed)
    assert wish.what is What.PUZZLE
    assert hint in wish.text or wish.text.startswith("`help`")


@given(st.text(max_size=200) | st.sampled_from(REAL).flatmap(lambda name: st.text(max_size=80).map(f"{name} ".__add__)))
@settings(max_examples=100, deadline=None)
def test_whatever_is_typed_is_read_and_harmless(typed: str) -> None:
    wish = read(typed)
    assert not [
        char for word in (*wish.words, wish.text) for char in word if category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    ]
    if wish.what is What.REAL:
        assert wish.words[0] in REAL


def test_every_night_has_the_same_people_in_it() -> None:
    one, other = Production.beginning(T0, GOOD), Production.beginning(T0 + 86_400 * 7, GOOD)
    assert one.wrong(T0, ENDS) == other.wrong(T0 + 86_400 * 7, ENDS + 86_400 * 7)


def served(*moves: tuple[str, float]) -> Production:
    production = Production.beginning(T0 - 600, GOOD)
    production.deploy(BAD, T0)
    for version, minutes in moves:
        production.deploy(version, PAGED + minutes * MINUTE)
    return production


def test_acting_earlier_costs_less() -> None:
    bills = [reckon(served((GOOD, after)), T0, PAGED, ENDS, 4 * MINUTE) for after in (4, 20, 60, 180)]
    assert [bill.yours.minutes for bill in bills] == [4, 20, 60, 180]
    wrong = [bill.yours.wrong for bill in bills]
    assert wrong == sorted(wrong)
    assert bills[0].yours == bills[0].ideal
    assert len({bill.nobody for bill in bills}) == 1
    assert wrong[-1] < bills[0].nobody.wrong


def test_a_crutch_costs_more_than_the_good_version_and_less_than_the_bad_one() -> None:
    crutch = reckon(served((FALLBACK, 4)), T0, PAGED, ENDS, 4 * MINUTE)
    assert crutch.yours.minutes == 4
    assert crutch.ideal.wrong < crutch.yours.wrong
    back = reckon(served((GOOD, 4), (BAD, 30)), T0, PAGED, ENDS, 4 * MINUTE)
    assert back.yours.minutes is None, "it serves again"


def test_what_served_before_the_page_is_counted_apart() -> None:
    bills = reckon(served((GOOD, 4)), T0, PAGED, ENDS, 4 * MINUTE)
    whole = served((GOOD, 4)).wrong(T0, ENDS) - Production.beginning(T0, GOOD).wrong(T0, ENDS)
    assert bills.before + bills.yours.wrong == whole
