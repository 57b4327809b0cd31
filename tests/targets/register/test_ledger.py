"""The ledger: each entry once, in the register or in a comment, whatever fails and whoever edits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.errors import ServiceError
from modelwatch.model.alert import DataSpan, Evidence
from modelwatch.model.keys import KeyPattern
from modelwatch.model.ledger import MAX_RECENT_SIZE, EntryKind, Ledger, LedgerEntry
from modelwatch.model.register import Impact
from modelwatch.model.rule import BaselineKind, BaselineSpec, Direction, Rule
from modelwatch.model.series import Labels
from modelwatch.targets.register.archive import (
    KEEP,
    Archive,
    archive_entries,
    fetch_ledger,
    read_archive,
    render_archive,
)
from modelwatch.targets.register.client import IssueClient
from modelwatch.targets.register.codec import encode_register
from modelwatch.targets.register.ledger import make_entry, worst_impact
from modelwatch.testing.standins.faults import Fault
from tests.report.making import HOUR, alert, finding, group
from tests.targets.world import NOW, REPO, World, register

HOSTILE = "--> <script>@bob | ``` <!-- modelwatch:begin 0000000000000000 --> ![x](http://e.org) " * 4


def entries(first: int, last: int, why: str = "because") -> tuple[LedgerEntry, ...]:
    return tuple(make_entry(f"e.{n}", NOW + n, EntryKind.FINDING, f"entry {n}", why=why) for n in range(first, last))


def client_of(world: World) -> IssueClient:
    return world.connect().issue_client(world.spec)


def authors(client: IssueClient) -> frozenset[str]:
    return frozenset({client.github.login().lower()})


def stored(client: IssueClient) -> Archive:
    return read_archive(client.list_comments(1), authors(client))


def keys(archive: Archive, ledger: Ledger) -> list[str]:
    return [entry.key for entry in (*archive.entries, *ledger.recent)]


def open_issue(world: World) -> IssueClient:
    client = client_of(world)
    client.create("t", "b", [], [])
    return client


def test_the_same_entry_is_added_once_and_the_register_stays_small() -> None:
    ledger = Ledger().add(*entries(0, 3)).add(*entries(1, 4))
    assert [entry.key for entry in ledger.recent] == ["e.0", "e.1", "e.2", "e.3"]
    full = Ledger().add(*entries(0, 300, HOSTILE))
    assert full.lost + len(full.recent) == 300
    assert full.recent[-1].key == "e.299"
    assert len(encode_register(register(ledger=full))) < MAX_RECENT_SIZE + 1000


def test_a_long_ledger_goes_into_comments_and_every_entry_is_there_once(world: World) -> None:
    client, ledger = open_issue(world), Ledger()
    for batch in range(40):
        ledger = ledger.add(*entries(batch * 5, batch * 5 + 5, HOSTILE if batch % 2 else "because"))
        ledger = archive_entries(client, 1, 1, ledger, authors(client), NOW)
        assert len(ledger.recent) == KEEP
    archive = stored(client)
    assert keys(archive, ledger) == [f"e.{n}" for n in range(200)]
    assert ledger.lost == 0
    assert archive.damage(ledger) == ""
    assert len(archive.parts) > 1
    assert all(len(comment["body"]) <= 65_536 for comment in client.list_comments(1))


def test_a_crash_after_the_comment_repeats_nothing(world: World) -> None:
    client, before = open_issue(world), Ledger().add(*entries(0, 14))
    archive_entries(client, 1, 1, before, authors(client), NOW)  # the register is not written
    after = archive_entries(client, 1, 1, before.add(*entries(14, 16)), authors(client), NOW)
    assert keys(stored(client), after) == [f"e.{n}" for n in range(16)]
    assert stored(client).damage(after) == ""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["status", "drop"])
def test_a_lost_answer_neither_loses_nor_repeats_entries(world: World, when: str, what: str) -> None:
    client, ledger = open_issue(world), Ledger().add(*entries(0, 14))
    for batch, method in enumerate(("POST", "PATCH"), start=1):  # a comment is created, then edited
        fault = Fault(what, when, method, "/comments", status=502)
        world.github.inject(fault)
        try:
            ledger = archive_entries(client, 1, 1, ledger, authors(client), NOW)
        except ServiceError:
            ledger = archive_entries(client, 1, 1, ledger, authors(client), NOW)
        assert fault.strike_count == 1
        ledger = ledger.add(*entries(14 * batch, 14 * batch + 14))
    assert keys(stored(client), ledger) == [f"e.{n}" for n in range(42)]
    assert len(stored(client).parts) == 1


@pytest.mark.parametrize("act", ["delete", "edit", "break"])
def test_what_a_person_does_to_the_comment_is_noticed_and_recorded(world: World, act: str) -> None:
    client = open_issue(world)
    ledger = archive_entries(client, 1, 1, Ledger().add(*entries(0, 14)), authors(client), NOW)
    comments, number = world.state.repo(REPO).comments, stored(client).parts[0].comment
    comment = comments.get(number)
    if act == "delete":
        comments.remove(number)
    else:
        old, new = ("entry 3", "nothing") if act == "edit" else ('"key"', '"kee"')
        client.edit_comment(number, comment.body.replace(old, new))
    expected = {"delete": "10 of 10 entries", "edit": "edited", "break": "10 of 10 entries"}[act]
    assert expected in stored(client).damage(ledger)
    for first in (14, 28):
        ledger = archive_entries(client, 1, 1, ledger.add(*entries(first, first + 14)), authors(client), NOW + first)
    archive = stored(client)
    assert archive.damage(ledger) == ""
    damages = [entry for entry in archive.entries if entry.kind is EntryKind.LEDGER]
    assert [expected in entry.what for entry in damages] == [True]
    assert [key for key in keys(archive, ledger) if key.startswith("e.")][-28:] == [f"e.{n}" for n in range(14, 42)]


def test_an_archive_of_somebody_else_is_not_believed(world: World) -> None:
    client = open_issue(world)
    forged = render_archive(1, 1, entries(0, 5))
    world.github.standin.person(REPO, "alice").add_comment(1, forged)
    ledger = archive_entries(client, 1, 1, Ledger().add(*entries(20, 34)), authors(client), NOW)
    assert keys(stored(client), ledger) == [f"e.{n}" for n in range(20, 34)]


def test_comments_of_strangers_neither_hide_the_archive_nor_end_it(world: World) -> None:
    client, mallory = open_issue(world), world.github.standin.person(REPO, "mallory")
    ledger = archive_entries(client, 1, 1, Ledger().add(*entries(0, 14)), authors(client), NOW)
    for number in range(2_100):  # more than are ever read
        mallory.add_comment(1, f"comment {number}")
    world.github.requests.clear()
    ledger = archive_entries(client, 1, 1, ledger.add(*entries(14, 28)), authors(client), NOW)
    assert len(world.requests()) == 2, "the comment is read by its id, and edited"
    found, damage = fetch_ledger(client, 1, register(ledger=ledger), authors(client))
    assert ([entry.key for entry in found][-28:], damage) == ([f"e.{n}" for n in range(28)], "")


def test_the_archive_of_a_register_of_0_1_is_found_among_the_comments(world: World) -> None:
    client = open_issue(world)
    ledger = archive_entries(client, 1, 1, Ledger().add(*entries(0, 14)), authors(client), NOW)
    older = replace(ledger, comment_ids=()).add(*entries(14, 28))
    ledger = archive_entries(client, 1, 1, older, authors(client), NOW)
    assert keys(stored(client), ledger) == [f"e.{n}" for n in range(28)]
    assert ledger.comment_ids == tuple(part.comment for part in stored(client).parts)


def test_the_rows_of_an_episode_are_those_of_the_series_that_was_worst() -> None:
    latam = (("region", "latam"),)

    def impact(labels: Labels, change: float, rows: float, before: Impact | None = None) -> Impact:
        worst = alert(finding(labels=labels, value=0.9 * (1 + change), change=change))
        known = worst_impact(group(worst, evidence=Evidence(affected=DataSpan(NOW - HOUR, NOW, 4, rows))), before, None)
        assert known is not None
        return known

    whole = impact((), -0.05, 9000.0)
    segment = impact(latam, -0.2, 600.0, whole)
    assert (segment.where, segment.rows) == ("region=latam", 600.0)
    assert impact((), -0.06, 43_200.0, segment) == segment
    assert impact(latam, -0.1, 900.0, segment).rows == 900.0


@pytest.mark.parametrize(
    ("better", "values", "worst"),
    [
        (Direction.LOWER, (1.603, 1.802, 1.765), 1.802),
        (Direction.HIGHER, (0.7, 0.6, 0.65), 0.6),
        (None, (0.1, -0.4, 0.3), -0.4),
    ],
)
def test_the_worst_beyond_a_limit_without_a_baseline_is_by_value(
    better: Direction | None, values: tuple[float, ...], worst: float
) -> None:
    rule = Rule("inputs", "data-drift", KeyPattern("features/*"), (), better=better)
    known = None
    for value in values:
        known = worst_impact(group(alert(finding(value=value, baseline=None, change=None))), known, rule)
    assert known is not None
    assert known.value == worst


def test_the_worst_of_a_slow_decline_is_measured_from_the_baseline_of_when_it_fired() -> None:
    """The rolling baseline follows: the newest value is worse although its own change is smaller."""
    rule = Rule("accuracy", "accuracy-drop", KeyPattern("eval/accuracy"), ())
    seasonal = replace(rule, baseline=BaselineSpec(BaselineKind.SEASONAL))
    fired = worst_impact(group(alert(finding(value=0.855, baseline=0.9, change=-0.05))), None, rule)
    later = group(alert(finding(value=0.83, baseline=0.86, change=-0.035)))
    worst = worst_impact(later, fired, rule)
    assert worst is not None
    assert (worst.value, worst.baseline) == (0.83, 0.9)
    assert worst.change == pytest.approx(-0.0778, abs=1e-4)
    assert worst_impact(later, fired, seasonal) == fired
