"""Guards: what refuses a dispatch. Each is one function that gives its reason, or the empty string.

All fail closed: what is missing or unknown refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..model.alert import AlertState, Group
from ..model.plan import ObservedRun, Target
from ..model.register import IN_DOUBT, DispatchRecord, ReceiptState, Register
from ..model.watched import WorkflowSpec
from .work import Ledger, Work

ONCE = frozenset({"rollback", "degrade", "promote"})
"""One attempt per episode, and never repeated unseen: an intent that is lost is proposed to a person."""
FOUND_WITHIN = 600.0
"""Seconds: a workflow run that was dispatched is listed by then."""
TRIED = frozenset({ReceiptState.INTENDED, ReceiptState.SENT, ReceiptState.FINISHED, ReceiptState.LOST})
"""Records of attempts; a proposal is none, rejected or not."""
HAPPENED = frozenset({ReceiptState.INTENDED, ReceiptState.SENT, ReceiptState.FINISHED})
"""Records that count as dispatched: an intent may have been, a lost one was not and a proposal is none."""


@dataclass(frozen=True, slots=True)
class Request:
    """A dispatch that is asked for, with everything that may refuse it."""

    group: Group
    verb: str
    workflow: WorkflowSpec | None
    register: Register | None
    """The draft of the group's register."""
    records: tuple[DispatchRecord, ...]
    """Every dispatch of this verb that a register of this model knows of."""
    others: tuple[DispatchRecord, ...]
    """Every other dispatch that a register of this model knows of."""
    runs: tuple[ObservedRun, ...]
    """Workflow runs of this model."""
    unobservable: str
    judged: Sequence[Group]
    ledger: Ledger
    target: str
    """The version to go back to; empty where there is none."""
    now: float
    asked: str = ""
    """The person who asks for it; empty where a tier does."""
    no_target: str = ""
    """Why there is no version to go back to, where more is known than that."""


Guard = Callable[[Request], str]


def request_for(work: Work, verb: str, target: str, asked: str = "", no_target: str = "") -> Request:
    registers = [i.register for i in work.observed.issues if i.trusted and i.register is not None]
    drafted = work.register.dispatches if work.register else ()
    known = {record.key: record for register in registers for record in register.dispatches}
    known.update({record.key: record for record in drafted})
    return Request(
        group=work.group,
        verb=verb,
        workflow=work.model.workflow(verb),
        register=work.register,
        records=tuple(record for record in known.values() if record.verb == verb),
        others=tuple(record for record in known.values() if record.verb != verb),
        runs=tuple(run for run in work.runs if run.model == work.model.name),
        unobservable=work.observed.trouble(Target.DISPATCH),
        judged=work.judged,
        ledger=work.ledger,
        target=target,
        now=work.now,
        asked=asked,
        no_target=no_target,
    )


def refusal(request: Request) -> tuple[str, str]:
    """(guard, reason) of the first guard that refuses; ("", "") where none does."""
    for name, guard in GUARDS:
        reason = guard(request)
        if reason:
            return name, reason
    return "", ""


def observable(request: Request) -> str:
    """Workflow runs that cannot be listed may be under way."""
    return f"workflow runs cannot be observed: {request.unobservable}" if request.unobservable else ""


def present(request: Request) -> str:
    """What happened wholly in the past is reported, never acted on."""
    return "" if request.group.state is AlertState.FIRING else "it does not fire any more"


def configured(request: Request) -> str:
    workflow = request.workflow
    if workflow is None:
        return f"no workflow {request.verb!r} is configured for this model"
    if not workflow.file and not workflow.event_type:
        return f"workflow {request.verb!r} names neither a file nor an event type"
    return "" if request.register is not None else "there is no issue to write the intent to"


def refired(request: Request) -> str:
    """A group that fires again within 24 h of closing reopens its episode without new attempts."""
    register = request.register
    again = register is not None and (register.refired is not None or register.reopened is not None)
    tried = register is not None and any(r.verb == request.verb and r.state in TRIED for r in register.dispatches)
    if request.asked:
        return ""
    return "it was tried in this episode, which fired again: no new attempt" if again and tried else ""


def once_per_episode(request: Request) -> str:
    if request.verb not in ONCE or request.register is None or request.asked:
        return ""
    tried = any(r.verb == request.verb and r.state in TRIED for r in request.register.dispatches)
    return f"one {request.verb} per episode, and it was tried" if tried else ""


def rollback_target(request: Request) -> str:
    """To a version that was healthy under the same rules, and is not what just failed."""
    if request.verb != "rollback":
        return ""
    if not request.target:
        return request.no_target or "no earlier version is known to have been healthy under the same rules"
    return f"{request.target} is what just failed" if request.target == request.group.evidence.version else ""


def data_quality(request: Request) -> str:
    """Bad data makes bad models: a firing data-quality group of the same model blocks retraining, muted or not."""
    if request.verb != "retrain":
        return ""
    firing = [g.rule for g in request.judged if g.kind == "data-quality" and g.state is AlertState.FIRING]
    verb = "fires" if len(firing) == 1 else "fire"
    return f"{IN_DOUBT} {', '.join(firing)} {verb}" if firing else ""


def one_at_a_time(request: Request) -> str:
    for verb in _exclusive(request.verb):
        run = next((r for r in request.runs if r.verb == verb and r.status != "completed"), None)
        if run is not None:
            return f"a {verb} of this model is under way: {run.url or run.id}"
        records = request.records if verb == request.verb else request.others
        if any(record.verb == verb and _in_flight(record, request) for record in records):
            return f"a {verb} of this model may be under way: its workflow run may not be listed yet"
        if any(d.verb == verb and d.model == request.group.model for d in request.ledger.dispatches):
            return f"a {verb} of this model is dispatched by this same plan"
    return ""


def _in_flight(record: DispatchRecord, request: Request) -> bool:
    if record.state not in (ReceiptState.INTENDED, ReceiptState.SENT):
        return False
    listed = any(run.key == record.key for run in request.runs)
    return not listed and not request.now - record.at >= FOUND_WITHIN


def _exclusive(verb: str) -> tuple[str, ...]:
    return (verb, "rollback") if verb == "retrain" else (verb,)


def cooldown(request: Request) -> str:
    if request.workflow is None:
        return "its cooldown is unknown"
    if request.asked and request.verb in ONCE:
        return ""  # A person who goes back a second time has seen the first.
    length = request.workflow.cooldown
    for _, time in _dispatched(request):
        if not request.now - time >= length:
            left = (length - (request.now - time)) / 3600
            ago = f"less than {length / 3600:g} h ago ({left:.1f} h left)"
            return f"cooldown: the last {request.verb} of this model was {ago}"
    return ""


def budget(request: Request) -> str:
    if request.workflow is None:
        return "its budget is unknown"
    period, most = request.workflow.budget_period, request.workflow.budget
    spent = {key for key, time in _dispatched(request) if not request.now - time >= period}
    if len(spent) < most:
        return ""
    return f"budget: {len(spent)} of {most} {request.verb} dispatches in {period / 86400:g} days are spent"


def blast_radius(request: Request) -> str:
    return request.ledger.refuses_dispatch()


def _dispatched(request: Request) -> Iterator[tuple[str, float]]:
    """(key, time) of each dispatch of this verb for this model, by the registers and by the workflow runs."""
    for record in request.records:
        if record.state in HAPPENED:
            yield record.key, record.at
    for run in request.runs:
        if run.verb == request.verb:
            yield run.key, run.created_at


GUARDS: tuple[tuple[str, Guard], ...] = (
    ("past", present),
    ("configured", configured),
    ("unobservable", observable),
    ("refired", refired),
    ("once-per-episode", once_per_episode),
    ("one-at-a-time", one_at_a_time),
    ("data-quality", data_quality),
    ("rollback-target", rollback_target),
    ("cooldown", cooldown),
    ("budget", budget),
    ("blast-radius", blast_radius),
)
"""In the order in which they are asked; the first that refuses is told."""
