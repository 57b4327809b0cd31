"""Measuring in one process: batches are read in this thread and counted in two others."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ..stats.profile.table import Profile
from .partition import profile_partition
from .plan import ProfilePlan

WORKERS = 2


def profile_batches(batches: Iterable[Any], plan: ProfilePlan, workers: int = WORKERS) -> Profile:
    """The profile of all batches. At most ``workers + 1`` of them are in memory, however many there are."""
    total = Profile()
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Profile]] = deque()
        for batch in batches:
            waiting.append(pool.submit(profile_partition, batch, plan))
            if len(waiting) > workers:
                total = total.merge(waiting.popleft().result())
        while waiting:
            total = total.merge(waiting.popleft().result())
    return total
