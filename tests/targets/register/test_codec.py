"""The register in the body: round trip, people's text untouched, hostile texts inert, anything odd refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.errors import TargetError
from modelwatch.model.ledger import EntryKind, Ledger, LedgerEntry
from modelwatch.model.past_episode import Ending, PastEpisode, PastEpisodes
from modelwatch.model.recent_change import RecentChange, RecentChangeKind, RecentChanges
from modelwatch.model.register import (
    MAX_ALERTS,
    CallRecord,
    DispatchRecord,
    DispatchState,
    FlapRecord,
    FollowerRecord,
    Impact,
    PageRecord,
    Register,
    alert_keys,
)
from modelwatch.model.severity import Severity
from modelwatch.targets.register.codec import (
    MAX_BODY,
    decode_register,
    digest_body,
    digest_title,
    encode_register,
    future_reason,
    parse_body,
    render_body,
    shrink_register,
    truncate,
)
from modelwatch.timeutil import DAY, HOUR

from ..world import GROUP, NOW, intent, register

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
HOSTILE = st.sampled_from(
    [
        "-->",
        "<!--",
        "<!-- modelwatch:end -->",
        f"<!-- modelwatch:begin {GROUP} -->",
        "<!-- modelwatch:register {} -->",
        "<!--modelwatch : END-->",
        "\r\n",
        "\\u003e",
        "--",
        "`" * 3,
    ]
)
EVIL = st.lists(st.one_of(TEXT, HOSTILE), max_size=6).map("".join)
FLOATS = st.floats(0, 4e9, allow_nan=False)


@st.composite
def registers(draw: st.DrawFn) -> Register:
    severities = st.sampled_from(list(Severity))
    page = st.none() | st.builds(PageRecord, st.sampled_from(["triggered", "resolved"]), severities, FLOATS, EVIL)
    records = st.builds(
        DispatchRecord,
        key=EVIL,
        verb=EVIL,
        state=st.sampled_from(list(DispatchState)),
        at=FLOATS,
        url=EVIL,
        run_id=st.none() | st.integers(0, 2**53),
    )
    return register(
        model=draw(EVIL),
        rule=draw(EVIL),
        severity=draw(severities),
        start=draw(FLOATS),
        page=draw(page),
        dispatches=tuple(draw(st.lists(records, max_size=3))),
        silence_reason=draw(EVIL),
        commands=tuple(draw(st.lists(st.integers(1, 2**60), max_size=3))),
        closed=draw(st.none() | FLOATS),
        troubles=tuple(draw(st.lists(EVIL, max_size=2))),
    )


@settings(max_examples=100, deadline=None)
@given(registers(), EVIL, TEXT)
def test_round_trip_whatever_the_texts(wanted: Register, rendered: str, title: str) -> None:
    found = parse_body(render_body("", rendered, wanted, title or "t"))
    assert (found.register, found.error, found.group) == (wanted, "", GROUP)
    assert found.title == digest_title(title or "t")


@settings(max_examples=100, deadline=None)
@given(TEXT, TEXT, EVIL, EVIL)
def test_the_text_of_people_stays_byte_for_byte(above: str, below: str, first: str, second: str) -> None:
    block = render_body("", first, register())
    changed = render_body(above + block + below, second, register(episode=2))
    assert changed.startswith(above + "<!-- modelwatch:begin")
    assert changed.endswith("<!-- modelwatch:end -->" + below)
    assert parse_body(changed).register == register(episode=2)


def test_text_without_a_block_stays_below_it() -> None:
    assert render_body("cc @alice", "evidence", register()).endswith("<!-- modelwatch:end -->\n\ncc @alice")


def test_an_edit_in_the_browser_turns_line_ends_and_is_read_all_the_same() -> None:
    body = render_body("mine", "line one\nline two", register()).replace("\n", "\r\n")
    assert parse_body(body).register == register()
    assert render_body(body, "new", register(episode=3)).endswith("\r\n\r\nmine")


def test_no_new_evidence_keeps_the_old() -> None:
    body = render_body("", "the evidence", register(), "a title")
    kept = render_body(body, "", register(episode=2))
    assert "the evidence" in kept
    assert parse_body(kept).title == digest_title("a title")


BLOCK = render_body("", "evidence", register())


@pytest.mark.parametrize(
    "body",
    [
        BLOCK + BLOCK,
        BLOCK + "\n<!-- modelwatch:end -->",
        f"<!-- modelwatch:begin {GROUP} -->\n" + BLOCK,
        BLOCK.replace("<!-- modelwatch:end -->", ""),
        BLOCK.replace("<!-- modelwatch:register", "<!-- modelwatch:register {} -->\n<!-- modelwatch:register"),
        BLOCK.replace("<!-- modelwatch:title  -->\n", ""),
        "<!-- MODELWATCH:END -->" + BLOCK,
        BLOCK.replace('"episode":1', '"episode":"one"'),
        BLOCK.replace('{"', "{", 1),
        BLOCK.replace(f'"group":"{GROUP}"', '"group":"0000000000000000"'),
        BLOCK.replace('"format":1', '"format":2'),
    ],
)
def test_forged_or_broken_is_not_trusted_and_never_written_over(body: str) -> None:
    """As benchmark-action wipes its history on a parse error: ours refuses, and says why."""
    assert body != BLOCK
    found = parse_body(body)
    assert found.register is None
    assert found.error
    with pytest.raises(TargetError):
        render_body(body, "new", register())


def test_a_newer_format_says_so() -> None:
    assert "newer modelwatch" in parse_body(BLOCK.replace('"format":1', '"format":2')).error


def test_no_markers_is_no_issue_of_ours() -> None:
    assert parse_body("just text").group == ""
    assert parse_body("").group == ""


def test_another_groups_issue_is_never_written() -> None:
    with pytest.raises(TargetError):
        render_body(BLOCK, "x", register(group="f" * 16))


def test_long_evidence_is_cut_and_the_register_never() -> None:
    long = register(dispatches=tuple(intent(f"{GROUP}.1.retrain.{n}") for n in range(20)))
    body = render_body("mine", "| row |\n" * 20_000, long)
    assert len(body) <= MAX_BODY
    assert "The rest of the evidence is left out" in body
    assert parse_body(body).register == long
    assert body.endswith("mine")


def test_people_who_leave_no_room_are_told() -> None:
    with pytest.raises(TargetError, match="no room"):
        render_body("x" * (MAX_BODY - 200), "evidence", register())


def test_a_cut_in_a_fence_or_fold_is_closed() -> None:
    cut = truncate("<details>\n```mermaid\n" + "x\n" * 1000, 500)
    assert len(cut) <= 500
    assert cut.count("```") == 2
    assert "</details>" in cut


@pytest.mark.parametrize(
    "bad", [register(silence_reason="\ud800"), register(start=float("nan")), register(rule="x" * 30_000)]
)
def test_what_would_not_be_read_back_is_not_written(bad: Register) -> None:
    with pytest.raises(TargetError):
        encode_register(bad)


def test_unknown_fields_of_the_same_format_are_ignored_and_missing_ones_have_defaults() -> None:
    text = encode_register(register()).replace('"format":1', '"extra":[1],"format":1').replace('"troubles":[],', "")
    assert decode_register(text) == (register(), "")


def test_the_digest_is_that_of_the_whole_body() -> None:
    assert digest_body("a") != digest_body("a ")
    assert replace(register(), episode=2) != register()


def follower(number: int, ended: float | None) -> FollowerRecord:
    return FollowerRecord(f"{number:016x}", "m" * 60, "r" * 60, "k", Severity.ERROR, 1e9, ended=ended)


def test_a_register_that_is_too_long_loses_its_oldest_details() -> None:
    followers = (*(follower(number, 1e9 + number) for number in range(200)), follower(999, None))
    open_ones = tuple(intent(f"{GROUP}.1.retrain.{number}") for number in range(5))
    long = register(followers=followers, dispatches=open_ones, ledger=Ledger(lost=3))
    with pytest.raises(TargetError, match="too long"):
        encode_register(long)
    found = parse_body(render_body("", "evidence", long)).register
    assert found is not None
    assert found.followers[-1] == followers[-1], "it is still led"
    assert found.followers[:-1] == followers[-len(found.followers) : -1], "the newest are left"
    assert len(found.followers) > 20
    assert (found.dispatches, found.ledger) == (open_ones, long.ledger)
    assert shrink_register(found) == found


def test_each_kind_of_detail_gives_way_the_oldest_first() -> None:
    entries = tuple(LedgerEntry(f"k{number}", 100.0 + number, EntryKind.PAGE, "me", "w" * 120) for number in range(60))
    lost = tuple(
        replace(intent(f"{GROUP}.1.retrain.{number}", DispatchState.LOST), at=110.0 + number, url="u" * 300)
        for number in range(20)
    )
    past = tuple(PastEpisode(50.0 - number, Ending.BY_HAND, url="u" * 300) for number in range(3))
    changes = tuple(RecentChange(105.0 - number, RecentChangeKind.COMMIT, "t" * 300) for number in range(10))
    long = register(
        ledger=Ledger(entries),
        dispatches=lost,
        past_episodes=PastEpisodes(9, 1.0, past),
        recent_changes=RecentChanges(changes),
    )
    found = shrink_register(long)
    encode_register(found)
    assert found.past_episodes == PastEpisodes(9, 1.0)
    assert found.ledger.recent == entries[-len(found.ledger.recent) :]
    assert found.ledger.lost == len(entries) - len(found.ledger.recent) > 0
    assert found.dispatches == lost[-len(found.dispatches) :]
    first = found.ledger.recent[0].at
    assert all(change.at >= first - 1 for change in found.recent_changes.changes)


@pytest.mark.parametrize("number", ["1e300", "-1e300", "1e12", "1e999", "NaN", "Infinity"])
@pytest.mark.parametrize("field", ["start", "told", "closed"])
def test_a_time_that_is_none_is_not_believed(field: str, number: str) -> None:
    text = encode_register(register(told=5.0, closed=6.0))
    before = {"start": f'"start":{register().start}', "told": '"told":5.0', "closed": '"closed":6.0'}[field]
    assert before in text
    found, error = decode_register(text.replace(before, f'"{field}":{number}'))
    assert found is None
    assert "repair or close the issue" in error


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"group":' + "[" * 100_000, "1e999", '{"episode":1e999}', "9" * 10_000]
)
def test_json_that_nobody_writes_is_not_believed(text: str) -> None:
    assert decode_register(text)[0] is None


@pytest.mark.parametrize(
    ("forged", "is_believed"),
    [
        ({"silence_until": NOW + 90 * DAY}, True),
        ({"silence_until": NOW + 92 * DAY}, False),
        ({"ack_until": NOW + DAY}, True),
        ({"ack_until": NOW + 3 * DAY}, False),
        ({"page": PageRecord("triggered", Severity.CRITICAL, NOW + 2 * DAY)}, False),
        ({"page": PageRecord("triggered", Severity.CRITICAL, NOW, page_times=(NOW, NOW + 2 * DAY))}, False),
        ({"flap": FlapRecord(2, NOW, NOW + 2 * DAY)}, False),
        ({"flap": FlapRecord(2, NOW, NOW, quiet_until=NOW + 3 * DAY)}, True),
        ({"page_after": NOW + 3 * DAY}, True),
        ({"calls": (CallRecord("escalated.rollback.1", "x", NOW + 2 * DAY),)}, False),
        ({"dispatches": (DispatchRecord("k", "rollback", DispatchState.SENT, NOW + 2 * DAY),)}, False),
        ({"config_since": NOW + 2 * DAY}, False),
        ({"told": NOW + HOUR}, True),
        ({"impact": Impact("", 9e12, 1.0, 9e12)}, True),
    ],
)
def test_what_is_still_to_come_is_not_believed(forged: dict[str, object], is_believed: bool) -> None:
    """Whoever may edit the issue can write that it was paged, or is muted, until the end of days."""
    assert bool(future_reason(register(**forged), NOW)) != is_believed


def test_a_register_cannot_ask_for_a_billion_events() -> None:
    assert len(alert_keys(GROUP, 10**9)) == MAX_ALERTS
