"""Work for several threads, each of which has a place of its own to do it in."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TypeVar

Place = TypeVar("Place")
Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = (os.cpu_count() or 2) + 1
"""One more than there are processors: work that stalls waits most of the time."""


def work_off(
    items: Iterable[Item],
    place: Callable[[], AbstractContextManager[Place]],
    attempt: Callable[[Place, Item], Result],
    tell: Callable[[Result], None],
    workers: int = WORKERS,
) -> None:
    """Attempt every item, in whichever place is free; ``tell`` hears of each result, one at a time.

    ``items`` is asked for the next one by one thread at a time. Raises what a thread raised; the others finish what
    they are at.
    """
    waiting, lock, errors = iter(items), threading.Lock(), list[BaseException]()

    def work() -> None:
        try:
            with place() as here:
                while not errors:
                    with lock:
                        try:
                            item = next(waiting)
                        except StopIteration:
                            return
                    result = attempt(here, item)
                    with lock:
                        tell(result)
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            errors.append(error)

    threads = [threading.Thread(target=work, name=f"worker-{number}") for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
