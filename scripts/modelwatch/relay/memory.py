"""Which events were passed on: a bounded memory that saves a dispatch. It is a courtesy; the guarantee stands at the
receiving workflow, where the lowest workflow run of an id proceeds."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class DedupCache(Generic[T]):
    """Remembers the last ``size`` ids that were accepted, and joins webhooks of one id that arrive together."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._done: OrderedDict[str, None] = OrderedDict()
        self._pending: dict[str, asyncio.Task[T]] = {}

    def __len__(self) -> int:
        return len(self._done)

    @property
    def pending(self) -> int:
        return len(self._pending)

    def contains(self, name: str) -> bool:
        """Whether ``name`` was accepted; it is then the newest again."""
        if name not in self._done:
            return False
        self._done.move_to_end(name)
        return True

    async def run_once(
        self, name: str, send: Callable[[], Coroutine[Any, Any, T]], accepted: Callable[[T], bool]
    ) -> tuple[T, bool]:
        """What became of ``send``, and whether somebody else had begun it. A failure is not remembered.

        The sending is a task of its own: a caller that goes away does not end it.
        """
        task = self._pending.get(name)
        joined = task is not None
        if task is None:
            task = asyncio.create_task(self._run(name, send, accepted))
            self._pending[name] = task
        return await asyncio.shield(task), joined

    async def _run(self, name: str, send: Callable[[], Awaitable[T]], accepted: Callable[[T], bool]) -> T:
        try:
            result = await send()
        finally:
            self._pending.pop(name, None)
        if accepted(result):
            self._done[name] = None
            while len(self._done) > self.size:
                self._done.popitem(last=False)
        return result

    async def wait_for_pending(self) -> None:
        """Wait for whatever is under way."""
        if tasks := list(self._pending.values()):
            await asyncio.gather(*tasks, return_exceptions=True)
