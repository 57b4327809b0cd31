"""What a closed issue says of a past episode: how it ended, and the episodes of the alerts that it led."""

from __future__ import annotations

import pytest

from modelwatch.model.alert import group_key
from modelwatch.model.ledger import EntryKind, LedgerEntry
from modelwatch.model.past_episode import Ending
from modelwatch.model.register import FALSE_POSITIVE, FollowerRecord
from modelwatch.model.severity import Severity
from modelwatch.targets.past_episodes import episodes_of, make_episode

from ..report.making import register

HOUR = 3600.0
START = 1_795_132_800.0
END = START + 10 * HOUR


def entry(hour: float, kind: EntryKind, what: str, why: str = "") -> LedgerEntry:
    return LedgerEntry(f"{kind}.{hour}", START + hour * HOUR, kind, "modelwatch", what, why)


ROLLBACK = entry(8, EntryKind.DISPATCH, "rollback finished: success", "to v5")
RETRAIN = entry(4, EntryKind.DISPATCH, "retrain finished: success")
MOVE = entry(9, EntryKind.MOVE, "move rollback: done", "to v4: it is broken: see #3")


@pytest.mark.parametrize(
    ("entries", "ending", "action"),
    [
        ((), Ending.UNEXPLAINED, ""),
        ((ROLLBACK,), Ending.ACTION, "rollback to v5"),
        ((RETRAIN, ROLLBACK), Ending.ACTION, "rollback to v5"),
        ((RETRAIN,), Ending.ACTION, "retrain"),
        ((ROLLBACK, MOVE), Ending.ACTION, "rollback to v4"),
        ((entry(8, EntryKind.DISPATCH, "rollback finished: failure", "to v5"),), Ending.UNEXPLAINED, ""),
        ((entry(8, EntryKind.DISPATCH, "rollback dispatched", "to v5"),), Ending.UNEXPLAINED, ""),
        ((RETRAIN, entry(6, EntryKind.FINDING, "worse: now critical")), Ending.UNEXPLAINED, ""),
        ((ROLLBACK, entry(8.5, EntryKind.FINDING, "escalated to the on-call")), Ending.UNEXPLAINED, ""),
        ((entry(12, EntryKind.DISPATCH, "rollback finished: success", "to v5"),), Ending.UNEXPLAINED, ""),
        ((entry(-30, EntryKind.DISPATCH, "retrain finished: success"),), Ending.UNEXPLAINED, ""),
    ],
)
def test_what_helped(entries: tuple[LedgerEntry, ...], ending: Ending, action: str) -> None:
    episode = make_episode(register(), entries, START, END, "https://github.com/a/b/issues/1")
    assert (episode.ending, episode.action) == (ending, action)


def test_an_action_helps_within_a_day() -> None:
    assert make_episode(register(), (ROLLBACK,), START, START + 32 * HOUR, "").ending is Ending.ACTION
    assert make_episode(register(), (ROLLBACK,), START, START + 33 * HOUR, "").ending is Ending.UNEXPLAINED


def test_what_people_said_comes_first() -> None:
    known = register(verdict=FALSE_POSITIVE)
    assert make_episode(known, (ROLLBACK,), START, END, "").ending is Ending.FALSE_POSITIVE
    assert make_episode(register(), (ROLLBACK,), START, None, "").ending is Ending.BY_HAND


def test_the_alerts_that_it_led_have_their_own_times() -> None:
    other = group_key("churn", "f1")
    led = FollowerRecord(other, "churn", "f1", "accuracy-drop", Severity.ERROR, START + HOUR, ended=START + 9 * HOUR)
    known = register(start=START, closed=END + HOUR, followers=(led,))
    recovered = entry(10, EntryKind.RECOVERY, "recovered")
    names = {known.group: "", other: "f1"}
    found = list(episodes_of("https://github.com/a/b/issues/1", known, (ROLLBACK, recovered), names))
    assert [(one.rule, one.start, one.end, one.ending) for one in found] == [
        ("", START, END, Ending.ACTION),
        ("f1", START + HOUR, START + 9 * HOUR, Ending.ACTION),
    ]
    assert list(episodes_of("", known, (), {group_key("churn", "latency"): ""})) == []
