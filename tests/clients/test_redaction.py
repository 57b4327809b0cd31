"""Secrets are masked in every form, also where they arrive in pieces."""

from __future__ import annotations

import base64
import contextlib
import io
import json
from dataclasses import replace
from html import escape
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.clients.redaction import MASK, RedactedStream, Redactor
from modelwatch.model.plan import ChangeKind, ChangeResult, Receipt
from modelwatch.model.severity import Severity

SECRETS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=8, max_size=40)


@settings(max_examples=100, deadline=None)
@given(SECRETS, st.text(max_size=5))
def test_every_form_is_masked(secret: str, around: str) -> None:
    redactor = Redactor([secret])
    for form in (
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        escape(secret),
        base64.b64encode(secret.encode()).decode(),
        base64.urlsafe_b64encode(secret.encode()).decode(),
    ):
        assert MASK in redactor.redact_text(around + form + around)
        assert secret not in redactor.redact_text(form)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=4), SECRETS, st.binary(max_size=4))
def test_inside_a_longer_base64(before: bytes, secret: str, after: bytes) -> None:
    """As in ``Authorization: Basic`` of ``user:secret``."""
    whole = base64.b64encode(before + secret.encode() + after).decode()
    assert MASK in Redactor([secret]).redact_text(whole)


@settings(max_examples=100, deadline=None)
@given(SECRETS, st.lists(st.integers(1, 30), max_size=5), st.booleans())
def test_a_stream_masks_what_arrives_in_pieces(secret: str, cuts: list[int], flush: bool) -> None:
    target = io.StringIO()
    stream = RedactedStream(Redactor([secret]), target)
    text, place = f"before {secret} after\n{secret}", 0
    for cut in [*cuts, len(text)]:
        stream.write(text[place : place + cut])
        if flush and place + cut < len(text):
            stream.flush()
        place += cut
    stream.close()
    if len(cuts) == 0 or not flush:
        assert secret not in target.getvalue()
        assert target.getvalue() == f"before {MASK} after\n{MASK}"


def test_flush_shows_what_cannot_be_a_secret_and_holds_back_what_may_be() -> None:
    target = io.StringIO()
    stream = RedactedStream(Redactor(["hunter2-hunter2"]), target)
    stream.write("progress 50 %")
    stream.flush()
    assert target.getvalue() == "progress 50 %"
    stream.write("\rkey: hunter2-h")
    stream.flush()
    assert "hunter2" not in target.getvalue()
    stream.write("unter2\n")
    assert target.getvalue().endswith("key: ***\n")


def test_each_line_of_several() -> None:
    key = "-----BEGIN KEY-----\nabcdefgh12345678\nijklmnop\n-----END KEY-----"
    redactor = Redactor([key])
    assert redactor.redact_text("line: abcdefgh12345678") == "line: ***"
    assert redactor.redact_text(key) == MASK
    assert "ijklmnop" not in redactor.redact_text(json.dumps(key))


def test_nothing_to_hide_and_too_short_to_hide() -> None:
    assert Redactor([]).redact_text("abc") == "abc"
    assert Redactor(["", "a", "no"]).redact_text("a no b") == "a no b"
    stream = RedactedStream(Redactor([]), io.StringIO())
    stream.write("x")
    stream.flush()


def test_the_longest_secret_wins() -> None:
    assert Redactor(["secret", "secret-longer"]).redact_text("secret-longer") == MASK


def test_every_text_within_a_value_is_masked_and_nothing_else() -> None:
    redactor = Redactor(["hunter2hunter2", "critical"])
    clean = Receipt("open-issue:1", ChangeKind.OPEN_ISSUE, "churn", "g", ChangeResult.DONE, 1.0)
    assert redactor.redact(clean) is clean
    held = replace(clean, detail="it said hunter2hunter2")
    assert redactor.redact(held) == replace(clean, detail="it said ***")
    assert redactor.redact((held, Severity.CRITICAL, 1.5, None)) == (
        replace(clean, detail="it said ***"),
        Severity.CRITICAL,
        1.5,
        None,
    )
    assert redactor.redact({"a": ["x hunter2hunter2", 1]}) == {"a": ["x ***", 1]}
    assert Redactor(()).redact(held) is held


def test_a_value_in_which_nothing_is_masked_is_the_same_object() -> None:
    """Also where a text comes twice, as two objects, and inside dictionaries: a copy of all of it would cost more than
    the masking."""
    redactor = Redactor(["hunter2hunter2"])
    twice = ["".join(["some ", "text"]) for _ in range(2)]
    receipt = Receipt("1", ChangeKind.OPEN_ISSUE, twice[0], twice[1], ChangeResult.DONE, 1.0)
    clean = {"a": ({"b": twice},), "some text": receipt}
    assert twice[0] is not twice[1]
    assert redactor.redact(clean) is clean
    assert redactor.redact({"hunter2hunter2": 1, "b": 2}) == {"***": 1, "b": 2}


def test_an_interrupt_while_writing_shows_nothing_twice() -> None:
    class Interrupted(io.StringIO):
        def write(self, text: str) -> int:
            super().write(text)
            raise KeyboardInterrupt

    inner = Interrupted()
    stream = RedactedStream(Redactor(["hunter2hunter2"]), inner)
    with pytest.raises(KeyboardInterrupt):
        stream.write("one line\n")
    with contextlib.suppress(KeyboardInterrupt):
        stream.close()
    assert inner.getvalue() == "one line\n"
