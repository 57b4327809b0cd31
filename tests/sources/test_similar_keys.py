"""What is said of a key that nothing logs."""

from __future__ import annotations

import pytest

from modelwatch.model.keys import KeyPattern
from modelwatch.sources.similar_keys import similar_keys_hint

KNOWN = (
    *("eval/accuracy", "eval/rows", "eval/region=eu/accuracy", "labels/missing_share", "labels/churned/categories"),
    *("labels/predictions/psi", "predictions/positive_rate", "predictions/lg", "estimated/mae", "estimated/mae/low"),
)


@pytest.mark.parametrize(
    ("wanted", "close"),
    [
        ("eval/acuracy", "eval/accuracy"),
        ("eval/acc", "eval/accuracy"),
        ("eval.accuracy", "eval/accuracy"),
        ("Eval/Accuracy", "eval/accuracy"),
        ("eval/n", "eval/rows"),
        ("eval/regoin=eu/accuracy", "eval/region=eu/accuracy"),
        ("labels/mising_share", "labels/missing_share"),
    ],
)
def test_a_misspelt_key_is_named(wanted: str, close: str) -> None:
    assert similar_keys_hint(KeyPattern(wanted), KNOWN) == f"Did you mean `{close}`?"


@pytest.mark.parametrize(
    ("wanted", "listed"),
    [
        ("labels/changed_share", "labels/churned/categories, labels/missing_share, labels/predictions/psi"),
        ("labels/label/psi", "labels/churned"),
        ("predictions/confidence", "predictions/lg, predictions/positive_rate"),
        ("predictions/n", "predictions/lg, predictions/positive_rate"),
        ("estimated/mae_n", "estimated/mae"),
        ("eval/region=eu/f1", "eval/accuracy, eval/rows"),
    ],
)
def test_another_metric_of_the_group_is_no_misspelling(wanted: str, listed: str) -> None:
    group = wanted.partition("/")[0]
    assert similar_keys_hint(KeyPattern(wanted), KNOWN) == f"Logged under {group}/ are {listed}."


def test_what_measure_leaves_out_it_gives_a_reason_for() -> None:
    hint = similar_keys_hint(KeyPattern("calibration/ece"), KNOWN, is_measured=True)
    assert hint == "`modelwatch measure` prints why it publishes none."
    assert similar_keys_hint(KeyPattern("mine/ece"), ("a", "b"), is_measured=True) == "Logged are a, b."
    assert similar_keys_hint(KeyPattern("mine/ece"), ()) == ""
    scored = similar_keys_hint(KeyPattern("holdout/accuracy"), KNOWN, is_measured=True)
    assert scored == "`modelwatch score` publishes it, once a day."
    agreement = similar_keys_hint(KeyPattern("agreement/candidate_n"), ("agreement/champion",), is_measured=True)
    assert agreement == "`modelwatch score` publishes it, once a day. Logged under agreement/ are agreement/champion."
    assert similar_keys_hint(KeyPattern("mine/ece"), ("own/region=eu/d", "own/d")) == "Logged are own/d."
