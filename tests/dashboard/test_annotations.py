"""What happened to a model, the same for every chart over time."""

from __future__ import annotations

from modelwatch.dashboard.annotations import MAX_OF_KIND, model_annotations
from modelwatch.dashboard.page import Annotation, AnnotationKind
from modelwatch.model.alert import AlertState
from modelwatch.model.calendar import CalendarEvent, CalendarSpec
from modelwatch.model.ledger import RECOVERED, EntryKind, Ledger, LedgerEntry
from modelwatch.model.monitored_model import Matcher, Silence, WeeklyWindow
from modelwatch.model.past_episode import Ending, PastEpisode, PastEpisodes
from modelwatch.model.plan import ModelObservation, ObservedIssue
from modelwatch.model.register import Register
from modelwatch.model.release import Move, MoveState, MoveVerb
from modelwatch.model.series import Deployment, ServiceStart, StartOrigin
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY, HOUR

from ..alerts.making import rule, track
from .making import NOW, firing_alert, group_of, snapshot


def found(*kinds: AnnotationKind, **more: object) -> list[tuple[float, float | None, str]]:
    """Begin and end in days before now, and the text."""
    all_of_them = model_annotations(snapshot(**more))  # type: ignore[arg-type]
    return [
        ((one.at - NOW) / DAY, None if one.until is None else (one.until - NOW) / DAY, one.text)
        for one in all_of_them
        if not kinds or one.kind in kinds
    ]


def test_versions_are_annotated_when_they_were_first_seen() -> None:
    deployments = (Deployment("v6", NOW - 20 * DAY), Deployment("v7", NOW - 3 * DAY))
    starts = (ServiceStart("v6", NOW - 20 * DAY, NOW - 20 * DAY, StartOrigin.EDGE),)
    pull = {"deployments": deployments, "starts": starts, "rolled_back": (("v7", "accuracy fell"),)}
    assert found(pull=pull) == [(-3, None, "v7 first seen; rolled back since: accuracy fell")]


def test_the_longest_text_that_people_can_add_is_whole() -> None:
    text = f"{'x' * 200} ({'a' * 80})"
    note = Annotation(NOW - DAY, AnnotationKind.PERSON, text)
    assert found(AnnotationKind.PERSON, added=(note,)) == [(-1, None, text)]


def test_moves_are_annotated_and_not_once_more_as_a_version() -> None:
    deployment = Deployment("v7", NOW - 3 * DAY)
    moves = (
        Move("k2", MoveVerb.CANARY, "churn", "v6", "v7", "", "kim", NOW - 4 * DAY, state=MoveState.DONE, percent=10.0),
        Move("k1", MoveVerb.PROMOTE, "churn", "v6", "v7", "better", "kim", NOW - 3 * DAY, state=MoveState.FAILED),
    )
    start = ServiceStart("v7", NOW - 3 * DAY, NOW - 3 * DAY, StartOrigin.MOVE)
    assert found(pull={"deployments": (deployment,), "moves": moves, "starts": (start,)}) == [
        (-4, None, "canary to v7 with 10 % of the traffic"),
        (-3, None, "promote to v7 (failed): better"),
    ]


def register(**more: object) -> Register:
    given: dict[str, object] = {
        "group": "g1",
        "model": "churn",
        "rule": "accuracy",
        "episode": 1,
        "start": NOW - 5 * DAY,
        "severity": Severity.ERROR,
        "peak": Severity.CRITICAL,
        "config": "c1",
        "config_since": NOW - 5 * DAY,
    }
    return Register(**(given | more))  # type: ignore[arg-type]


def issue(own: Register, number: int = 7, **more: object) -> ObservedIssue:
    given: dict[str, object] = {
        "number": number,
        "url": f"https://github.com/acme/churn/issues/{number}",
        "group": own.group,
        "state": "open",
        "state_reason": "",
        "closed_at": None,
        "created_at": own.start,
        "author": "modelwatch",
        "body_digest": "",
        "register": own,
    }
    return ObservedIssue(**(given | more))  # type: ignore[arg-type]


def observed(*issues: ObservedIssue) -> ModelObservation:
    return ModelObservation("churn", issues)


def test_an_episode_lasts_until_it_has_recovered() -> None:
    ledger = Ledger((LedgerEntry("r", NOW - 2 * DAY, EntryKind.RECOVERY, "modelwatch", RECOVERED),))
    closed = register(closed=NOW - DAY, ledger=ledger)
    shown = snapshot(rules=(rule(),), observation=observed(issue(closed, state="closed")))
    (one,) = model_annotations(shown)
    assert (one.at, one.until, one.kind) == (NOW - 5 * DAY, NOW - 2 * DAY, AnnotationKind.INCIDENT)
    assert (one.text, one.url) == ("accuracy: critical", "https://github.com/acme/churn/issues/7")


def test_an_open_episode_lasts_until_now_and_past_ones_are_there_once() -> None:
    past = PastEpisodes(
        1, None, (PastEpisode(NOW - 20 * DAY, Ending.ACTION, NOW - 19 * DAY, "rollback to v5", NOW, "https://x/3"),)
    )
    assert found(observation=observed(issue(register(past_episodes=past)))) == [
        (-20, -19, "accuracy: rollback to v5 helped"),
        (-5, 0, "accuracy: critical"),
    ]


def test_an_issue_of_a_stranger_is_no_incident() -> None:
    assert found(observation=observed(issue(register(), trusted=False))) == []


def test_problems_of_data_are_of_a_kind_of_their_own() -> None:
    own = rule("missing", kind="data-quality")
    assert found(AnnotationKind.DATA_PROBLEM, rules=(own,), observation=observed(issue(register(rule="missing")))) == [
        (-5, 0, "missing: critical")
    ]


def test_an_alert_without_an_issue_is_annotated_by_what_was_judged() -> None:
    bad = track("....ee")
    group = group_of(firing_alert(bad, "error", 4))
    now = bad.grid.last
    (one,) = model_annotations(snapshot(rules=(bad.rule,), groups=(group,), now=now))
    assert (one.at, one.until, one.kind) == (bad.grid.time(4), now, AnnotationKind.INCIDENT)
    assert one.text.endswith(": error")
    ended = group_of(firing_alert(bad, "error", 4), state=AlertState.RESOLVED, end=now, severity=None)
    (one,) = model_annotations(snapshot(rules=(bad.rule,), groups=(ended,), now=now + HOUR))
    assert one.until == now


def test_an_alert_with_an_issue_is_annotated_once() -> None:
    bad = track("....ee")
    group = group_of(firing_alert(bad, "error", 4))
    own = register(group=group.key, start=bad.grid.time(4))
    shown = snapshot(
        rules=(bad.rule,),
        groups=(group,),
        registers={group.key: own},
        observation=observed(issue(own)),
        now=bad.grid.last,
    )
    assert [one.text for one in model_annotations(shown)] == ["accuracy: critical"]


def test_silences_are_periods_and_those_that_recur_are_many() -> None:
    once = Silence(Matcher(), NOW + DAY, "kim", "migration", NOW - DAY)
    assert found(AnnotationKind.SILENCE, model={"silences": (once,)}) == [(-1, 1, "silenced by kim: migration")]
    nightly = Silence(
        Matcher(), NOW + 90 * DAY, "kim", "backup", NOW - 3 * DAY, WeeklyWindow(tuple(range(7)), 22 * HOUR, 2 * HOUR)
    )
    stretches = found(AnnotationKind.SILENCE, model={"silences": (nightly,)})
    assert all(round((end or 0) - begin, 6) in (round(4 / 24, 6), round(2 / 24, 6)) for begin, end, _ in stretches)
    assert len(stretches) == 11, "three days back, a week ahead"


def test_a_silence_on_an_issue_has_its_author() -> None:
    own = register(silence_until=NOW + HOUR, silence_by="robin", silence_reason="known")
    assert found(AnnotationKind.SILENCE, registers={"g1": own}) == [(-5, 1 / 24, "accuracy silenced by robin: known")]


def test_days_of_the_calendar_last_a_day() -> None:
    event = CalendarEvent("sale", "2024-11-01", "2024-11-02")
    assert found(AnnotationKind.CALENDAR, model={"calendar": CalendarSpec(events=(event,))}) == [
        (-2, -1, "sale"),
        (-1, 0, "sale"),
    ]


def test_what_people_added_is_there_and_harmless() -> None:
    added = Annotation(NOW - DAY, AnnotationKind.PERSON, "price\n\u202echange\x00", url="javascript:alert(1)")
    (one,) = model_annotations(snapshot(added=(added,)))
    assert one.text == "price \ufffdchange"
    assert one.url == ""


def test_annotations_are_bounded_and_of_the_history_that_is_shown() -> None:
    many = tuple(Deployment(f"v{number}", NOW - number * HOUR) for number in range(200, 0, -1))
    shown = found(pull={"deployments": many})
    assert len(shown) == MAX_OF_KIND
    assert shown[-1][2] == "v1 first seen"
    old = (Deployment("v0", NOW - 60 * DAY),)
    assert found(pull={"deployments": old}) == []
