"""The executor, the history and the endpoint, without a client."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.testing.standins.graphql import GraphQLRequestError, Node, compile_query, connection, execute
from modelwatch.testing.standins.http import Request
from modelwatch.testing.standins.wandb import WandbStandIn
from modelwatch.testing.standins.wandb.history import History, flatten

AUTHORIZATION = "Basic " + base64.b64encode(b"api:" + b"k" * 40).decode()

PET = Node("Dog", {"name": "Rex", "tail": 1, "owner": lambda _: Node("Person", {"name": "Ann", "age": 40})}, ("Pet",))
ROOT = Node(
    "Query",
    {
        "pet": PET,
        "pets": [PET, PET],
        "nothing": None,
        "echo": lambda arguments: arguments,
    },
)


def run(query: str, **variables: Any) -> dict[str, Any]:
    return execute(compile_query(query), variables, ROOT)


def test_fragments_aliases_and_type_conditions() -> None:
    query = """
    query Q { first: pet { ...P ... on Dog { tail } ... on Cat { lives } owner { age } } nothing { x } pets { name } }
    fragment P on Pet { __typename name owner { name } }
    """
    assert run(query) == {
        "first": {"__typename": "Dog", "name": "Rex", "owner": {"name": "Ann", "age": 40}, "tail": 1},
        "nothing": None,
        "pets": [{"name": "Rex"}, {"name": "Rex"}],
    }


@pytest.mark.parametrize(
    ("include", "skip", "there"), [(True, False, True), (False, False, False), (True, True, False)]
)
def test_directives(include: int, skip: int, there: int) -> None:
    query = "query Q($i: Boolean!, $s: Boolean!) { pet { tail name @include(if: $i) @skip(if: $s) } }"
    assert ("name" in run(query, i=bool(include), s=bool(skip))["pet"]) is bool(there)


def test_arguments_defaults_and_what_is_not_given() -> None:
    query = 'query Q($a: Int = 3, $b: String, $c: Int) { echo(a: $a, b: $b, in: {c: $c, d: [1, "x"]}) }'
    assert run(query) == {"echo": {"a": 3, "in": {"d": [1, "x"]}}}
    assert run(query, a=4, b="y", c=5) == {"echo": {"a": 4, "b": "y", "in": {"c": 5, "d": [1, "x"]}}}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("query { colour }", 'Cannot query field "colour" on type "Query"'),
        ("query { pet { wings } }", 'Cannot query field "wings" on type "Dog"'),
        ("query { pet { ...Lost } }", 'Unknown fragment "Lost"'),
        ("query { pet ", "Syntax error"),
        ("query A { pet { name } } query B { pet { name } }", "one operation"),
    ],
)
def test_what_is_not_understood_is_refused(query: str, message: str) -> None:
    with pytest.raises(GraphQLRequestError, match=message) as refused:
        run(query)
    assert refused.value.status == 400


@given(count=st.integers(0, 30), first=st.integers(1, 12))
@settings(max_examples=50, deadline=None)
def test_pages_hold_everything_once(count: int, first: int) -> None:
    names = [f"n{number}" for number in range(count)]
    seen: list[str] = []
    after = None
    for _ in range(count + 1):
        page = connection(names, {"first": first, "after": after}, str, lambda name: Node("N", {"name": name}))
        edges = page.fields["edges"]
        seen += [edge.fields["node"].fields["name"] for edge in edges]
        info = page.fields["pageInfo"].fields
        after = info["endCursor"]
        if not info["hasNextPage"]:
            break
    assert seen == names


def post(standin: WandbStandIn, body: Any, path: str = "/graphql", authorization: str = AUTHORIZATION) -> Any:
    request = Request("POST", path, {}, {"authorization": authorization, "host": "h"}, json.dumps(body).encode())
    return standin.handle(request)


def test_an_unknown_operation_is_a_clear_error_and_is_kept() -> None:
    standin = WandbStandIn()
    response = post(standin, {"query": "mutation CreateFlux($a: Int) { createFlux(a: $a) { ok } }"})
    assert response.status == 400
    message = 'Cannot query field "createFlux" on type "Mutation".'
    assert json.loads(response.body)["errors"] == [{"message": message}]
    assert standin.unknown_requests == [f"CreateFlux: {message}"]
    assert post(standin, {}, "/elsewhere").status == 404
    assert standin.unknown_requests[1:] == ["POST /elsewhere"]


def test_a_stream_into_nothing_is_refused() -> None:
    assert post(WandbStandIn(), {"files": {}}, "/files/acme/churn/none/file_stream").status == 404


def test_nested_rows_are_flattened_and_numbers_normalised() -> None:
    row = {"a": {"b": {"c": 2.0}}, "h": {"_type": "histogram", "bins": [0.0, 1.5]}, "n": float("nan"), "list": [1.0]}
    assert flatten(row) == {"a.b.c": 2, "h": {"_type": "histogram", "bins": [0, 1.5]}, "n": "NaN", "list": [1]}
    assert flatten({"big": 1e300, "yes": True, "none": None}) == {"big": 1e300, "yes": True, "none": None}


rows = st.lists(st.integers(0, 40), unique=True, max_size=25).map(
    lambda steps: [{"_step": step, "a": step} for step in steps]
)


@given(lines=rows, least=st.integers(0, 45), most=st.integers(0, 45))
@settings(max_examples=80, deadline=None)
def test_pages_of_history_are_by_step(lines: list[dict[str, int]], least: int, most: int) -> None:
    history = History()
    history.extend(lines)
    steps = sorted(line["_step"] for line in lines)
    found = [json.loads(text)["_step"] for text in history.page(least, most)]
    assert found == [step for step in steps if least <= step < most]
    sampled = history.sample({"keys": ["_step", "a"], "minStep": least, "maxStep": most})
    assert [row["_step"] for row in sampled] == [step for step in steps if least <= step <= most]


@given(lines=rows, cut=st.integers(0, 25))
@settings(max_examples=50, deadline=None)
def test_sending_lines_again_changes_nothing(lines: list[dict[str, int]], cut: int) -> None:
    once, twice = History(), History()
    once.put(0, lines)
    twice.put(0, lines[:cut])
    twice.put(0, lines)
    twice.put(min(cut, len(lines)), lines[cut:])
    assert twice.rows == once.rows


def test_sampling_keeps_both_ends_and_the_number() -> None:
    history = History()
    history.extend({"a": number} for number in range(100))
    found = [json.loads(text)["a"] for text in history.page(samples=7)]
    assert (len(found), found[0], found[-1]) == (7, 0, 99)
    assert found == sorted(set(found))
