"""One cell: a world, one disturbed evaluation, and the evaluations after it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .columns import Column
from .facts import Facts, difference, observe, waiting
from .scenarios import Scenario
from .world import LAG, Evaluated, World, at

KILLED = -9
MINUTE = 1 / 60
LATER = (1 * MINUTE, 12 * MINUTE, 62 * MINUTE, 75 * MINUTE, 90 * MINUTE)
"""Hours after the disturbed evaluation: at once, when intents may count as lost, with the next hour of data."""
GITHUB, PAGERDUTY = "github", "pagerduty"


@dataclass(frozen=True, slots=True)
class Row:
    """One outbound request of the evaluation; or with an empty method every request to the service."""

    service: str
    method: str
    path: str
    skip: int = 0
    """So many requests with this method and path came before it."""
    place: int = 0
    """Its number among all requests."""

    @property
    def whole(self) -> bool:
        return not self.method

    @property
    def name(self) -> str:
        again = f" ({self.skip + 1})" if self.skip else ""
        return f"{self.method} {self.path}{again}" if self.method else f"everything at {self.service}"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The same story undisturbed: its requests, and what is true in the end."""

    rows: tuple[Row, ...]
    facts: Facts


@dataclass(frozen=True, slots=True)
class Cell:
    scenario: Scenario
    row: Row
    column: Column


def rows_of(world: World) -> tuple[Row, ...]:
    """The requests that the world has recorded, in order."""
    asked = [(GITHUB, found) for found in world.github.requests] + [
        (PAGERDUTY, found) for found in world.pagerduty.requests
    ]
    rows: list[Row] = []
    for service, found in sorted(asked, key=lambda pair: pair[1].at):
        skip = sum((row.service, row.method, row.path) == (service, found.method, found.path) for row in rows)
        rows.append(Row(service, found.method, found.path, skip, len(rows)))
    return tuple(rows)


def rehearse(world: World, scenario: Scenario, *, fresh: bool) -> Rehearsal:
    """Undisturbed; ``fresh``: in a process started as a shell does, from which what is forked must not differ."""
    prepare(world, scenario)
    done = world.evaluate(at(scenario.hour), fresh=fresh)
    rows, facts = rows_of(world), observe(world)
    problems = scenario.wrong(facts) + unsettled(world, scenario)
    if done.code != 0 or problems or difference(facts, observe(world)):
        raise AssertionError(f"undisturbed, {scenario.name}: {done.code} {problems}\n{done.ended.told}")
    return Rehearsal(rows, facts)


def disturb(world: World, cell: Cell, rehearsal: Rehearsal) -> list[str]:
    """What went wrong in this cell; nothing, as a rule."""
    scenario, row, column = cell.scenario, cell.row, cell.column
    prepare(world, scenario)
    server = world.github if row.service == GITHUB else world.pagerduty
    path = "" if row.whole else f"^{re.escape(row.path)}$"
    fault = server.inject(column.fault(row.method, path, row.skip, world.forge.victim))
    done = world.evaluate(at(scenario.hour))
    wrong = _struck(world, row, rehearsal, fault.strike_count)
    now = observe(world)
    if column.kills:
        wrong += [] if done.code == KILLED else [f"exit code {done.code} of a process that was to be killed"]
    else:
        wrong += told(cell, done, now, rehearsal.facts)
        wrong += [] if row.service == PAGERDUTY or not scenario.pages else still_paged(scenario, now)
    server.faults.clear()
    wrong += unsettled(world, scenario)
    found = observe(world)
    wrong += scenario.wrong(found) or difference(rehearsal.facts, found)
    return wrong + world.bugs()


def prepare(world: World, scenario: Scenario) -> None:
    world.renew(scenario.values, rest=scenario.rest)
    scenario.before(world)
    for server in (world.github, world.pagerduty):
        server.clear()
    world.github.standin.state.lag.seconds = LAG


def _struck(world: World, row: Row, rehearsal: Rehearsal, hits: int) -> list[str]:
    """Whether the fault struck the request that it was meant for."""
    came = rows_of(world)[: row.place + 1]
    if not hits or (not row.whole and came != rehearsal.rows[: row.place + 1]):
        return [f"the requests were not as rehearsed: {[found.name for found in came]}"]
    return []


def unsettled(world: World, scenario: Scenario) -> list[str]:
    """Evaluate until nothing is left to be done; what keeps it from that."""
    told = "never evaluated"
    for later in LATER:
        world.github.standin.state.catch_up_lists()
        done = world.evaluate(at(scenario.hour + later))
        if done.code != 0 or done.plan is None:
            told = f"exit code {done.code} with the fault gone: {_brief(done)}"
            continue
        told = f"still changing: {[change.reason for change in done.plan.changes]}"
        if not done.plan.changes and not waiting(world):
            return []
    return [told]


def told(cell: Cell, done: Evaluated, now: Facts, wanted: Facts) -> list[str]:
    """Every failure is told: an evaluation that says 0 has done everything, another says what failed, everywhere."""
    if "bug in modelwatch" in done.ended.told or "Traceback" in done.ended.told:
        return [f"a bug: {_brief(done)}"]
    if done.plan is None or done.receipts is None:
        return [f"exit code {done.code} without files: {_brief(done)}"]
    if done.code == 0:
        return [f"it says 0, but {problem}" for problem in difference(wanted, now)]
    if done.code != 4:
        return [f"exit code {done.code}: {_brief(done)}"]
    failed = [found.detail for found in done.receipts.receipts if found.result.value in ("failed", "refused")]
    reasons = [*failed, *(why for _, why in done.plan.troubles)]
    wrong = [] if reasons and all(reasons) else ["exit code 4 without a reason"]
    known = _reasons(cell.column)
    for place, text in (("files", " ".join(reasons)), ("summary", done.summary), ("output", done.ended.told)):
        plain = " ".join(text.split())
        if not any(word in plain for word in known):
            wrong.append(f"the {place} do not name the failure ({known[0]}): {plain[:300]}")
    if cell.row.service == PAGERDUTY and cell.row.method != "GET" and "notifying PagerDuty" not in str(now.troubles):
        wrong.append(f"PagerDuty is down and the issue does not say so: {now.troubles}")
    return wrong


def _reasons(column: Column) -> Sequence[str]:
    match column.what:
        case "status":
            return (str(column.status),)
        case "hang":
            return ("no answer in time", "no usable answer")
        case "reset":
            return ("the connection failed", "no usable answer")
        case _:
            return ("is not the JSON", "not a list of", "no usable answer", "is not an issue")


def still_paged(scenario: Scenario, now: Facts) -> list[str]:
    """GitHub down: the page still goes."""
    if now.incidents == scenario.incidents:
        return []
    return [f"GitHub is down, and nobody was paged: {now.incidents}"]


def _brief(done: Evaluated) -> str:
    return done.ended.told.strip()[-600:]
