"""The port of sources: a new source is one function and one line in the list."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from modelwatch.errors import SourceError
from modelwatch.model.monitored_model import Model, TableSpec
from modelwatch.model.series import FailureScope
from modelwatch.sources import pull as pull_module
from modelwatch.sources.base import ReadContext, Source, SourceResult
from modelwatch.sources.requirements import ReadRequest
from modelwatch.sources.series_builder import SeriesBuilder
from modelwatch.timeutil import HOUR

from .builders import NOW, model, points, pull, rule, series_of, sessions, table_model


def read_constant(model: Model, request: ReadRequest, _context: ReadContext) -> SourceResult | None:
    """One point an hour, all of one value, as ``table: {path: "constant:0.9"}`` names it."""
    path = model.table.path if model.table else ""
    if not path.startswith("constant:"):
        return None
    value = float(path.removeprefix("constant:"))
    if value < 0:
        raise SourceError("the constant is negative.", where="constant")
    builder = SeriesBuilder(request)
    for hours in (2, 1):
        builder.add_row({"_timestamp": NOW - hours * HOUR, "eval/accuracy": value}, "v1")
    return SourceResult(builder, ("read from a constant",), (("constant", "https://example.com"),))


@pytest.fixture
def _constant_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull_module, "SOURCES", [read_constant, *pull_module.SOURCES])


@pytest.mark.usefixtures("_constant_source")
def test_a_source_of_ones_own_is_read() -> None:
    result = pull(table_model("constant:0.9"), NOW, env={})
    assert points(series_of(result)) == {NOW - 2 * HOUR: 0.9, NOW - HOUR: 0.9}
    assert (result.notes, result.links) == (("read from a constant",), (("constant", "https://example.com"),))
    assert [deployment.version for deployment in result.deployments] == ["v1"]


@pytest.mark.usefixtures("_constant_source")
def test_its_failure_is_reported_and_hides_no_other_model() -> None:
    bad = replace(table_model("constant:-1"), name="bad")
    pulls = pull_module.pull_all([bad, table_model("constant:0.5")], NOW, sessions({}))
    assert pulls["bad"].error == "constant: the constant is negative."
    assert len(series_of(pulls["churn"])) == 2


def test_without_it_the_same_model_is_a_table() -> None:
    assert "there is no such file" in pull(table_model("constant:0.9"), NOW, env={}).error


def test_a_model_with_two_sources_is_read_from_the_first_in_the_list() -> None:
    both = replace(model(), table=TableSpec("none.csv"))
    found = pull(both, NOW, env={})
    assert "none.csv: there is no such file" in found.error
    assert found.scope is FailureScope.DATA


def test_a_model_without_a_source() -> None:
    result = pull(Model("churn", (rule(),), where="modelwatch.yml:3:1"), NOW, env={})
    assert result.error == "modelwatch.yml:3:1: the model has no source. Give it `wandb:` or `table:`."
    assert result.scope is FailureScope.EVALUATOR


@pytest.mark.parametrize("read", pull_module.SOURCES)
def test_every_source_leaves_models_of_other_kinds_alone(read: Source) -> None:
    with ThreadPoolExecutor(1) as executor:
        assert read(Model("churn", ()), ReadRequest((), 0.0), ReadContext(sessions({}), executor)) is None
