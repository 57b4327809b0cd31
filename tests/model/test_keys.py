"""W&B keys and what they say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.model.keys import KeyPattern, escape_label, key_of, sibling_key
from modelwatch.model.series import labels_of

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)


def test_labels_are_sorted_and_stand_before_the_last_part() -> None:
    """DESIGN: keys are `group/label=value/…/metric`, labels sorted and escaped."""
    labels = labels_of({"region": "eu", "plan": "pro"})
    assert key_of("eval/accuracy", labels) == "eval/plan=pro/region=eu/accuracy"
    assert key_of("accuracy", labels) == "plan=pro/region=eu/accuracy"
    assert key_of("a/b/c", ()) == "a/b/c"


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ("a/b", "a%2Fb"),
        ("a=b", "a%3Db"),
        ("100%", "100%25"),
        ("*", "%2A"),
        ("a\nb", "a%0Ab"),
        ("São Paulo", "S%C3%A3o Paulo"),
        ("<50 & (x)", "<50 & (x)"),
    ],
)
def test_escaping(value: str, escaped: str) -> None:
    assert escape_label(value) == escaped


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["region", "a b", "x=y", "ü/1"]), TEXT, min_size=1, max_size=3))
def test_what_is_written_is_read_back(pairs: dict[str, str]) -> None:
    labels = labels_of(pairs)
    some = "/".join(f"{escape_label(name)}=*" for name, _ in labels)
    pattern = KeyPattern(f"eval/{some}/accuracy")
    assert pattern.match(key_of("eval/accuracy", labels)) == labels
    assert pattern.name == "eval/accuracy"
    assert pattern.allows(labels)


def test_the_count_stands_beside_its_metric() -> None:
    """DESIGN: the count that weighs a metric stands beside it (`…/n`)."""
    assert sibling_key("eval/region=eu/accuracy", "n") == "eval/region=eu/n"
    assert sibling_key("accuracy", "n") == "n"


@pytest.mark.parametrize(
    ("pattern", "key", "labels"),
    [
        ("eval/accuracy", "eval/accuracy", {}),
        ("eval/accuracy", "eval/region=eu/accuracy", None),
        ("eval/accuracy", "eval/accuracyx", None),
        ("eval/a.c", "eval/abc", None),
        ("eval/region=*/accuracy", "eval/region=eu/accuracy", {"region": "eu"}),
        ("eval/region=*/accuracy", "eval/region=/accuracy", {"region": ""}),
        ("eval/region=*/accuracy", "eval/plan=eu/accuracy", None),
        ("eval/region=*/accuracy", "eval/region=eu/plan=pro/accuracy", None),
        ("eval/region=*/accuracy", "eval/accuracy", None),
        ("eval/region=eu/accuracy", "eval/region=eu/accuracy", {"region": "eu"}),
        ("eval/region=eu/plan=*/accuracy", "eval/region=eu/plan=pro/accuracy", {"region": "eu", "plan": "pro"}),
        ("eval/region=e*/accuracy", "eval/region=eu/accuracy", {"region": "eu"}),
        ("eval/region=e*/accuracy", "eval/region=us/accuracy", None),
        ("features/*/psi", "features/age/psi", {"features": "age"}),
        ("features/*/psi", "features//psi", None),
        ("features/*/psi", "features/region=eu/psi", None),
        ("features/*/psi", "features/a/b/psi", None),
        ("features/age_*/psi", "features/age_2/psi", {"features": "age_2"}),
        ("features/age_*/psi", "features/income/psi", None),
        ("*/psi", "age/psi", {"item": "age"}),
        ("features/*/*", "features/age/psi", {"features": "age", "features2": "psi"}),
        ("eval/region=*/accuracy", "eval/region=a%2Fb/accuracy", {"region": "a/b"}),
    ],
)
def test_match(pattern: str, key: str, labels: dict[str, str] | None) -> None:
    found = KeyPattern(pattern).match(key)
    assert found == (None if labels is None else labels_of(labels))
    if found is not None:
        assert KeyPattern(pattern).allows(found)


@pytest.mark.parametrize(
    ("pattern", "name", "plain"),
    [
        ("eval/accuracy", "eval/accuracy", True),
        ("eval/region=eu/accuracy", "eval/accuracy", True),
        ("eval/region=*/accuracy", "eval/accuracy", False),
        ("features/*/psi", "features/psi", False),
        ("features/age_*/psi", "features/psi", False),
    ],
)
def test_name(pattern: str, name: str, plain: bool) -> None:
    assert (KeyPattern(pattern).name, KeyPattern(pattern).is_plain) == (name, plain)


def test_fits_tells_the_segments_of_two_patterns_apart() -> None:
    pattern = KeyPattern("eval/region=*/plan=pro/f1")
    assert pattern.labels == (("plan", "pro"), ("region", None))
    assert pattern.allows(labels_of({"region": "eu", "plan": "pro"}))
    assert not pattern.allows(labels_of({"region": "eu", "plan": "free"}))
    assert not pattern.allows(labels_of({"region": "eu"}))
    assert not pattern.allows(())
    assert KeyPattern("eval/f1").allows(())
