"""Hints that name what exists."""

from __future__ import annotations

import pytest

from modelwatch.errors import did_you_mean

NAMES = ("candidate", "canary", "production", "retrain-weekly")


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("prod", "production"),
        ("PROD", "production"),
        ("candidte", "candidate"),
        ("retrain", "retrain-weekly"),
        ("can", "canary"),  # two begin with it; the closer one is named
    ],
)
def test_the_closest_name(word: str, name: str) -> None:
    assert did_you_mean(word, NAMES) == f"Did you mean `{name}`?"


def test_nothing_is_close() -> None:
    assert did_you_mean("pr", NAMES) == "Known: canary, candidate, production, retrain-weekly."
    assert did_you_mean("x", NAMES, "Name one.") == "Name one."
    assert did_you_mean("id", ["wide", "age"], "") == ""
    assert did_you_mean("ids", ["id", "age"], "") == "Did you mean `id`?"
    assert did_you_mean("x", ()) == ""
