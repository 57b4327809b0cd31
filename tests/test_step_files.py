"""The files between the steps: what is written is what is read, and nothing else is taken for it."""

from __future__ import annotations

import json
import math
import re
from array import array
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cache, partial
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch import step_files
from modelwatch.errors import UserError
from modelwatch.model.alert import FORMAT, Judgement, SourceFailure
from modelwatch.model.gate import GateReport
from modelwatch.model.plan import Plan, Receipts
from modelwatch.model.rule import BaselineEntry
from modelwatch.model.series import Deployment, PulledSeries, Series

NOW = 1_780_000_000.0

finite = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@cache
def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Instances of a type of the model, with finite numbers and short tuples."""
    plain = {float: finite, str: words, int: st.integers(-(2**53), 2**53), bool: st.booleans(), type(None): st.none()}
    if kind in plain:
        return plain[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple and inner[-1] is Ellipsis:
        return st.lists(any_of(inner[0]), max_size=1).map(tuple)
    if origin is tuple:
        return st.tuples(*map(any_of, inner))
    if origin in (Union, UnionType):
        return st.one_of(*map(any_of, inner))
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    return st.deferred(lambda: st.builds(kind, **{name: any_of(hint) for name, hint in get_type_hints(kind).items()}))


def content(kind: Any) -> st.SearchStrategy[Any]:
    return any_of(kind).map(lambda made: replace(made, format=FORMAT))


@st.composite
def series(draw: st.DrawFn) -> Series:
    times = sorted(draw(st.sets(finite, max_size=6)))
    column = st.lists(st.floats(), min_size=len(times), max_size=len(times)).map(lambda cells: array("d", cells))
    versions = tuple(draw(st.lists(words, max_size=3, unique=True)))
    places = st.lists(st.integers(-1, len(versions) - 1), min_size=len(times), max_size=len(times))
    return Series(
        name=draw(words),
        labels=draw(st.lists(st.tuples(words, words), max_size=2).map(tuple)),
        times=array("d", times),
        values=draw(column),
        weights=draw(st.none() | column),
        versions=versions,
        version_of=array("i", draw(places)),
    )


pulls = st.lists(
    st.builds(
        PulledSeries,
        model=words,
        series=st.lists(series(), max_size=3).map(tuple),
        deployments=st.lists(st.builds(Deployment, words, finite), max_size=2).map(tuple),
        error=words,
        notes=st.lists(words, max_size=2).map(tuple),
        links=st.lists(st.tuples(words, words), max_size=2).map(tuple),
    ),
    max_size=3,
).map(tuple)


def plain(pull: PulledSeries) -> Any:
    """A pull in a form that compares, NaN included."""
    columns = [
        (one.name, one.labels, one.times.tolist(), repr(one.values), repr(one.weights), one.versions, one.version_of)
        for one in pull.series
    ]
    return pull.model, columns, pull.deployments, pull.error, pull.notes, pull.links


@given(pulls)
@settings(max_examples=60, deadline=None)
def test_series_survive_the_file(tmp_path_factory: pytest.TempPathFactory, written: tuple[PulledSeries, ...]) -> None:
    path = tmp_path_factory.mktemp("s") / "series.jsonl"
    step_files.write_series(path, written, NOW)
    assert [plain(pull) for pull in step_files.read_series(path)] == [plain(pull) for pull in written]
    validator = jsonschema.Draft202012Validator(step_files.schema("series"))
    for line in path.read_bytes().splitlines():
        validator.validate(json.loads(line, parse_constant=pytest.fail))


def _parts(kind: Any, known: set[type]) -> None:
    """Add every dataclass that ``kind`` can hold."""
    for part in get_args(kind):
        _parts(part, known)
    if isinstance(kind, type) and is_dataclass(kind) and kind not in known:
        known.add(kind)
        for hint in get_type_hints(kind).values():
            _parts(hint, known)


def test_what_is_left_out_is_the_default_wherever_the_name_stands() -> None:
    """The text of a field is left out of every object of the file, whatever class it is of."""
    kinds: set[type] = set()
    _parts(Judgement | Plan, kinds)
    for text in step_files.OMITTED_FIELDS:
        ((name, value),) = json.loads(f"{{{text.strip(',')}}}").items()
        for kind in kinds:
            hint = get_type_hints(kind).get(name)
            can_stand = hint is type(value) or (value is None and type(None) in get_args(hint))
            if can_stand or (value == [] and get_origin(hint) is tuple):
                (default,) = (field.default for field in fields(kind) if field.name == name)
                assert default == (() if value == [] else value), f"{kind.__name__}.{name}"


@pytest.mark.parametrize(("kind", "name"), [(Judgement, "alerts"), (Receipts, "receipts"), (GateReport, "gate")])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_what_is_written_survives_the_file(
    tmp_path_factory: pytest.TempPathFactory, kind: Any, name: str, data: st.DataObject
) -> None:
    written, path = data.draw(content(kind)), tmp_path_factory.mktemp(name) / f"{name}.json"
    step_files.write_file(path, written)
    assert step_files.read_file(path, kind) == written
    jsonschema.validate(json.loads(path.read_text()), step_files.schema(name))


@given(content(Plan))
@settings(max_examples=10, deadline=None)
def test_plans_survive_the_file_under_their_digest(tmp_path_factory: pytest.TempPathFactory, written: Plan) -> None:
    path = tmp_path_factory.mktemp("p") / "plan.json"
    digest = write_plan(path, written)
    assert step_files.load_verified_plan(path, digest, written.at) == written
    assert digest == step_files.plan_digest(written) == step_files.plan_digest(path.read_bytes())
    jsonschema.validate(json.loads(path.read_text()), step_files.schema("plan"))


@given(any_of(tuple[BaselineEntry, ...]))
@settings(max_examples=25, deadline=None)
def test_baselines_survive_the_file(
    tmp_path_factory: pytest.TempPathFactory, written: tuple[BaselineEntry, ...]
) -> None:
    path = tmp_path_factory.mktemp("b") / "baseline.json"
    step_files.write_baselines(path, written)
    assert step_files.read_baselines(path) == written
    jsonschema.validate(json.loads(path.read_text()), step_files.schema("baseline"))


def one_pull() -> PulledSeries:
    columns = array("d", [1.0, 2.0]), array("d", [math.nan, -math.inf])
    return PulledSeries("churn", (Series("eval/accuracy", (), *columns, None, ("v1",), array("i", [0, -1])),))


def empty_plan(at: float = NOW) -> Plan:
    return Plan(at=at, config="c", changes=(), skips=(), groups=())


def write_plan(path: Path, plan: Plan) -> str:
    """Write the plan and return its digest."""
    step_files.write_file(path, plan)
    return step_files.plan_digest(plan)


def test_series_are_lines_that_any_json_parser_reads(tmp_path: Path) -> None:
    path = tmp_path / "series.jsonl"
    step_files.write_series(path, (one_pull(),), NOW)
    header, pull, series = (json.loads(line) for line in path.read_text().splitlines())
    assert header == {"format": 1, "kind": "modelwatch/series", "at": NOW, "pulls": 1}
    assert (pull["pull"], pull["series"]) == ("churn", 1)
    assert series["values"] == ["NaN", "-Infinity"]
    assert series["version_of"] == [0, -1]


def test_the_same_content_is_the_same_bytes(tmp_path: Path) -> None:
    judgement = Judgement(NOW, "c", (), (SourceFailure("m", "down"),), ("note",))
    for name in ("a.json", "b.json"):
        step_files.write_file(tmp_path / name, judgement)
        step_files.write_series(tmp_path / f"{name}l", (one_pull(),), NOW)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (lambda lines: lines[:-1], 3, "the file ends early"),
        (lambda lines: [*lines, lines[-1]], 4, "more lines than the header says"),
        (lambda lines: [lines[0].replace('"format":1', '"format":2'), *lines[1:]], 1, "has format 2"),
        (
            lambda lines: [lines[0].replace("modelwatch/series", "other"), *lines[1:]],
            1,
            "not what the line should hold",
        ),
        (lambda lines: [lines[0], lines[1][:20], lines[2]], 2, "this is not JSON"),
        (lambda lines: [*lines[:2], lines[2].replace('"values":["NaN",', '"values":[')], 3, "different lengths"),
        (lambda lines: [*lines[:2], lines[2].replace("[1.0,2.0]", "[2.0,1.0]")], 3, "do not ascend"),
        (lambda lines: [*lines[:2], lines[2].replace("[0,-1]", "[0,1]")], 3, "points at no version"),
        (lambda lines: [*lines[:2], lines[2].replace('"NaN"', '"many"')], 3, "not what the line should hold"),
        (lambda _: [], 1, "the file ends early"),
    ],
)
def test_series_that_are_damaged_are_told_by_line(tmp_path: Path, change: Any, line: int, said: str) -> None:
    path = tmp_path / "series.jsonl"
    step_files.write_series(path, (one_pull(),), NOW)
    path.write_text("\n".join(change(path.read_text().splitlines())))
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        step_files.read_series(path)
    assert caught.value.where == f"{path}:{line}"


def test_a_plan_is_applied_for_an_hour(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    digest = write_plan(path, empty_plan())
    assert step_files.load_verified_plan(path, f" {digest.upper()}\n", NOW + 3600.0) == empty_plan()
    with pytest.raises(UserError, match="61 minutes old"):
        step_files.load_verified_plan(path, digest, NOW + 3660.0)
    with pytest.raises(UserError, match="in the future"):
        step_files.load_verified_plan(path, digest, NOW - 600.0)


def test_a_plan_that_was_altered_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    digest = write_plan(path, empty_plan())
    path.write_text(path.read_text() + " ")
    with pytest.raises(UserError, match="its digest differs"):
        step_files.load_verified_plan(path, digest, NOW)


def test_a_plan_without_its_digest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    step_files.write_file(path, empty_plan())
    with pytest.raises(UserError, match="no digest"):
        step_files.load_verified_plan(path, "", NOW)


def test_a_plan_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    digest = write_plan(path, replace(empty_plan(), format=99))
    with pytest.raises(UserError, match="format 99"):
        step_files.load_verified_plan(path, digest, NOW)


READERS = (
    *(partial(step_files.read_file, kind=kind) for kind in (Judgement, Plan, Receipts, GateReport)),
    step_files.read_baselines,
    step_files.read_series,
)


@pytest.mark.parametrize("read", READERS)
def test_a_file_that_is_missing_is_told(tmp_path: Path, read: Any) -> None:
    with pytest.raises(UserError, match="there is no such file") as caught:
        read(tmp_path / "none.json")
    assert caught.value.hint


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("content", ["", "[]", "{", '{"format": 1}', '{"format": "1"}', "\x00"])
def test_other_content_is_told(tmp_path: Path, read: Any, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(UserError) as caught:
        read(tmp_path / "x.json")
    assert str(tmp_path / "x.json") in caught.value.where


def test_a_mistake_in_json_is_told_by_line(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{\n "format": 1,\n "at": oops\n}')
    with pytest.raises(UserError) as caught:
        step_files.read_file(tmp_path / "x.json", Plan)
    assert caught.value.where.endswith("x.json:3")


def test_a_file_of_another_step_is_not_taken(tmp_path: Path) -> None:
    step_files.write_file(tmp_path / "x.json", Judgement(NOW, "c", ()))
    with pytest.raises(UserError, match="not what the file should hold"):
        step_files.read_file(tmp_path / "x.json", Plan)


def test_a_write_leaves_the_whole_file_and_nothing_else(tmp_path: Path) -> None:
    step_files.write_text(tmp_path / "a.md", "old")
    step_files.write_text(tmp_path / "a.md", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.md", "new")]


def test_a_write_that_fails_is_told_and_leaves_the_old_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        step_files.write_text(tmp_path / "none" / "a.md", "text")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        step_files.write_text(tmp_path / "folder", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("name", ["series", "alerts", "plan", "receipts", "baseline", "gate"])
def test_schemas_are_schemas(name: str) -> None:
    schema = step_files.schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"].endswith(f":{name}:1")
    assert not jsonschema.Draft202012Validator(schema).is_valid({"format": "x"})


def test_a_schema_that_is_not_there() -> None:
    with pytest.raises(UserError, match="no schema 'plans'"):
        step_files.schema("plans")
