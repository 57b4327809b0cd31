"""Pairs of evaluations at random offsets, with lists that lag behind: what must happen once happens once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from random import Random

from modelwatch.model.monitored_model import Config, GitHubSpec, PagerDutySpec, WorkflowSpec
from modelwatch.model.plan import Receipts
from modelwatch.model.register import DispatchState
from modelwatch.model.rule import Mode
from modelwatch.model.secret import Secret
from modelwatch.model.target import Target
from modelwatch.targets.apply import apply_plan
from modelwatch.targets.observe import observe_models
from modelwatch.targets.plan import make_plan
from modelwatch.targets.register.codec import parse_body
from modelwatch.targets.sessions import TargetSessions
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from modelwatch.timeutil import HOUR

from ..stubs import workflows
from ..targets.making import RETRAIN, ROLLBACK, config, judged, later
from .simulation import WAIT_SCALE, Gate, LaneClock, Simulation

REPOSITORY, PERSON = "acme/churn", "alice"
LANES = ("one", "two")
MAX_LAG, SHORT, LONG = 10.0, 1.5, 15.0
"""Seconds: the lag of lists; half of the pairs begin within the one, half within the other."""
ROUTING_KEY = "k" * 32


@dataclass(frozen=True, slots=True)
class Scenario:
    """``before``: what was evaluated, one evaluation after another; ``now``: what the pair finds (see
    ``tests.alerts.making``). ``verbs``: what is dispatched in the end."""

    name: str
    before: tuple[str, ...]
    now: str
    verbs: tuple[str, ...]
    rollback: WorkflowSpec = ROLLBACK
    comment: str = ""
    """Of a person, just before the pair."""
    incidents: int = 1
    """So many are new."""


SCENARIOS = (
    Scenario("opens, pages and dispatches", (), "...c", ("rollback",)),
    Scenario("gets worse", ("...e",), "...ec", ("rollback",)),
    Scenario("fires again", ("...e", "...e....."), "...e.....c", ("rollback",)),
    Scenario(
        "is approved", ("...c",), "...cc", ("rollback",), replace(ROLLBACK, mode=Mode.PROPOSE), "/modelwatch approve", 0
    ),
    Scenario("starts a training", ("...i",), "...iw", ("retrain",), incidents=0),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """What came of one pair. The numbers are how many there are too many, or too few."""

    scenario: Scenario
    seed: int
    dispatches: int
    incidents: int
    issues: int
    """Open ones."""
    closed: int
    """Duplicates that were closed by the evaluation that had opened them: they are not too many."""
    comments: int
    """Ours that are there twice."""
    postponed: bool
    """Neither dispatched: the next evaluation does."""
    missing: tuple[str, ...]
    """What was not even dispatched or proposed an hour later."""
    receipts: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        return not (self.dispatches or self.incidents or self.issues or self.comments or self.missing)


@dataclass(slots=True)
class Place:
    """GitHub and PagerDuty, as the two lanes reach them."""

    simulation: Simulation
    gates: dict[str, tuple[Server[Gate], Server[Gate]]]
    github: GitHubStandIn = field(default_factory=GitHubStandIn)
    pagerduty: PagerDutyStandIn = field(default_factory=PagerDutyStandIn)
    token: str = ""
    config: Config = field(default_factory=lambda: Config((), ""))

    def renew(self, scenario: Scenario, random: Random) -> None:
        self.github, self.pagerduty = GitHubStandIn(self.simulation.clock), PagerDutyStandIn(self.simulation.clock)
        for github, pagerduty in self.gates.values():
            github.standin.standin, pagerduty.standin.standin = self.github, self.pagerduty
            for server in (github, pagerduty):
                server.standin.random.seed(random.random())
                server.clear()
        files = workflows("retrain", "rollback")
        self.github.state.add_repo(REPOSITORY, files=files, collaborators={PERSON: "write"})
        self.token = self.github.state.add_token()
        self.pagerduty.state.add_service("churn", ROUTING_KEY)
        self.config = config(
            github=GitHubSpec(REPOSITORY, people=(PERSON,)),
            pagerduty=PagerDutySpec(Secret("KEY", ROUTING_KEY)),
            workflows=(RETRAIN, scenario.rollback),
        )

    def evaluate(self, text: str, lane: str, now: float) -> Receipts:
        """One evaluation, as ``modelwatch run`` makes it once it has judged."""
        github, pagerduty = self.gates[lane]
        env = {
            "GITHUB_TOKEN": self.token,
            "GITHUB_API_URL": github.url,
            "PAGERDUTY_EVENTS_URL": pagerduty.url,
            "MODELWATCH_WAIT_SCALE": str(WAIT_SCALE),
        }
        sessions = TargetSessions(self.config, env, clock=LaneClock(self.simulation, lane))
        judgement = judged(text, self.config)
        observed = observe_models(sessions, self.config.models, judgement, now)
        plan = make_plan(judgement, self.config, observed, now)
        return apply_plan(plan, "digest", sessions, frozenset(Target), now, writer=f"{lane}-{now}")

    def verbs(self) -> Counter[str]:
        return Counter(run.title.split()[1] for run in self.github.state.repo(REPOSITORY).runs.items.values())

    def doubled_comments(self) -> int:
        found: Counter[tuple[int, str]] = Counter()
        for comment in self.github.state.repo(REPOSITORY).comments.items.values():
            found[comment.issue, comment.body.rpartition("<!-- modelwatch:note")[2]] += 1
        return sum(count - 1 for (_, note), count in found.items() if " -->" in note)

    def proposed(self) -> set[str]:
        bodies = [issue.body or "" for issue in self.github.state.repo(REPOSITORY).issues.items.values()]
        registers = filter(None, (parse_body(body).register for body in bodies))
        records = (record for register in registers for record in register.dispatches)
        return {record.verb for record in records if record.state is DispatchState.PROPOSED}


@contextmanager
def place() -> Iterator[Place]:
    with ExitStack() as stack:
        simulation = Simulation()
        gates = {
            lane: (
                stack.enter_context(Server(Gate(simulation, lane, GitHubStandIn()))),
                stack.enter_context(Server(Gate(simulation, lane, PagerDutyStandIn()))),
            )
            for lane in LANES
        }
        yield Place(simulation, gates)


def try_pair(place: Place, scenario: Scenario, seed: int) -> Pair:
    """One pair, and one more evaluation an hour later."""
    random = Random(seed)
    place.renew(scenario, random)
    state, solo, simulation = place.github.state, LANES[0], place.simulation
    for text in scenario.before:
        simulation.run({solo: later(text)}, lambda lane, now, text=text: place.evaluate(text, lane, now))  # type: ignore[misc]
        for run in state.repo(REPOSITORY).runs.items.values():
            state.finish_run(run.id)
    begin = later(scenario.now)
    simulation.now = begin - 60.0
    if scenario.comment:
        place.github.person(REPOSITORY, PERSON).add_comment(1, scenario.comment)
    before, known = place.verbs(), len(state.repo(REPOSITORY).issues.items)
    incidents = len(place.pagerduty.state.incidents) + scenario.incidents
    state.lag.seconds = random.uniform(0.0, MAX_LAG)
    offset = random.uniform(0.0, random.choice((SHORT, LONG)))
    starts = dict(zip(LANES, (begin, begin + offset), strict=True))
    done = simulation.run(starts, lambda lane, now: place.evaluate(scenario.now, lane, now))
    ran = place.verbs() - before
    issues = list(state.repo(REPOSITORY).issues.items.values())
    text = f"{scenario.now}{scenario.now[-1]}"
    simulation.run({solo: begin + HOUR}, lambda lane, now: place.evaluate(text, lane, now))
    found = place.verbs() - before
    dispatches = sum(count - 1 for count in found.values() if count > 1)
    return Pair(
        scenario,
        seed,
        dispatches,
        len(place.pagerduty.state.incidents) - incidents,
        sum(issue.state == "open" for issue in issues) - 1,
        sum(issue.state_reason == "duplicate" for issue in issues[known:]),
        comments=place.doubled_comments(),
        postponed=any(not ran[verb] for verb in scenario.verbs),
        missing=tuple(verb for verb in scenario.verbs if not found[verb] and verb not in place.proposed()),
        receipts=tuple(
            f"{lane}: {receipt.kind} {receipt.result} {receipt.detail}".rstrip()
            for lane, receipts in sorted(done.items())
            for receipt in receipts.receipts
        ),
    )


def bugs(place: Place) -> list[str]:
    """Where a stand-in itself failed: then nothing is proved."""
    return [error for gates in place.gates.values() for server in gates for error in server.errors]
