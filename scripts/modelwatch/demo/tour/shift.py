"""The night as it goes on: time passes, production logs, modelwatch evaluates, workflows and rollouts end."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from ...clients.dispatching import dispatch_workflow
from ...clients.github import GitHubClient, github_api_url, github_retry_policy, github_token
from ...errors import UserError
from ...model.release import MoveVerb
from ...report.escape import plain_line as harmless
from ...standins.github.tracker import Person
from ..churn_hours import BROKEN_REGION, log
from ..keep import incidents, repository
from ..story import Story, times
from ..world import ENTITY
from .production import BAD, GOOD, MINUTE, Minute, Production
from .scene import ROLLOUT, YOU, carry_out, serving

EVERY = 10 * MINUTE
"""Evaluations are scheduled; a comment on the issue starts one as well."""
LOOK = 2 * MINUTE
"""What a command costs on the clock: people read."""
UNSEEN = 4 * EVERY
"""For so long after the release nobody is paged, whatever the dice say."""
LENGTH = 4 * 60 * MINUTE
"""Of the shift, from the page on."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. ``style`` is ``you`` for what the person on call did."""

    at: float
    text: str
    style: str


@dataclass(slots=True)
class Shift:
    """One night. Times are seconds, UTC, and full minutes."""

    story: Story
    production: Production
    released: float
    say: Callable[[Entry], None]
    entries: list[Entry] = field(default_factory=list)
    paged: float = 0.0
    decided: float = 0.0
    """When the rollout of something other than the bad version last began while that served; 0 before."""
    _coming: tuple[float, str] | None = None
    """A rollout: when it is over, and what serves then."""
    _rolled: str = BAD
    _logged: float = 0.0

    @property
    def now(self) -> float:
        return self.story.world.clock.now

    @property
    def ends(self) -> float:
        return self.paged + LENGTH

    @property
    def over(self) -> bool:
        return self.story.is_over() or (self.paged > 0 and self.now >= self.ends)

    @property
    def incident(self) -> Any:
        """The newest at the PagerDuty stand-in; ``None`` before the first."""
        return next(reversed(incidents(self.story)), None)

    @property
    def issue(self) -> Any:
        """The newest issue at the GitHub stand-in; ``None`` before the first."""
        return max(repository(self.story).issues.items.values(), key=lambda one: one.number, default=None)

    def tell(self, at: float, text: str, style: str) -> None:
        """Something happened: it is told, and remembered for the end."""
        self.entries.append(Entry(at, text, style))
        self.say(self.entries[-1])

    def until_the_page(self) -> None:
        """From the bad release until PagerDuty has an incident."""
        self._logged = self.released
        self.story.world.clock.now += UNSEEN
        self.write()
        pulls = self.story.pull(self.now)
        for time in times(self.released, self.now, EVERY):
            self.story.evaluate(pulls, time)
        while self.incident is None and self.now < self.released + LENGTH:
            self.advance(EVERY)
        self.paged = self.now

    def advance(self, seconds: float) -> None:
        """Time passes, a minute at a time, and never past the end of the shift."""
        until = self.now + seconds
        self._roll_out()
        while self.now < until and not self.over:
            self.story.world.clock.now += MINUTE
            self._minute()
        self.write()

    def evaluate(self) -> None:
        """One evaluation of everything, now."""
        self.write()
        self.story.evaluate(self.story.pull(self.now), self.now)

    def write(self) -> None:
        """The serving job logs what is not logged yet."""
        new = list(self.production.minutes(self._logged, self.now))
        for version, some in groupby(new, lambda minute: minute.version):
            log(ENTITY, self.story.home.project, version, list(some))
        self._logged = self.now

    def minute(self) -> Minute:
        return self.production.minute(self.now)

    def acknowledge(self) -> str:
        """Press the button in PagerDuty; gives its answer."""
        incident = self.incident
        if incident is None or not incident.open:
            return "There is no open incident."
        self.story.world.pagerduty.standin.state.person_acknowledges(incident)
        return f"Incident {incident.number} is acknowledged: nobody else is woken."

    def comment(self, text: str) -> None:
        """Write on the newest issue, which starts an evaluation."""
        state = self.story.world.github.standin.state
        Person(state, repository(self.story), YOU).comments(self.issue.number, text)
        self.evaluate()

    def dispatch(self, verb: str, fields: Sequence[str]) -> str:
        """Start a workflow by hand, with ``name=value`` fields; gives the answer."""
        github = GitHubClient(github_api_url(os.environ), github_token(os.environ), github_retry_policy(os.environ))
        inputs = dict(found.split("=", 1) for found in fields if "=" in found)
        try:
            dispatch_workflow(github, self.story.home.repository, f"{verb}.yml", "main", inputs)
        except UserError as error:
            return f"GitHub refused: {harmless(str(error), 300)}"
        return f"{harmless(verb)} is dispatched; the workflow run takes a few minutes."

    def settle(self) -> None:
        """What was set off goes on after the person has left."""
        for _ in range(round(2 * ROLLOUT / MINUTE)):
            self.story.world.clock.now += MINUTE
            self._end_workflows()
            self._roll_out()
            self._deploy()

    def _minute(self) -> None:
        self._end_workflows()
        self._roll_out()
        self._deploy()
        if self.now % EVERY == 0:
            self.evaluate()

    def _roll_out(self) -> None:
        """Whatever the deploy command was told, by a command of the person's or by a workflow run."""
        wanted = serving(self.story.world.folder)
        if wanted and wanted != self._rolled:
            self._rolled = wanted
            if wanted != BAD and self.production.versions[-1] == BAD:
                self.decided = self.now
            self._coming = self.now + ROLLOUT, wanted

    def _deploy(self) -> None:
        if self._coming is not None and self.now >= self._coming[0]:
            self.production.deploy(self._coming[1], self._coming[0])
            self.story.version, self.story.deployed = self._coming[1], self._coming[0]
            self.tell(self._coming[0], f"production now serves {self._coming[1]}", "deploy")
            self._coming = None

    def _end_workflows(self) -> None:
        for run in list(repository(self.story).runs.items.values()):
            verb = run.title.split()[1]
            if run.status != "completed" and self.now - run.created >= self.story.lasts[verb]:
                self._end_workflow(run, verb)

    def _end_workflow(self, run: Any, verb: str) -> None:
        inputs = run.payload.get("inputs", {})
        conclusion, told = "success", ""
        if verb == "retrain":
            told = ": the new version learns from the same misread input, and is not promoted"
        else:
            try:
                reason = inputs.get("reason", "")
                target = inputs.get("target_version") or (GOOD if verb == "rollback" else "")
                made = carry_out(self.story, MoveVerb(verb), target, inputs.get("key", ""), reason, YOU)
            except UserError as error:
                made, told = False, f": {harmless(str(error), 300)}"
            conclusion = "success" if made else "failure"
        self.story.world.github.standin.state.finish_run(run.id, conclusion)
        self.tell(self.now, f"workflow run finished ({conclusion}): {verb}{told}", "workflow")


def health(shift: Shift) -> str:
    """How production is from this minute on, in half a line."""
    minute = shift.production.minute(shift.now + MINUTE)
    now = minute.accuracy(BROKEN_REGION)
    return f"{minute.version} serves; it is right about {100 * now:.0f} % of {BROKEN_REGION}"
