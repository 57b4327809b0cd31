"""The Mongo-style filters and the order of ``Api().runs``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ..graphql import GraphQLRequestError
from .records import RunRecord, format_time

_MISSING: Any = object()

_FIELDS: dict[str, Callable[[RunRecord], Any]] = {
    "name": lambda run: run.name,
    "displayName": lambda run: run.display_name,
    "state": lambda run: run.state,
    "tags": lambda run: run.tags,
    "group": lambda run: run.group,
    "jobType": lambda run: run.job_type,
    "createdAt": lambda run: format_time(run.created_at),
    "heartbeatAt": lambda run: format_time(run.heartbeat_at),
    "username": lambda run: run.user,
    "sweep": lambda _: None,
    "notes": lambda run: run.notes,
    "historyLineCount": lambda run: len(run.history.rows),
}
_FIELD_ALIASES = {
    "display_name": "displayName",
    "job_type": "jobType",
    "created_at": "createdAt",
    "heartbeat_at": "heartbeatAt",
    "user": "username",
    "user.username": "username",
}


def field_value(run: RunRecord, name: str) -> Any:
    """A filter's field of one run; a config or summary key that the run lacks is missing, an unknown field refused."""
    name = _FIELD_ALIASES.get(name, name)
    if name in _FIELDS:
        return _FIELDS[name](run)
    head, _, key = name.partition(".")
    if head == "config" and key:
        return _config_value(run, key)
    if head in ("summary_metrics", "summaryMetrics", "summary") and key:
        return _lookup(run.summary, key)
    raise GraphQLRequestError(f"invalid filter: unknown field {name!r}", 400)


def _config_value(run: RunRecord, key: str) -> Any:
    """``config.x`` and ``config.x.value`` mean the same."""
    found = _lookup(run.config, key.removesuffix(".value"))
    return found["value"] if isinstance(found, dict) and "value" in found else found


def _lookup(values: Mapping[str, Any], key: str) -> Any:
    if key in values:
        return values[key]
    head, _, rest = key.partition(".")
    inner = values.get(head)
    if isinstance(inner, dict) and "value" in inner:
        inner = inner["value"]
    return _lookup(inner, rest) if rest and isinstance(inner, dict) else _MISSING


def matches_filter(run: RunRecord, wanted: Any) -> bool:
    """Whether a run passes the filters; Refused where they are not understood."""
    if not isinstance(wanted, dict):
        raise GraphQLRequestError("invalid filter: expected an object", 400)
    return all(_matches_condition(run, name, condition) for name, condition in wanted.items())


def _matches_condition(run: RunRecord, name: str, condition: Any) -> bool:
    if name == "$and":
        return all(matches_filter(run, each) for each in condition)
    if name == "$or":
        return any(matches_filter(run, each) for each in condition)
    if name == "$nor":
        return not any(matches_filter(run, each) for each in condition)
    if name == "$not":
        return not matches_filter(run, condition)
    if name.startswith("$"):
        raise GraphQLRequestError(f"invalid filter: unknown operator {name!r}", 400)
    value = field_value(run, name)
    if isinstance(condition, dict) and any(key.startswith("$") for key in condition):
        return all(_compare(value, operator, operand) for operator, operand in condition.items())
    return _compare(value, "$eq", condition)


def _compare(value: Any, operator: str, operand: Any) -> bool:
    if operator == "$not":
        return not all(_compare(value, inner, given) for inner, given in operand.items())
    if operator == "$exists":
        return (value is not _MISSING) is bool(operand)
    if operator in ("$ne", "$nin"):
        return not _compare(value, "$eq" if operator == "$ne" else "$in", operand)
    if operator == "$in":
        return any(_compare(value, "$eq", each) for each in operand)
    test = _OPERATORS.get(operator)
    if test is None:
        raise GraphQLRequestError(f"invalid filter: unknown operator {operator!r}", 400)
    if value is _MISSING:
        return operator == "$eq" and operand is None
    values = value if isinstance(value, list) else [value]
    return any(_test_safely(test, each, operand) for each in values)


def _test_safely(test: Callable[[Any, Any], bool], value: Any, operand: Any) -> bool:
    left, right = _parse_time(value), _parse_time(operand)
    if left is not None and right is not None:
        value, operand = left, right
    try:
        return test(value, operand)
    except TypeError:
        return False


def _parse_time(value: Any) -> float | None:
    """Seconds, where the value is a time in ISO 8601; without a zone it is UTC."""
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d", value):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": lambda a, b: bool(a == b),
    "$gt": lambda a, b: bool(a > b),
    "$gte": lambda a, b: bool(a >= b),
    "$lt": lambda a, b: bool(a < b),
    "$lte": lambda a, b: bool(a <= b),
    "$regex": lambda a, b: re.search(b, a) is not None,
}


def sort_runs(runs: list[RunRecord], order: str) -> list[RunRecord]:
    """By the fields of ``order`` (``-created_at``, ``+summary_metrics.x``); runs without the field come last."""
    result = sorted(runs, key=lambda run: (run.created_at, run.number))
    for part in reversed([part.strip() for part in order.split(",") if part.strip()]):
        down, name = part.startswith("-"), part.lstrip("+-")
        having = [run for run in result if field_value(run, name) not in (_MISSING, None)]
        lacking = [run for run in result if field_value(run, name) in (_MISSING, None)]
        having.sort(key=lambda run, name=name: _sort_key(run, name), reverse=down)  # type: ignore[misc]
        result = having + lacking
    return result


def _sort_key(run: RunRecord, name: str) -> tuple[int, Any]:
    if _FIELD_ALIASES.get(name, name) == "createdAt":
        return 0, (run.created_at, run.number)
    if _FIELD_ALIASES.get(name, name) == "heartbeatAt":
        return 0, (run.heartbeat_at, run.number)
    value = field_value(run, name)
    return (0, value) if isinstance(value, (int, float)) else (1, str(value))
