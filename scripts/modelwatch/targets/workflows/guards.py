"""Guards against unwanted dispatches: each is a function that returns why it refuses one, or the empty string.

All fail closed: a guard refuses where something is missing or unknown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ...model.alert import AlertState
from ...model.finding import Outcome
from ...model.monitored_model import WorkflowSpec
from ...model.plan import UNOBSERVABLE, ObservedRun
from ...model.register import DATA_IN_DOUBT_PREFIX, DispatchRecord, DispatchState
from ...model.target import Target
from ...report.rollback_choice import NO_HEALTHY_VERSION
from ...timeutil import DAY, HOUR, format_utc
from ..draft import GroupPlan
from ..register.client import LISTED_WITHIN

SINGLE_ATTEMPT_VERBS = frozenset({"rollback", "degrade", "promote"})
"""One attempt per episode, never repeated automatically: when its intent is lost, it is proposed for approval."""
STARTED_WITHIN = HOUR
"""GitHub starts a dispatch that it accepted without naming a workflow run within this time (seconds)."""


@dataclass(frozen=True, slots=True)
class DispatchRequest:
    """A requested dispatch, with the draft of the group that requests it."""

    draft: GroupPlan
    verb: str
    target: str = ""
    """The version to go back to; empty where there is none."""
    requested_by: str = ""
    """The person who requested it; empty where a tier did."""
    no_target_reason: str = ""
    """Why no version will do, where it is known."""

    @property
    def workflow(self) -> WorkflowSpec | None:
        return self.draft.model.workflow(self.verb)

    @property
    def runs(self) -> list[ObservedRun]:
        """Workflow runs of this model."""
        return [run for run in self.draft.observed.runs if run.model == self.draft.model.name]

    def records(self, verb: str) -> list[DispatchRecord]:
        """Every dispatch of ``verb`` in the registers of this model."""
        registers = [issue.register for issue in self.draft.observed.issues if issue.trusted]
        records = {
            record.key: record
            for register in (*registers, self.draft.register)
            if register is not None
            for record in register.dispatches
        }
        return [record for record in records.values() if record.verb == verb]

    @property
    def tried(self) -> bool:
        """Whether this episode tried the verb before; an intent that was lost started nothing."""
        return any(record.verb == self.verb and record.state.is_dispatched for record in self.draft.dispatches)


def first_refusal(request: DispatchRequest) -> tuple[str, str]:
    """(guard, reason) of the first guard that refuses; ("", "") where none does."""
    for name, guard in GUARDS:
        reason = guard(request)
        if reason:
            return name, reason
    return "", ""


def check_observable(request: DispatchRequest) -> str:
    """Workflow runs that cannot be listed can be under way."""
    errors = (request.draft.observed.error_for(Target.DISPATCH, verb) for verb in _conflicting_verbs(request.verb))
    error = next(filter(None, errors), "")
    return f"workflow runs cannot be observed: {error}" if error else ""


def _conflicting_verbs(verb: str) -> tuple[str, ...]:
    """The workflows of which none may be under way when ``verb`` is started."""
    return (verb, "rollback") if verb == "retrain" else (verb,)


def check_firing(request: DispatchRequest) -> str:
    """A group that no longer fires is reported, never acted on."""
    return "" if request.draft.firing else "it no longer fires"


def check_configured(request: DispatchRequest) -> str:
    workflow = request.workflow
    if workflow is None:
        return f"no workflow {request.verb!r} is configured for this model"
    if not workflow.file and not workflow.event_type:
        return f"workflow {request.verb!r} names neither a file nor an event type"
    return "" if request.draft.register is not None else "there is no issue to write the intent to"


def check_refired(request: DispatchRequest) -> str:
    """A group that fires again within 24 h of closing gets no new attempts."""
    register = request.draft.register
    if register is None or request.requested_by or (register.refired is None and register.reopened is None):
        return ""
    return "it was tried in this episode, which fired again: no new attempt" if request.tried else ""


def check_once_per_episode(request: DispatchRequest) -> str:
    if request.verb not in SINGLE_ATTEMPT_VERBS or request.requested_by:
        return ""
    return f"one {request.verb} per episode, and it was tried" if request.tried else ""


def check_rollback_target(request: DispatchRequest) -> str:
    """A rollback needs a version that was healthy under the same rules, and is not the failing one."""
    if request.verb != "rollback":
        return ""
    if not request.target:
        return request.no_target_reason or NO_HEALTHY_VERSION
    failed = request.target == request.draft.asking_group.evidence.version
    return f"{request.target} is the version that just failed" if failed else ""


def check_data_quality(request: DispatchRequest) -> str:
    """A firing data-quality group of the same model blocks retraining, muted or not: bad data makes bad models."""
    if request.verb != "retrain":
        return ""
    firing = [g.rule for g in request.draft.model_groups if g.kind == "data-quality" and g.state is AlertState.FIRING]
    verb = "fires" if len(firing) == 1 else "fire"
    return f"{DATA_IN_DOUBT_PREFIX} {', '.join(firing)} {verb}" if firing else ""


def check_one_at_a_time(request: DispatchRequest) -> str:
    for verb in _conflicting_verbs(request.verb):
        run = next((r for r in request.runs if r.verb == verb and r.status != "completed"), None)
        if run is not None:
            return f"a {verb} of this model is under way: {run.url or run.id}"
        if any(_is_in_flight(record, request) for record in request.records(verb)):
            return f"a {verb} of this model may be under way: its workflow run may not be listed yet"
        if any(d.verb == verb and d.model == request.draft.model.name for d in request.draft.counter.dispatches):
            return f"a {verb} of this model is dispatched by this same plan"
    return ""


def _is_in_flight(record: DispatchRecord, request: DispatchRequest) -> bool:
    if not record.state.is_open:
        return False
    listed = any(run.key == record.key for run in request.runs)
    return not listed and not request.draft.now - record.at >= time_to_start(record)


def time_to_start(record: DispatchRecord) -> float:
    """How long (seconds) after a dispatch its workflow run can be missing from GitHub's lists."""
    accepted_only = record.state is DispatchState.SENT and record.run_id is None
    return STARTED_WITHIN if accepted_only else LISTED_WITHIN


def check_cooldown(request: DispatchRequest) -> str:
    if request.workflow is None:
        return "its cooldown is unknown"
    if request.requested_by and request.verb in SINGLE_ATTEMPT_VERBS:
        return ""  # a person who requests a second attempt has seen the first
    length = request.workflow.cooldown
    for _, time in _past_dispatches(request):
        age = request.draft.now - time
        if not age >= length:  # NaN refuses, too
            left = (length - age) / HOUR
            ago = f"less than {length / HOUR:g} h ago ({left:.1f} h left)"
            return f"cooldown: the last {request.verb} of this model was {ago}"
    return ""


def check_effect(request: DispatchRequest) -> str:
    """An attempt is repeated where data from after it proves that it did not help. Where labels come late, what is
    judged is older for a while, or of its first hours."""
    last = max(_successful_dispatches(request), default=-math.inf)
    if request.requested_by or request.verb in SINGLE_ATTEMPT_VERBS or last == -math.inf:
        return ""
    group = request.draft.asking_group
    window = min([*(rule.window for rule in request.draft.model.rules if rule.name == group.rule), DAY])
    attempt = f"the last {request.verb}, of {format_utc(last)}"
    if not group.newest - window >= last:
        return f"{attempt}, cannot show yet: data is judged up to {format_utc(group.newest)}"
    firing = [alert.finding for alert in group.alerts if alert.state is AlertState.FIRING]
    if any(one.outcome is Outcome.BREACH and one.time - window >= last for one in firing):
        return ""
    return f"nothing that was judged after {attempt}, proves that it did not help"


def check_budget(request: DispatchRequest) -> str:
    if request.workflow is None:
        return "its budget is unknown"
    period, budget = request.workflow.budget_period, request.workflow.budget
    spent = {key for key, time in _past_dispatches(request) if not request.draft.now - time >= period}
    if len(spent) < budget:
        return ""
    return f"budget: {len(spent)} of {budget} {request.verb} dispatches in {period / DAY:g} days are spent"


def check_blast_radius(request: DispatchRequest) -> str:
    return request.draft.counter.dispatch_refusal()


def _past_dispatches(request: DispatchRequest) -> Iterator[tuple[str, float]]:
    """(key, time) of each dispatch of this verb for this model, from the registers and the workflow runs."""
    for record in request.records(request.verb):
        if record.state.is_dispatched:
            yield record.key, record.at
    for run in request.runs:
        if run.verb == request.verb:
            yield run.key, run.created_at


def _successful_dispatches(request: DispatchRequest) -> Iterator[float]:
    """When each dispatch that did not fail was sent, or its workflow run ended."""
    for record in request.records(request.verb):
        if record.state.is_open or (record.state is DispatchState.FINISHED and record.conclusion == "success"):
            yield record.at
    for run in request.runs:
        if run.verb == request.verb and run.conclusion in ("", "success"):
            yield run.ended_at or run.created_at


GUARDS: tuple[tuple[str, Callable[[DispatchRequest], str]], ...] = (
    ("past", check_firing),
    ("configured", check_configured),
    (UNOBSERVABLE, check_observable),
    ("refired", check_refired),
    ("once-per-episode", check_once_per_episode),
    ("one-at-a-time", check_one_at_a_time),
    ("data-quality", check_data_quality),
    ("rollback-target", check_rollback_target),
    ("cooldown", check_cooldown),
    ("effect", check_effect),
    ("budget", check_budget),
    ("blast-radius", check_blast_radius),
)
"""In this order; the first refusal is reported."""
