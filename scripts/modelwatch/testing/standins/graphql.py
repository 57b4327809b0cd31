"""A small GraphQL executor: graphql-core parses, documents are compiled once, fields resolve to plain values.

No schema: a field that a node does not have is the error that a server gives for an unknown field. Calls of W&B's
public API carry no operation name, so nothing here looks at one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from graphql import GraphQLError, Undefined, parse
from graphql.language import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
)
from graphql.utilities import value_from_ast_untyped

T = TypeVar("T")


class GraphQLRequestError(Exception):
    """The answer is a GraphQL error; ``status`` is that of the HTTP answer."""

    def __init__(self, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class Node:
    """An object of the graph: values, or functions of the field's arguments that give them."""

    typename: str
    fields: Mapping[str, Any]
    interfaces: tuple[str, ...] = ()

    def is_a(self, name: str) -> bool:
        return name == self.typename or name in self.interfaces


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a query, with fragments already opened."""

    response_key: str
    """Its name in the answer."""
    name: str
    arguments: tuple[tuple[str, ValueNode], ...]
    conditions: tuple[tuple[bool, ValueNode], ...]
    """``@include(if:)`` as (True, value), ``@skip(if:)`` as (False, value)."""
    types: tuple[str, ...]
    """Type conditions of the fragments around it; all must hold."""
    selections: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    kind: str
    """``query`` or ``mutation``."""
    name: str
    fields: tuple[Field, ...]
    defaults: tuple[tuple[str, Any], ...]


@lru_cache(maxsize=512)
def compile_query(text: str) -> Operation:
    """The one operation of a document; Refused where it does not parse."""
    try:
        document: DocumentNode = parse(text, no_location=True)
    except GraphQLError as error:
        raise GraphQLRequestError(f"Syntax error: {error.message}", 400) from error
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) != 1:
        raise GraphQLRequestError(f"Expected one operation, got {len(operations)}", 400)
    operation = operations[0]
    defaults = tuple(
        (variable.variable.name.value, value_from_ast_untyped(variable.default_value))
        for variable in operation.variable_definitions or ()
        if variable.default_value is not None
    )
    name = operation.name.value if operation.name else ""
    return Operation(
        operation.operation.value, name, tuple(_collect_fields(operation.selection_set, fragments, (), ())), defaults
    )


def _collect_fields(
    selected: SelectionSetNode | None,
    fragments: Mapping[str, FragmentDefinitionNode],
    types: tuple[str, ...],
    conditions: tuple[tuple[bool, ValueNode], ...],
) -> Iterable[Field]:
    for node in selected.selections if selected else ():
        own = conditions + tuple(
            (directive.name.value == "include", argument.value)
            for directive in node.directives or ()
            if directive.name.value in ("include", "skip")
            for argument in directive.arguments or ()
        )
        if isinstance(node, FieldNode):
            yield Field(
                response_key=(node.alias or node.name).value,
                name=node.name.value,
                arguments=tuple((argument.name.value, argument.value) for argument in node.arguments or ()),
                conditions=own,
                types=types,
                selections=tuple(_collect_fields(node.selection_set, fragments, (), ())),
            )
        elif isinstance(node, FragmentSpreadNode):
            fragment = fragments.get(node.name.value)
            if fragment is None:
                raise GraphQLRequestError(f'Unknown fragment "{node.name.value}".', 400)
            inside = (*types, fragment.type_condition.name.value)
            yield from _collect_fields(fragment.selection_set, fragments, inside, own)
        elif isinstance(node, InlineFragmentNode):
            inside = (*types, node.type_condition.name.value) if node.type_condition else types
            yield from _collect_fields(node.selection_set, fragments, inside, own)


def execute(operation: Operation, variables: Mapping[str, Any], root: Node) -> dict[str, Any]:
    """The ``data`` of the answer; Refused on the first field that does not exist."""
    given = {**dict(operation.defaults), **{name: value for name, value in variables.items() if value is not None}}
    return _select(root, operation.fields, given)


def _select(node: Node, fields: tuple[Field, ...], variables: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    own = (node.typename,)
    for field in fields:
        if field.types and field.types != own and not all(node.is_a(name) for name in field.types):
            continue
        if field.conditions and any(
            bool(value_from_ast_untyped(value, variables)) is not wanted for wanted, value in field.conditions
        ):
            continue
        if field.name == "__typename":
            answer[field.response_key] = node.typename
            continue
        if field.name not in node.fields:
            raise GraphQLRequestError(f'Cannot query field "{field.name}" on type "{node.typename}".', 400)
        value = node.fields[field.name]
        if callable(value):
            value = value(_arguments(field, variables))
        shown = _resolve_value(value, field, variables) if field.selections else value
        answer[field.response_key] = (
            _merge_values(answer[field.response_key], shown) if field.response_key in answer else shown
        )
    return answer


def _arguments(field: Field, variables: dict[str, Any]) -> dict[str, Any]:
    """What was given; a variable without a value is as if its argument were not there."""
    if not field.arguments:
        return {}
    found = {name: value_from_ast_untyped(given, variables) for name, given in field.arguments}
    return {name: _without_undefined(value) for name, value in found.items() if value is not Undefined}


def _without_undefined(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_undefined(inner) for key, inner in value.items() if inner is not Undefined}
    return value


def _resolve_value(value: Any, field: Field, variables: dict[str, Any]) -> Any:
    if isinstance(value, Node):
        return _select(value, field.selections, variables)
    if isinstance(value, list):
        return [_resolve_value(each, field, variables) for each in value]
    return value


def _merge_values(old: Any, new: Any) -> Any:
    """A field that two fragments request: the union of what they select."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{key: _merge_values(old[key], value) if key in old else value for key, value in new.items()}}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [_merge_values(a, b) for a, b in zip(old, new)]
    return new


def connection(
    items: Sequence[T], arguments: Mapping[str, Any], key: Callable[[T], str], make: Callable[[T], Node]
) -> Node:
    """A page of ``items`` after the cursor; the cursor is an item's ``key``, so that it survives insertions."""
    after, first = arguments.get("after"), arguments.get("first")
    start = next((place + 1 for place, item in enumerate(items) if key(item) == after), 0) if after else 0
    page = items[start : None if first is None else start + int(first)]
    info = {"endCursor": key(page[-1]) if page else None, "hasNextPage": start + len(page) < len(items)}
    edges = [Node("Edge", {"node": make(item), "cursor": key(item)}) for item in page]
    return Node("Connection", {"edges": edges, "pageInfo": Node("PageInfo", info), "totalCount": len(items)})
