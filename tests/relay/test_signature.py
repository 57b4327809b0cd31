"""Signatures, and the fuzzer of their header."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.relay.pagerduty_webhook import is_authentic, parse_signatures

BODY = '{"event": "é"}'.encode()


def sign(secret: bytes, body: bytes = BODY) -> str:
    return "v1=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    "header",
    [
        sign(b"new"),
        sign(b"old"),
        f"{sign(b'stranger')},{sign(b'new')}",
        f"{sign(b'stranger')}, {sign(b'old')}",
        f"  {sign(b'new')}  ",
        f"v0=abc,{sign(b'new')},v2=00",
        sign(b"new").upper().replace("V1", "v1"),
    ],
)
def test_every_value_is_held_against_every_secret(header: str) -> None:
    assert is_authentic(BODY, header, [b"old", b"new"])


@pytest.mark.parametrize(
    "header",
    [
        "",
        ",",
        "v1=",
        "v1",
        sign(b"stranger"),
        sign(b"new")[:-1],
        sign(b"new") + "0",
        sign(b"new").replace("v1", "v2"),
        sign(b"new").replace("v1=", "v1 = "),
        sign(b"new", BODY + b" "),
        sign(b""),
    ],
)
def test_nothing_else_will_do(header: str) -> None:
    assert not is_authentic(BODY, header, [b"old", b"new"])


def test_without_a_secret_nothing_is_verified() -> None:
    assert not is_authentic(BODY, sign(b""), [])


@given(st.text(alphabet=st.one_of(st.sampled_from("v1=, \t0123456789abcdefABCDEFg"), st.characters()), max_size=400))
def test_a_header_is_read_or_left_out(header: str) -> None:
    assert all(len(value) == 32 for value in parse_signatures(header))
    assert not is_authentic(BODY, header, [b"secret"])


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4), st.binary(max_size=200), st.data())
def test_whoever_knows_one_secret_is_heard(secrets: list[bytes], body: bytes, data: st.DataObject) -> None:
    known = data.draw(st.sampled_from(secrets))
    noise = data.draw(st.lists(st.sampled_from(["v1=00", "v2=" + "0" * 64, "", " "]), max_size=3))
    parts = data.draw(st.permutations([*noise, sign(known, body)]))
    assert is_authentic(body, ", ".join(parts), secrets)
    assert not is_authentic(body + b"x", ", ".join(parts), secrets)
