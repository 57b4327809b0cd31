"""The decorator of functions that predict."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from inspect import Signature, iscoroutinefunction, signature
from typing import Any, Protocol


class Sink(Protocol):
    """Where rows go: a recorder."""

    def record(
        self,
        features: Mapping[str, Any] | None = None,
        prediction: Any = None,
        score: Any = None,
        *,
        latency: float | None = None,
        error: Any = None,
        id: Any = None,
    ) -> str | None: ...

    def count_invalid(self, rows: int, problem: Exception) -> None: ...


@dataclass(frozen=True, slots=True)
class CallReader:
    """How a row is read from a call: each part a function, or by the rules of ``Recorder.observe``."""

    features: Callable[..., Mapping[str, Any]] | None = None
    prediction: Callable[[Any], Any] | None = None
    score: Callable[[Any], Any] | None = None
    id: Callable[..., Any] | None = None

    def read_features(self, names: Signature, arguments: tuple[Any, ...], named: dict[str, Any]) -> Mapping[str, Any]:
        if self.features is not None:
            return self.features(*arguments, **named)
        mappings = [value for value in (*arguments[:2], *list(named.values())[:1]) if isinstance(value, Mapping)]
        if mappings:
            return mappings[0]
        bound: dict[str, Any] = names.bind(*arguments, **named).arguments
        return {name: value for name, value in bound.items() if name not in ("self", "cls")}

    def read_result(self, result: Any) -> tuple[Any, Any]:
        """Prediction and score."""
        is_mapping = isinstance(result, Mapping)
        prediction = result.get("prediction") if is_mapping else result
        score = result.get("score") if is_mapping else None
        return (
            self.prediction(result) if self.prediction else prediction,
            self.score(result) if self.score else score,
        )


def observe_calls(function: Callable[..., Any], sink: Sink, reader: CallReader) -> Callable[..., Any]:
    """The function, plain or async, every call of which is recorded."""
    names = signature(function)

    def record(arguments: tuple[Any, ...], named: dict[str, Any], result: Any, began: float, error: Any = None) -> None:
        seconds = time.perf_counter() - began
        try:
            features = reader.read_features(names, arguments, named)
            id = reader.id(*arguments, **named) if reader.id else None
            prediction, score = reader.read_result(result) if error is None else (None, None)
        except Exception as problem:  # noqa: BLE001 - functions of the user's own
            sink.count_invalid(1, problem)
            return
        sink.record(features, prediction, score, latency=seconds, error=error, id=id)

    if iscoroutinefunction(function):

        @wraps(function)
        async def observe_async(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                result = await function(*arguments, **named)
            except BaseException as error:
                record(arguments, named, None, began, error)
                raise
            record(arguments, named, result, began)
            return result

        return observe_async

    @wraps(function)
    def observe(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            result = function(*arguments, **named)
        except BaseException as error:
            record(arguments, named, None, began, error)
            raise
        record(arguments, named, result, began)
        return result

    return observe
