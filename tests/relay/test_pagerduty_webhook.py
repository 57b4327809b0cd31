"""Events: what of them is read, what may leave, and the fuzzer of the parser."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.relay.pagerduty_webhook import InvalidEventError, dispatch_payload, read_event, safe_id

from .world import incident, raw

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
FORM = {
    "id": r"[A-Za-z0-9_-]{1,64}",
    "type": r"[a-z_]+(\.[a-z_]+)+",
    "occurred_at": r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?",
    "incident.id": r"[A-Za-z0-9_-]{0,64}",
    "incident.status": r"(triggered|acknowledged|resolved)?",
    "incident.key": r"[A-Za-z0-9_.:/=-]{0,255}",
    "incident.service": r"[A-Za-z0-9_-]{0,64}",
    "agent.type": r"user|service|integration|workflow|other|none",
    "agent.id": r"[A-Za-z0-9_-]{0,64}",
    "verb": r"(retrain|rollback|degrade)?",
}


def assert_inert(found: dict[str, Any]) -> None:
    """The payload is of the fixed form, whatever came in."""
    assert list(found) == ["schema", "id", "type", "occurred_at", "incident", "agent", "verb"]
    assert len(json.dumps(found).encode()) < 2_000
    for name, pattern in FORM.items():
        value: Any = found
        for part in name.split("."):
            value = value[part]
        assert isinstance(value, str)
        assert re.fullmatch(pattern, value, re.ASCII), f"{name}: {value!r}"
    assert type(found["incident"]["number"]) is int
    assert 0 <= found["incident"]["number"] < 2**53


def test_an_incident_is_read() -> None:
    event = read_event(raw(incident("01ABC", "incident.acknowledged", at=1_795_000_000.5, status="acknowledged")))
    assert dispatch_payload(event, "") == {
        "schema": 1,
        "id": "01ABC",
        "type": "incident.acknowledged",
        "occurred_at": "2026-11-18T11:06:40Z",
        "incident": {
            "id": "PINC1", "number": 7, "status": "acknowledged", "key": "0123456789abcdef", "service": "PF9KMXH",
        },
        "agent": {"type": "user", "id": "PUSER1"},
        "verb": "",
    }  # fmt: skip


def test_an_incident_workflow_names_its_incident_and_itself() -> None:
    data: dict[str, Any] = {
        "type": "incident_workflow_instance",
        "incident_workflow": {"id": "PWORKFLOW", "summary": "Roll back"},
        "incident": {"id": "PINC9", "type": "incident_reference", "summary": "::error::"},
    }
    event = read_event(raw(incident("01W", "incident.workflow.started", **data)))
    assert event.incident_workflow == ("PWORKFLOW", "Roll back")
    assert (event.incident, event.service, event.number) == ("PINC9", "PF9KMXH", 0)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{", b"\xff\xfe", b'{"event": []}', b'{"event": {}}', b'{"event": {"id": "A"}}',
        b'{"event": {"id": 7, "event_type": "incident.triggered"}}', b'{"event": {"id": "A", "event_type": "x"}}',
        b"[" * 100_000, b'{"a":' * 50_000, b'{"event": 1' + b"0" * 5_000 + b"}",
    ],
    ids=range(13),
)  # fmt: skip
def test_what_is_no_event_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(InvalidEventError):
        read_event(body)


@pytest.mark.parametrize(
    "hostile", ["${{ secrets.X }}", "a b", "::set-output", "x" * 65, "é", "\ud800", "a\nb", "../.."]
)
def test_an_odd_id_becomes_a_hash_and_stays_one_id(hostile: str) -> None:
    assert safe_id(hostile) == safe_id(hostile)
    assert re.fullmatch("h[0-9a-f]{40}", safe_id(hostile))
    assert safe_id(hostile) != safe_id(hostile + "'")


@pytest.mark.parametrize(
    "value", ["yesterday", "", None, 5, "9999-99-99T00:00:00Z", "0001-01-01T00:00:00+23:59", "1" * 41]
)
def test_an_odd_time_is_none(value: object) -> None:
    assert read_event(raw(incident("A") | {"occurred_at": value})).occurred_at is None


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_unreadable(body: bytes) -> None:
    try:
        event = read_event(body)
    except InvalidEventError:
        return
    assert_inert(dispatch_payload(event, ""))


@given(st.dictionaries(st.sampled_from(["id", "event_type", "occurred_at", "agent", "data", "client"]), JSON), JSON)
def test_any_json_in_any_place_comes_out_inert(changes: dict[str, Any], deep: Any) -> None:
    event: dict[str, Any] = incident("A1") | changes
    if isinstance(event.get("data"), dict):
        event["data"] = event["data"] | {"service": {"id": deep}, "incident": {"status": deep, "incident_key": deep}}
    try:
        found = read_event(json.dumps({"event": event}).encode())
    except InvalidEventError:
        return
    assert_inert(dispatch_payload(found, "retrain"))


@given(st.text(max_size=300))
def test_any_text_in_every_field_comes_out_inert(text: str) -> None:
    named = {"id": text, "summary": text}
    data: dict[str, Any] = {"id": text, "status": text, "incident_key": text, "service": named, "title": text}
    data["incident_workflow"] = named
    event = incident(text, "incident.workflow.started", **data) | {"agent": {"type": text, "id": text}}
    try:
        found = read_event(raw(event))
    except InvalidEventError:
        assert not text
        return
    assert_inert(dispatch_payload(found, ""))
