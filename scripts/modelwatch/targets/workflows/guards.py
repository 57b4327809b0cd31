"""Guards: what refuses a dispatch. Each is one function that gives its reason, or the empty string.

All fail closed: what is missing or unknown refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...model.alert import AlertState, Group
from ...model.monitored_model import WorkflowSpec
from ...model.plan import ObservedRun, Target
from ...model.register import DATA_IN_DOUBT_PREFIX, DispatchRecord, Register
from ...timeutil import DAY, HOUR
from ..draft import BlastRadiusCounter, GroupPlan

SINGLE_ATTEMPT_VERBS = frozenset({"rollback", "degrade", "promote"})
"""One attempt per episode, and never repeated unseen: an intent that is lost is proposed to a person."""
LISTED_WITHIN = 600.0
"""Seconds: a workflow run that was dispatched is listed by then."""


@dataclass(frozen=True, slots=True)
class DispatchRequest:
    """A dispatch that is asked for, with everything that may refuse it."""

    group: Group
    verb: str
    workflow: WorkflowSpec | None
    register: Register | None
    """The draft of the group's register."""
    records: tuple[DispatchRecord, ...]
    """Every dispatch of this verb that a register of this model knows of."""
    other_records: tuple[DispatchRecord, ...]
    """Every other dispatch that a register of this model knows of."""
    runs: tuple[ObservedRun, ...]
    """Workflow runs of this model."""
    unobservable: str
    model_groups: Sequence[Group]
    counter: BlastRadiusCounter
    target: str
    """The version to go back to; empty where there is none."""
    now: float
    requested_by: str = ""
    """The person who asks for it; empty where a tier does."""
    no_target_reason: str = ""
    """Why there is no version to go back to, where more is known than that."""


Guard = Callable[[DispatchRequest], str]


def build_request(
    draft: GroupPlan, verb: str, target: str, requested_by: str = "", no_target_reason: str = ""
) -> DispatchRequest:
    registers = [i.register for i in draft.observed.issues if i.trusted and i.register is not None]
    drafted = draft.register.dispatches if draft.register else ()
    known = {record.key: record for register in registers for record in register.dispatches}
    known.update({record.key: record for record in drafted})
    return DispatchRequest(
        group=draft.group,
        verb=verb,
        workflow=draft.model.workflow(verb),
        register=draft.register,
        records=tuple(record for record in known.values() if record.verb == verb),
        other_records=tuple(record for record in known.values() if record.verb != verb),
        runs=tuple(run for run in draft.runs if run.model == draft.model.name),
        unobservable=draft.observed.error_for(Target.DISPATCH),
        model_groups=draft.model_groups,
        counter=draft.counter,
        target=target,
        now=draft.now,
        requested_by=requested_by,
        no_target_reason=no_target_reason,
    )


def first_refusal(request: DispatchRequest) -> tuple[str, str]:
    """(guard, reason) of the first guard that refuses; ("", "") where none does."""
    for name, guard in GUARDS:
        reason = guard(request)
        if reason:
            return name, reason
    return "", ""


def check_observable(request: DispatchRequest) -> str:
    """Workflow runs that cannot be listed may be under way."""
    return f"workflow runs cannot be observed: {request.unobservable}" if request.unobservable else ""


def check_firing(request: DispatchRequest) -> str:
    """What happened entirely in the past is reported, never acted on."""
    return "" if request.group.state is AlertState.FIRING else "it does not fire any more"


def check_configured(request: DispatchRequest) -> str:
    workflow = request.workflow
    if workflow is None:
        return f"no workflow {request.verb!r} is configured for this model"
    if not workflow.file and not workflow.event_type:
        return f"workflow {request.verb!r} names neither a file nor an event type"
    return "" if request.register is not None else "there is no issue to write the intent to"


def check_refired(request: DispatchRequest) -> str:
    """A group that fires again within 24 h of closing reopens its episode without new attempts."""
    register = request.register
    again = register is not None and (register.refired is not None or register.reopened is not None)
    tried = register is not None and any(r.verb == request.verb and r.state.is_attempted for r in register.dispatches)
    if request.requested_by:
        return ""
    return "it was tried in this episode, which fired again: no new attempt" if again and tried else ""


def check_once_per_episode(request: DispatchRequest) -> str:
    if request.verb not in SINGLE_ATTEMPT_VERBS or request.register is None or request.requested_by:
        return ""
    tried = any(r.verb == request.verb and r.state.is_attempted for r in request.register.dispatches)
    return f"one {request.verb} per episode, and it was tried" if tried else ""


def check_rollback_target(request: DispatchRequest) -> str:
    """To a version that was healthy under the same rules, and is not what just failed."""
    if request.verb != "rollback":
        return ""
    if not request.target:
        return request.no_target_reason or "no healthy version is on record under the same rules"
    return f"{request.target} is what just failed" if request.target == request.group.evidence.version else ""


def check_data_quality(request: DispatchRequest) -> str:
    """Bad data makes bad models: a firing data-quality group of the same model blocks retraining, muted or not."""
    if request.verb != "retrain":
        return ""
    firing = [g.rule for g in request.model_groups if g.kind == "data-quality" and g.state is AlertState.FIRING]
    verb = "fires" if len(firing) == 1 else "fire"
    return f"{DATA_IN_DOUBT_PREFIX} {', '.join(firing)} {verb}" if firing else ""


def check_one_at_a_time(request: DispatchRequest) -> str:
    for verb in _exclusive_verbs(request.verb):
        run = next((r for r in request.runs if r.verb == verb and r.status != "completed"), None)
        if run is not None:
            return f"a {verb} of this model is under way: {run.url or run.id}"
        records = request.records if verb == request.verb else request.other_records
        if any(record.verb == verb and _is_in_flight(record, request) for record in records):
            return f"a {verb} of this model may be under way: its workflow run may not be listed yet"
        if any(d.verb == verb and d.model == request.group.model for d in request.counter.dispatches):
            return f"a {verb} of this model is dispatched by this same plan"
    return ""


def _is_in_flight(record: DispatchRecord, request: DispatchRequest) -> bool:
    if not record.state.is_open:
        return False
    listed = any(run.key == record.key for run in request.runs)
    return not listed and not request.now - record.at >= LISTED_WITHIN


def _exclusive_verbs(verb: str) -> tuple[str, ...]:
    return (verb, "rollback") if verb == "retrain" else (verb,)


def check_cooldown(request: DispatchRequest) -> str:
    if request.workflow is None:
        return "its cooldown is unknown"
    if request.requested_by and request.verb in SINGLE_ATTEMPT_VERBS:
        return ""  # A person who goes back a second time has seen the first.
    length = request.workflow.cooldown
    for _, time in _past_dispatches(request):
        if not request.now - time >= length:
            left = (length - (request.now - time)) / HOUR
            ago = f"less than {length / HOUR:g} h ago ({left:.1f} h left)"
            return f"cooldown: the last {request.verb} of this model was {ago}"
    return ""


def check_budget(request: DispatchRequest) -> str:
    if request.workflow is None:
        return "its budget is unknown"
    period, most = request.workflow.budget_period, request.workflow.budget
    spent = {key for key, time in _past_dispatches(request) if not request.now - time >= period}
    if len(spent) < most:
        return ""
    return f"budget: {len(spent)} of {most} {request.verb} dispatches in {period / DAY:g} days are spent"


def check_blast_radius(request: DispatchRequest) -> str:
    return request.counter.dispatch_refusal()


def _past_dispatches(request: DispatchRequest) -> Iterator[tuple[str, float]]:
    """(key, time) of each dispatch of this verb for this model, by the registers and by the workflow runs."""
    for record in request.records:
        if record.state.is_dispatched:
            yield record.key, record.at
    for run in request.runs:
        if run.verb == request.verb:
            yield run.key, run.created_at


GUARDS: tuple[tuple[str, Guard], ...] = (
    ("past", check_firing),
    ("configured", check_configured),
    ("unobservable", check_observable),
    ("refired", check_refired),
    ("once-per-episode", check_once_per_episode),
    ("one-at-a-time", check_one_at_a_time),
    ("data-quality", check_data_quality),
    ("rollback-target", check_rollback_target),
    ("cooldown", check_cooldown),
    ("budget", check_budget),
    ("blast-radius", check_blast_radius),
)
"""In the order in which they are asked; the first that refuses is reported."""
