"""The decorator of functions that predict."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter, Signature, isasyncgenfunction, iscoroutinefunction, isgeneratorfunction, signature
from typing import Any, Protocol

MAX_ITEMS = 1000
"""Of a generator that make its result."""


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
        bound = names.bind(*arguments, **named)
        bound.apply_defaults()
        features: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            kind = names.parameters[name].kind
            if kind is Parameter.VAR_KEYWORD:
                features |= value
            elif name not in ("self", "cls") and (value or kind is not Parameter.VAR_POSITIONAL):
                features[name] = value
        return features

    def read_result(self, result: Any) -> tuple[Any, Any]:
        """Prediction and score."""
        is_mapping = isinstance(result, Mapping)
        prediction = result.get("prediction") if is_mapping else result
        score = result.get("score") if is_mapping else None
        return (
            self.prediction(result) if self.prediction else prediction,
            self.score(result) if self.score else score,
        )


class _KeptItems(Generator[Any, Any, Any]):
    """A generator, of which the first items are kept; it gets what is sent and thrown."""

    def __init__(self, stream: Generator[Any, Any, Any], items: list[Any]) -> None:
        self._stream, self._items = stream, items

    def send(self, value: Any, /) -> Any:
        return self._keep(self._stream.send(value))

    def throw(self, *problem: Any) -> Any:
        return self._keep(self._stream.throw(*problem))

    def close(self) -> None:
        self._stream.close()

    def _keep(self, item: Any) -> Any:
        if len(self._items) < MAX_ITEMS:
            self._items.append(item)
        return item


def _join(items: list[Any]) -> Any:
    """The result of a generator: its texts as one, else its items."""
    return "".join(items) if items and all(isinstance(item, str) for item in items) else items


def observe_calls(function: Callable[..., Any], sink: Sink, reader: CallReader) -> Callable[..., Any]:
    """The function, plain or async, or a generator of either kind, every call of which is recorded."""
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

    if isasyncgenfunction(function):

        @wraps(function)
        async def observe_items_async(*arguments: Any, **named: Any) -> AsyncGenerator[Any, Any]:
            began = time.perf_counter()
            items: list[Any] = []
            error: BaseException | None = None
            stream = function(*arguments, **named)
            try:
                item = await anext(stream)
                while True:
                    if len(items) < MAX_ITEMS:
                        items.append(item)
                    try:
                        sent = yield item
                    except GeneratorExit:
                        await stream.aclose()
                        raise
                    except BaseException as problem:  # noqa: BLE001 - the caller's, for the generator to handle
                        item = await stream.athrow(problem)
                    else:
                        item = await stream.asend(sent)
            except StopAsyncIteration:
                return
            except GeneratorExit:
                raise
            except BaseException as problem:
                error = problem
                raise
            finally:
                record(arguments, named, _join(items), began, error)

        return observe_items_async

    if isgeneratorfunction(function):

        @wraps(function)
        def observe_items(*arguments: Any, **named: Any) -> Generator[Any, Any, Any]:
            began = time.perf_counter()
            items: list[Any] = []
            error: BaseException | None = None
            stream = function(*arguments, **named)
            try:
                return (yield from _KeptItems(stream, items))
            except GeneratorExit:
                raise
            except BaseException as problem:
                error = problem
                raise
            finally:
                record(arguments, named, _join(items), began, error)

        return observe_items

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
