"""Histograms through series.jsonl and back."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from modelwatch import series_jsonl
from modelwatch.errors import UserError
from modelwatch.model.series import FailureScope, Histograms, PulledSeries

ONE = Histograms(
    "features",
    (("features", "age"),),
    array("d", [1.0, 2.0]),
    (array("d", [0.0, 1.0, 2.0]), array("d", [0.0, 5.0])),
    (array("d", [3.0, 4.0]), array("d", [7.0])),
    ("v1",),
    array("i", [0, -1]),
)


def test_histograms_come_back_as_they_were() -> None:
    content = series_jsonl.encode([PulledSeries("churn", (), histograms=(ONE,))], 10.0)
    (pull,) = series_jsonl.decode(content, Path("series.jsonl"))
    (got,) = pull.histograms
    for name in ("name", "labels", "times", "edges", "counts", "versions", "version_of"):
        assert getattr(got, name) == getattr(ONE, name)


@pytest.mark.parametrize("scope", list(FailureScope))
def test_a_failure_comes_back_with_its_scope(scope: FailureScope) -> None:
    content = series_jsonl.encode([PulledSeries("churn", (), error="HTTP 503", scope=scope)], 10.0)
    (pull,) = series_jsonl.decode(content, Path("series.jsonl"))
    assert (pull.error, pull.scope) == ("HTTP 503", scope)
    assert (b"scope" in content) == (scope is not FailureScope.EVALUATOR), "as 0.1 wrote it, where it says nothing"


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ('"counts":[[3.0,4.0]', '"counts":[[3.0]'),
        ("[0.0,1.0,2.0]", "[0.0,2.0,2.0]"),
        ('"version_of":[0', '"version_of":[7'),
    ],
)
def test_histograms_that_do_not_fit_are_refused(good: str, bad: str) -> None:
    content = series_jsonl.encode([PulledSeries("churn", (), histograms=(ONE,))], 10.0).decode()
    assert good in content
    with pytest.raises(UserError):
        series_jsonl.decode(content.replace(good, bad).encode(), Path("series.jsonl"))


def test_what_was_rolled_back_comes_back() -> None:
    content = series_jsonl.encode([PulledSeries("churn", (), rolled_back=(("v7", "worse"),))], 10.0)
    (pull,) = series_jsonl.decode(content, Path("series.jsonl"))
    assert pull.rolled_back == (("v7", "worse"),)
