"""Simulated time for several evaluations at once: real requests over HTTP, each of which takes effect at its time.

An evaluation is a lane with at most one request on its way. A request passes when no other lane can send anything that
would take effect before it, so what happens depends on the times alone, and no test waits for them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from modelwatch.clients.retry import Clock
from modelwatch.testing.standins.http import Request, Response

LONGEST = 60.0
"""Real seconds that a lane waits for its turn; then the simulation is stuck."""
WAIT_SCALE = 0.001
"""``MODELWATCH_WAIT_SCALE`` of the evaluations: what they really wait; in simulated time they wait all of it."""


@dataclass(slots=True)
class _Lane:
    at: float
    due: float | None = None
    """When it goes on, while it waits."""


class Simulation:
    """``now`` is the simulated time (seconds, UTC)."""

    def __init__(self) -> None:
        self.now = 0.0
        self._lanes: dict[str, _Lane] = {}
        self._changed = threading.Condition()

    def clock(self) -> float:
        return self.now

    def at(self, lane: str) -> float:
        """How far a lane has come."""
        return self._lanes[lane].at

    def wait(self, name: str, seconds: float) -> None:
        """The lane goes on ``seconds`` later, after everything that happens before."""
        with self._changed:
            lane = self._lanes[name]
            lane.due = lane.at + seconds
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._is_next(name), LONGEST):
                raise RuntimeError(f"lane {name} waits for ever")
            self.now = lane.at = lane.due
            lane.due = None

    def _is_next(self, name: str) -> bool:
        waiting = [(lane.due, key) for key, lane in self._lanes.items() if lane.due is not None]
        return len(waiting) == len(self._lanes) and min(waiting)[1] == name

    def run(self, starts: Mapping[str, float], evaluate: Callable[[str, float], Any]) -> dict[str, Any]:
        """Run ``evaluate(lane, start)`` for each lane at once; returns the results. Raises what one of them raises."""
        self._lanes = {name: _Lane(start) for name, start in starts.items()}
        results: dict[str, Any] = {}
        errors: list[BaseException] = []

        def work(name: str, start: float) -> None:
            try:
                self.wait(name, 0.0)
                results[name] = evaluate(name, start)
            except BaseException as error:  # noqa: BLE001 - raised below, in the test's own thread
                errors.append(error)
            finally:
                with self._changed:
                    del self._lanes[name]
                    self._changed.notify_all()

        threads = [threading.Thread(target=work, args=pair, daemon=True) for pair in starts.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for error in errors:
            raise error
        return results


class LaneClock(Clock):
    """The clock of one lane's sessions."""

    def __init__(self, simulation: Simulation, lane: str) -> None:
        self._simulation, self._lane = simulation, lane
        super().__init__()

    def monotonic(self) -> float:
        return self._simulation.at(self._lane)

    def sleep(self, seconds: float) -> None:
        self._simulation.wait(self._lane, seconds / WAIT_SCALE)


class Gate:
    """A stand-in as one lane reaches it: each request takes its time to get there, and the answer to come back."""

    def __init__(self, simulation: Simulation, lane: str, standin: Any) -> None:
        self.name = f"{lane}-{standin.name}"
        self.standin = standin
        self.random = Random(0)
        self._simulation, self._lane = simulation, lane

    def handle(self, request: Request) -> Response:
        self._simulation.wait(self._lane, self._seconds())
        answer: Response = self.standin.handle(request)
        self._simulation.wait(self._lane, self._seconds())
        return answer

    def _seconds(self) -> float:
        """A tenth of a second as a rule, several now and then."""
        return min(self.random.lognormvariate(-2.3, 1.2), 8.0)
