"""Collections whose lists may lag behind, as GitHub's do: a fresh issue is found by its number before it is listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class ListLag:
    """How late lists are: for ``seconds``, and for the next ``requests`` list requests of that collection."""

    clock: Callable[[], float]
    seconds: float = 0.0
    requests: int = 0


@dataclass(frozen=True, slots=True)
class _PendingChange(Generic[T]):
    key: int
    item: T | None
    due: float
    due_request: int


@dataclass(slots=True)
class LaggingCollection(Generic[T]):
    """Items by number: ``get`` and ``items`` see everything at once, ``listed`` what lists show by now."""

    lag: ListLag
    items: dict[int, T] = field(default_factory=dict)
    _visible: dict[int, T] = field(default_factory=dict)
    _pending: list[_PendingChange[T]] = field(default_factory=list)
    _requests: int = 0

    def get(self, key: int) -> T | None:
        return self.items.get(key)

    def put(self, key: int, item: T) -> T:
        self.items[key] = item
        self._publish(key, item)
        return item

    def remove(self, key: int) -> None:
        self.items.pop(key, None)
        self._publish(key, None)

    def _publish(self, key: int, item: T | None) -> None:
        if self.lag.seconds <= 0 and self.lag.requests <= 0:
            self._pending = [late for late in self._pending if late.key != key]
            self._apply(key, item)
        else:
            due = self.lag.clock() + self.lag.seconds
            self._pending.append(_PendingChange(key, item, due, self._requests + self.lag.requests))

    def _apply(self, key: int, item: T | None) -> None:
        if item is None:
            self._visible.pop(key, None)
        else:
            self._visible[key] = item

    def list_items(self) -> list[T]:
        """What one list request sees, by key."""
        self._requests += 1
        now = self.lag.clock()
        waiting: list[_PendingChange[T]] = []
        for late in self._pending:
            if late.due <= now and late.due_request < self._requests:
                self._apply(late.key, late.item)
            else:
                waiting.append(late)
        self._pending = waiting
        return [self._visible[key] for key in sorted(self._visible)]

    def catch_up(self) -> None:
        """Lists catch up."""
        for late in self._pending:
            self._apply(late.key, late.item)
        self._pending = []
