"""Judges blocks ahead in another process, while this one plans; or here, where one process has to do."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..model.rule import Rule
from .judged_block import JudgedBlock, judge_block
from .logged_history import LoggedHistory

AHEAD = 6
"""Blocks of the same rules that are judged before they are needed."""
_shared: dict[str, tuple[LoggedHistory, Sequence[float]]] = {}
"""In a process that judges: each model's history, and the times of the evaluations."""


@dataclass(slots=True)
class BlockQueue:
    """The blocks of some rules of one model, oldest first."""

    history: LoggedHistory
    rules: tuple[Rule, ...]
    times: Sequence[float]
    waiting: deque[tuple[int, int]]
    """First and last evaluation of each."""
    executor: ProcessPoolExecutor | None = None
    _started: deque[Future[list[JudgedBlock]]] = field(default_factory=deque)
    _numbers: deque[tuple[int, int]] = field(default_factory=deque)

    def start(self) -> None:
        """Let the next blocks be judged."""
        while self.executor is not None and self.waiting and len(self._started) < AHEAD:
            first, last = self.waiting.popleft()
            names = tuple(rule.name for rule in self.rules)
            self._numbers.append((first, last))
            self._started.append(self.executor.submit(_judge, self.history.model.name, names, first, last))

    def take(self, place: int) -> list[JudgedBlock]:
        """The block that begins with the evaluation at ``place``; nothing where none does."""
        self.start()
        following = self._numbers or self.waiting
        if not following or following[0][0] > place:
            return []
        if not self._started:
            return judge_block(self.history, self.rules, self.times, *self.waiting.popleft())
        (first, last), future = self._numbers.popleft(), self._started.popleft()
        self.start()
        try:
            return future.result()
        except BrokenProcessPool:  # it was killed, or could not be started: then this process has to do
            self.executor = None
            return judge_block(self.history, self.rules, self.times, first, last)


@contextmanager
def open_pool(
    histories: Mapping[str, LoggedHistory], times: Sequence[float], processes: int
) -> Iterator[ProcessPoolExecutor | None]:
    """The processes that judge beside this one; ``None`` for a single one in all."""
    if processes < 2:
        yield None
        return
    known = {name: (history, times) for name, history in histories.items()}
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(processes - 1, context, initializer=_share, initargs=(known,))
    try:
        yield executor
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _share(histories: dict[str, tuple[LoggedHistory, Sequence[float]]]) -> None:
    _shared.update(histories)


def _judge(model: str, names: tuple[str, ...], first: int, last: int) -> list[JudgedBlock]:
    history, times = _shared[model]
    rules = tuple(rule for rule in history.model.rules if rule.name in names)
    return judge_block(history, rules, times, first, last)
