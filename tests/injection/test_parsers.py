"""Every parser that reads what somebody else wrote, beside the relay's own: each takes it, or says in one
sentence why not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.cli.receive import _load_payload
from modelwatch.clients.github import github_message
from modelwatch.errors import UserError
from modelwatch.inbound.payload import parse_payload
from modelwatch.model.pagerduty_event import BUTTON_VERBS
from modelwatch.relay.reloading_file import parse_private_key, parse_secrets, parse_token
from modelwatch.relay.run_election import WorkflowRun, elect
from modelwatch.release.registry import highest_number
from modelwatch.targets.issues.observe import MAX_ARGUMENT, parse_commands
from modelwatch.targets.register import codec

from .corpus import CORPUS

HOSTILE = st.sampled_from([sample.text for sample in CORPUS])
TEXT = st.text(max_size=200) | HOSTILE
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
MOST = 65_536
"""Characters of a comment at GitHub."""


def payload_of(changes: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "schema": 1,
        "id": "01A",
        "type": "incident.triggered",
        "occurred_at": "2026-11-20T03:00:00Z",
    }
    return plain | {"incident": {"id": "P1", "key": "k"}, "agent": {"type": "user", "id": "U1"}} | changes


def refusal(read: Callable[[], object], of: type[Exception] = UserError) -> str:
    """What is said against it; empty where it is taken."""
    try:
        read()
    except of as error:
        return str(error) or "?"
    return ""


OURS = re.compile(r"(the payload[\w `']+\.?( \w[\w ,.]*)?)?", re.ASCII)


@given(JSON)
def test_any_payload_is_refused_in_our_words(given: Any) -> None:
    said = refusal(lambda: parse_payload(given))
    assert said
    assert OURS.fullmatch(said), said


@given(st.sampled_from(["id", "type", "occurred_at", "incident", "agent", "verb", "other"]), JSON)
def test_any_value_in_any_field_of_a_payload_is_plain_or_refused(name: str, value: Any) -> None:
    payload = payload_of({name: value})
    said = refusal(lambda: parse_payload(payload))
    assert OURS.fullmatch(said), said
    if said:
        return
    found = parse_payload(payload)
    for text in (found.id, found.type, found.incident, found.key, found.agent, found.agent_type, found.verb):
        assert re.fullmatch(r"[A-Za-z0-9_.:/=-]{0,255}", text), text
    assert found.verb in ("", *BUTTON_VERBS)
    assert isinstance(found.occurred, float)


@given(TEXT | JSON.map(json.dumps))
def test_any_text_of_a_payload_is_json_or_refused(text: str) -> None:
    said = refusal(lambda: _load_payload(text or "x"))
    assert not said or said.startswith(("there is no readable payload", "the payload "))


@pytest.mark.parametrize(
    "text", ["[" * 10_000, '{"a":' * 10_000 + "1" + "}" * 10_000, '"' + "x" * 70_000 + '"', "\ud800"]
)
def test_a_payload_that_is_too_much_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        _load_payload(text)


@given(st.lists(st.dictionaries(st.sampled_from(["id", "body", "user", "created_at", "updated_at"]), JSON), max_size=3))
def test_any_rows_of_comments_are_read(rows: list[dict[str, Any]]) -> None:
    rows = [row | {"created_at": "2026-11-20T03:00:00Z"} for row in rows]
    for found in parse_commands(rows, lambda _: "no"):
        assert not found.allowed
        assert re.fullmatch(r"[a-z-]+", found.verb)


@given(st.text(alphabet=st.sampled_from("/modelwatch aprv\t\n\r`~<!->"), max_size=300), TEXT)
def test_any_comment_is_read(noise: str, text: str) -> None:
    rows = [{"id": 1, "body": f"{noise}\n/modelwatch silence {text}", "user": {"login": "a"}}]
    for found in parse_commands(rows, lambda _: ""):
        assert len(found.argument) <= MAX_ARGUMENT
        assert "\n" not in found.argument


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "text",
    [
        "/modelwatch a b" + " " * MOST + "\v", "/modelwatch a" + "\t " * (MOST // 2) + "x", "   /modelwatch " * 4_000,
        "<!--" * 16_000, "`" * MOST, "```\n" * 16_000, "~~~ " * 16_000, " \n" * 32_000,
        "<!-- modelwatch:begin 0 -->" * 2_000,
        "".join("`" * (place % 50 + 3) + "\n" for place in range(2_500)),
    ],
    ids=range(10),
)  # fmt: skip
def test_no_comment_takes_longer_than_its_length(text: str) -> None:
    """A hundred of them, at once: what is quadratic in 65,536 characters would be at it for a quarter of an hour."""
    rows = [{"id": number, "body": text, "user": {"login": "a"}} for number in range(100)]
    assert len(parse_commands(rows, lambda _: "")) in (0, 100)
    for _ in range(20):
        codec.parse_body(text)


@given(JSON | st.binary(max_size=200))
def test_any_error_of_github_becomes_a_short_text(data: Any) -> None:
    assert len(github_message(data)) <= 1_000


@given(st.lists(st.builds(WorkflowRun, st.integers(1, 9), TEXT, TEXT, TEXT), max_size=5), st.integers(1, 9), TEXT)
def test_any_titles_are_judged(runs: list[WorkflowRun], own: int, name: str) -> None:
    found = elect(name, own, runs)
    assert found is None or re.fullmatch(r"[\w ]+", found.reason, re.ASCII)


@given(st.text(max_size=300) | HOSTILE)
def test_any_file_of_secrets_is_read_or_refused(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()  # a file holds nothing else
    for read in (parse_secrets, parse_token, parse_private_key):
        said = refusal(lambda read=read: read(text), ValueError)  # type: ignore[misc]
        assert not said or said.startswith("it ")


@given(st.lists(TEXT | st.from_regex(r"v?\d+\.\d+\.\d+", fullmatch=True), max_size=5))
def test_any_aliases_have_a_highest_number_or_none(aliases: list[str]) -> None:
    found = highest_number([*aliases, "v" + "9" * 5_000 + ".0.0"])
    assert found == "" or found in aliases
    assert re.fullmatch(r"(v?\d{1,9}\.\d{1,9}\.\d{1,9})?", found, re.ASCII)
