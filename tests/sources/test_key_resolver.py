"""Keys with slashes, with dots and with both."""

from __future__ import annotations

import pytest

from modelwatch.model.keys import KeyPattern
from modelwatch.sources.requirements import KeyResolver


@pytest.mark.parametrize(
    ("pattern", "key", "found"),
    [
        ("eval/accuracy", "eval/accuracy", "eval/accuracy"),
        ("eval/accuracy", "eval.accuracy", "eval/accuracy"),
        ("eval.accuracy", "eval/accuracy", "eval.accuracy"),
        ("eval/region=*/accuracy", "eval.region=eu.accuracy", "eval/region=eu/accuracy"),
        ("eval/region=*/accuracy", "eval.region=e.u.accuracy", "eval/region=e.u/accuracy"),
        ("eval/region=*/accuracy", "eval/region=eu.accuracy", "eval/region=eu/accuracy"),
        ("features/*/psi", "features.age.psi", "features/age/psi"),
        ("eval/accuracy", "eval/accuracy_top5", None),
        ("eval/accuracy", "accuracy", None),
        ("eval/accuracy", "eval_accuracy", None),
        ("eval/region=*/accuracy", "eval/accuracy", None),
    ],
)
def test_a_key_is_known_however_it_is_joined(pattern: str, key: str, found: str | None) -> None:
    assert KeyResolver([KeyPattern(pattern)]).resolve(key) == found


def test_an_exact_match_goes_before_a_loose_one() -> None:
    keyring = KeyResolver([KeyPattern("eval.accuracy"), KeyPattern("eval/accuracy")])
    assert [keyring.resolve(key) for key in ("eval/accuracy", "eval.accuracy")] == ["eval/accuracy", "eval.accuracy"]


def test_a_key_may_be_a_dictionary_of_wanted_ones() -> None:
    keyring = KeyResolver([KeyPattern("eval/accuracy")])
    assert keyring.may_contain("eval")
    assert not keyring.may_contain("evaluation")
    assert KeyResolver([KeyPattern("*/psi")]).may_contain("age")
