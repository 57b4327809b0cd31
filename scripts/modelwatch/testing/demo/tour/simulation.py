"""The night as it goes on: time passes, production logs, modelwatch evaluates, workflows and rollouts end."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from ....clients.github import GitHubClient, github_api_url, github_retry_policy
from ....clients.workflow_dispatch import dispatch_workflow
from ....errors import UserError
from ....model.release import MoveVerb
from ....report.markdown import plain_line as harmless
from ....timeutil import MINUTE
from ...standins.github.issue_actions import Person
from ..churn_production import BROKEN_REGION, log_rows
from ..environment import ENTITY
from ..export import model_incidents, model_repository
from ..story import Story, time_steps
from .production import BAD_VERSION, GOOD_VERSION, Production
from .setup import ON_CALL_LOGIN, ROLLOUT_SECONDS, execute_move, read_serving_version

EVALUATION_INTERVAL = 10 * MINUTE
"""Evaluations are scheduled; a comment on the issue starts one as well."""
COMMAND_SECONDS = 2 * MINUTE
"""What a command costs on the clock: people read."""
UNPAGED_SECONDS = 4 * EVALUATION_INTERVAL
"""For so long after the release nobody is paged, whatever the dice say."""
ESCALATION_SECONDS = 30 * MINUTE
"""After this time PagerDuty usually notifies the next person."""
SHIFT_SECONDS = 4 * 60 * MINUTE
"""Of the shift, from the page on."""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One thing that happened. ``style`` is ``you`` for what the person on call did."""

    at: float
    text: str
    style: str


@dataclass(slots=True)
class OnCallShift:
    """One night. Times are seconds, UTC, and full minutes."""

    story: Story
    production: Production
    release_time: float
    print_entry: Callable[[TimelineEntry], None]
    entries: list[TimelineEntry] = field(default_factory=list)
    page_time: float = 0.0
    decision_time: float = 0.0
    """When the rollout of something other than the bad version last began while that served; 0 before."""
    _rings: int = 0
    """How often the phone has rung."""
    _rollout: tuple[float, str] | None = None
    """A rollout: when it is over, and what serves then."""
    _requested_version: str = BAD_VERSION
    _logged_until: float = 0.0

    @property
    def now(self) -> float:
        return self.story.environment.clock.now

    @property
    def end_time(self) -> float:
        return self.page_time + SHIFT_SECONDS

    @property
    def is_over(self) -> bool:
        return self.story.is_over() or (self.page_time > 0 and self.now >= self.end_time)

    @property
    def incident(self) -> Any:
        """The newest at the PagerDuty stand-in; ``None`` before the first."""
        return next(reversed(model_incidents(self.story)), None)

    @property
    def notifications(self) -> list[Any]:
        """What has reached the phone, oldest first."""
        return self.story.environment.pagerduty.standin.state.notifications

    @property
    def repeated_page(self) -> tuple[float, float] | None:
        """When an incident was acknowledged, and when the next one notified the person anyway."""
        incidents = model_incidents(self.story)
        times = [entry.at for one in incidents for entry in one.log if entry.action == "acknowledge"]
        again = next((one.created for one in incidents if times and one.created > min(times)), None)
        return None if again is None else (min(times), again)

    @property
    def is_acknowledged(self) -> bool:
        """Whether somebody has acknowledged an incident."""
        return any(entry.action == "acknowledge" for one in model_incidents(self.story) for entry in one.log)

    @property
    def is_escalated(self) -> bool:
        """Whether an incident was open for so long without an answer that PagerDuty notifies the next person."""
        open_long = any(
            one.resolved is None or one.resolved - one.created >= ESCALATION_SECONDS
            for one in model_incidents(self.story)
        )
        return open_long and not self.is_acknowledged

    @property
    def issue(self) -> Any:
        """The newest issue at the GitHub stand-in; ``None`` before the first."""
        return max(model_repository(self.story).issues.items.values(), key=lambda one: one.number, default=None)

    def add_entry(self, at: float, text: str, style: str) -> None:
        """Something happened: it is printed, and remembered for the end."""
        self.entries.append(TimelineEntry(at, text, style))
        self.print_entry(self.entries[-1])

    def run_until_paged(self) -> None:
        """From the bad release until PagerDuty has an incident."""
        self._logged_until = self.release_time
        self.story.environment.clock.now += UNPAGED_SECONDS
        self.log_production()
        pulls = self.story.pull(self.now)
        for time in time_steps(self.release_time, self.now, EVALUATION_INTERVAL):
            self.story.evaluate(pulls, time)
        while self.incident is None and self.now < self.release_time + SHIFT_SECONDS:
            self.advance(EVALUATION_INTERVAL)
        self.page_time, self._rings = self.now, len(self.notifications)

    def advance(self, seconds: float, *, until_page: bool = False) -> None:
        """Time passes, a minute at a time, and never past the end of the shift. ``until_page``: nor past a page."""
        until, rings = self.now + seconds, self._rings
        self._start_rollout()
        while self.now < until and not self.is_over and not (until_page and self._rings > rings):
            self.story.environment.clock.now += MINUTE
            self._simulate_minute()
        self.log_production()

    def evaluate(self) -> None:
        """One evaluation of everything, now."""
        self.log_production()
        self.story.evaluate(self.story.pull(self.now), self.now)
        if self.page_time and len(self.notifications) > self._rings:
            self._rings = len(self.notifications)
            self.add_entry(self.now, f"Your phone rings again: {harmless(self.notifications[-1].title)}", "critical")

    def log_production(self) -> None:
        """The serving job logs what is not logged yet."""
        new = list(self.production.minutes(self._logged_until, self.now))
        for version, some in groupby(new, lambda minute: minute.version):
            log_rows(ENTITY, self.story.demo_model.project, version, list(some))
        self._logged_until = self.now

    def acknowledge(self) -> str:
        """Press the button in PagerDuty, on every open incident; gives its answer."""
        incidents = [one for one in model_incidents(self.story) if one.is_open]
        if not incidents:
            return "There is no open incident."
        incidents = [one for one in incidents if one.status == "triggered"] or incidents
        for incident in incidents:
            self.story.environment.pagerduty.standin.state.acknowledge_as_person(incident)
        several = len(incidents) > 1
        numbers = " and ".join(str(one.number) for one in incidents)
        return f"Incident{'s' * several} {numbers} {'are' if several else 'is'} acknowledged: nobody else is woken."

    def comment(self, text: str) -> None:
        """Write on the newest issue, which starts an evaluation."""
        self._person.add_comment(self.issue.number, text)
        self.evaluate()

    def close_issue(self, reason: str) -> str:
        """Close the newest issue as GitHub does; gives the answer. The next evaluation finds it closed."""
        if self.issue.state == "closed":
            return f"Issue #{self.issue.number} is closed already."
        closed = self._person.close_issue(self.issue.number, reason)
        return (
            f"Issue #{closed.number} is closed as {reason.replace('_', ' ')}. Nothing is recovered by that: the next "
            "evaluation takes it for your word on the alert."
        )

    def reopen_issue(self) -> str:
        """Reopen the newest issue; gives the answer."""
        if self.issue.state == "open":
            return f"Issue #{self.issue.number} is open."
        return f"Issue #{self._person.reopen_issue(self.issue.number).number} is open again."

    @property
    def _person(self) -> Person:
        return Person(self.story.environment.github.standin.state, model_repository(self.story), ON_CALL_LOGIN)

    def dispatch(self, verb: str, fields: Sequence[str]) -> str:
        """Start a workflow by hand, with ``name=value`` fields; gives the answer."""
        token = self.story.environment.github.standin.state.add_token(ON_CALL_LOGIN, kind="user")
        github = GitHubClient(github_api_url(os.environ), token, github_retry_policy(os.environ))
        inputs = dict(found.split("=", 1) for found in fields if "=" in found)
        try:
            dispatch_workflow(github, self.story.demo_model.repository, f"{verb}.yml", "main", inputs)
        except UserError as error:
            return f"GitHub refused: {harmless(str(error), 300)}"
        return f"{harmless(verb)} is dispatched; the workflow run takes a few minutes."

    def finish_rollouts(self) -> None:
        """What was set off goes on after the person has left."""
        for _ in range(round(2 * ROLLOUT_SECONDS / MINUTE)):
            self.story.environment.clock.now += MINUTE
            self._finish_due_workflows()
            self._start_rollout()
            self._complete_rollout()

    def _simulate_minute(self) -> None:
        self._finish_due_workflows()
        self._start_rollout()
        self._complete_rollout()
        if self.now % EVALUATION_INTERVAL == 0:
            self.evaluate()

    def _start_rollout(self) -> None:
        """Whatever the deploy command received, by a command of the person's or by a workflow run."""
        wanted = read_serving_version(self.story.environment.folder)
        if wanted and wanted != self._requested_version:
            self._requested_version = wanted
            if wanted != BAD_VERSION and self.production.versions[-1] == BAD_VERSION:
                self.decision_time = self.now
            self._rollout = self.now + ROLLOUT_SECONDS, wanted

    def _complete_rollout(self) -> None:
        if self._rollout is not None and self.now >= self._rollout[0]:
            self.production.deploy(self._rollout[1], self._rollout[0])
            self.story.version, self.story.deployed = self._rollout[1], self._rollout[0]
            self.add_entry(self._rollout[0], f"production now serves {self._rollout[1]}", "deploy")
            self._rollout = None

    def _finish_due_workflows(self) -> None:
        for run in list(model_repository(self.story).runs.items.values()):
            verb = run.title.split()[1]
            if run.status != "completed" and self.now - run.created >= self.story.run_seconds[verb]:
                self._finish_workflow(run, verb)

    def _finish_workflow(self, run: Any, verb: str) -> None:
        inputs = run.payload.get("inputs", {})
        conclusion, told = "success", ""
        if verb == "retrain":
            told = ": the new version learns from the same misread input, and is not promoted"
        else:
            try:
                reason = inputs.get("reason", "")
                target = inputs.get("target_version") or (GOOD_VERSION if verb == "rollback" else "")
                made = execute_move(self.story, MoveVerb(verb), target, inputs.get("key", ""), reason, ON_CALL_LOGIN)
            except UserError as error:
                made, told = False, f": {harmless(str(error), 300)}"
            conclusion = "success" if made else "failure"
        self.story.environment.github.standin.state.finish_run(run.id, conclusion)
        self.add_entry(self.now, f"workflow run finished ({conclusion}): {verb}{told}", "workflow")


def describe_health(shift: OnCallShift) -> str:
    """How production is from this minute on, in half a line."""
    minute = shift.production.minute(shift.now + MINUTE)
    now = minute.accuracy(BROKEN_REGION)
    return f"{minute.version} serves, with an accuracy of {now:.2f} in {BROKEN_REGION}"
