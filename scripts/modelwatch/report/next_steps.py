"""The next step after an alert, and how to silence it.

Issue, page, ``diagnose`` and runbook ask here, so that they advise the same. A step is offered only if the code that
carries it out would accept it: the plan writes into the evidence what would be refused.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..model.acknowledgement import CLOSING, mute_text, person_mute
from ..model.alert import (
    AlertState,
    Group,
    Refusal,
)
from ..model.monitored_model import Model
from ..model.register import DATA_IN_DOUBT_PREFIX, ESCALATED, DispatchRecord, DispatchState, Register
from ..model.release import RECOVERY_VERBS, MoveState
from ..model.rule import Mode
from ..model.series import StartOrigin
from ..timeutil import DAY, HOUR
from .alert_phrase import WITHIN_LIMITS_TEXT, is_recovery_unproven, proof_text, recovery_streak
from .dispatch_command import MAX_COMMAND, code_block, dispatch_command
from .explanation import Quote
from .formatting import utc_time
from .kind_steps import kind_steps
from .markdown import code, known_word, link, plain_line, safe_url
from .move_effect import is_stuck, last_watched_dispatch, recovery_deadline, runbook_url, unmoved_version
from .rollback_choice import RollbackChoice, is_fixed_by_rollback

HEADING, WAIT = "### Next step\n\n", "Wait:"
DEFAULT_SETTLE = 2 * HOUR
"""How long (seconds) to wait for the effect of a move that no workflow made."""
LAST_RESORT = "Check the worst segments, then the latest deployment."
"""The step where nothing else is known, and no runbook is."""


@dataclass(frozen=True, slots=True)
class Medium:
    """How a step is written: as Markdown on the issue, or as plain text elsewhere."""

    quote: Quote
    bold: Callable[[str], str]
    link: Callable[[str, str], str]
    """Of a text and a URL, which can be empty."""
    issue: str
    """How it names the issue."""
    is_markdown: bool = False


def _markdown_link(text: str, url: str) -> str:
    return link(text, url) if url else text


def _plain_link(text: str, url: str) -> str:
    return f"{text}: {url}" if safe_url(url) else text


MARKDOWN = Medium(code, lambda text: f"**{text}**", _markdown_link, "this issue", is_markdown=True)


@dataclass(frozen=True, slots=True)
class _Alert:
    """What a step depends on; ``register`` is ``None`` where no issue is known."""

    group: Group
    register: Register | None
    model: Model | None
    now: float
    medium: Medium

    @property
    def dispatches(self) -> tuple[DispatchRecord, ...]:
        return self.register.dispatches if self.register else ()

    def refusal(self, verb: str) -> Refusal | None:
        return next((one for one in self.group.evidence.refusals if one.verb == verb), None)

    def dispatch_name(self, record: DispatchRecord) -> str:
        return f"the {known_word(record.verb)}{target_clause(record, self.medium.quote)}"


def next_steps(group: Group, register: Register, model: Model | None, now: float) -> str:
    """The one thing to do next, then what else waits for a decision, and the runbook; one sentence where there is
    nothing to do."""
    if register.closed is not None:
        return f"{HEADING}Nothing: the metric has recovered."
    if group.state is not AlertState.FIRING:
        need = required_healthy_evaluations(group, register)
        proof = f"{need} {proof_text(group)}" if need > 1 else f"one {proof_text(group, 1)}"
        return f"{HEADING}Nothing for now: the issue closes automatically after {proof}."
    alert = _Alert(group, register, model, now, MARKDOWN)
    if closed := _closed_step(alert):
        return HEADING + closed
    first = _steps(alert)[0]
    lead = "If that does not help," if first.startswith(WAIT) else "Then"
    others = [step for step in (*_decision_steps(alert), *_runbook_steps(alert)) if step != first]
    return HEADING + "\n\n".join((first, *(f"{lead} {step[0].lower()}{step[1:]}" for step in others)))


def first_step(
    group: Group, register: Register | None, model: Model | None, now: float, issue_text: str = "the GitHub issue"
) -> str:
    """The next step of a group that fires as plain text, for a lock screen."""
    return _steps(_Alert(group, register, model, now, Medium(plain_line, plain_line, _plain_link, issue_text)))[0]


def step_digest(group: Group, register: Register, model: Model | None, now: float) -> str:
    """Identity of the next step on the issue, whatever addresses become known and times run down."""
    if group.state is not AlertState.FIRING:
        return "none"
    text = re.sub(r":? https?://\S+|[\d.]+ h left", "", first_step(group, register, model, now)).rstrip(".")
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _steps(alert: _Alert) -> list[str]:
    """Every step, the most useful one first; at least one.

    A retraining takes long and may not help: it hides no rollback.
    """
    if closed := _closed_step(alert):
        return [closed]
    records = [record for record in alert.dispatches if _still_matters(alert, record)]
    urgent = [record for record in records if _is_urgent(alert, record)]
    calm = [record for record in records if record not in urgent]
    followers = alert.register.firing_followers if alert.register else ()
    return [
        *_recovery_steps(alert),
        *_action_steps(alert, urgent, calm),
        *_data_steps(alert),
        *_cause_steps(alert),
        *kind_steps(alert.group, alert.model, followers, alert.medium.quote),
        *_rollback_steps(alert),
        *_dispatch_steps(alert, calm),
        *_runbook_steps(alert),
    ] or [LAST_RESORT]


def _still_matters(alert: _Alert, record: DispatchRecord) -> bool:
    """Whether it waits, is under way, or is the newest of its kind; of those that move a release the newest of all,
    since another version serves after it."""
    if record.state is DispatchState.PROPOSED or record.state.is_open:
        return True
    if record.verb in RECOVERY_VERBS and record.ended is not None and alert.register is not None:
        return record == last_watched_dispatch(alert.register)
    newest = {other.verb: other.key for other in alert.dispatches}
    return newest[record.verb] == record.key


def _is_urgent(alert: _Alert, record: DispatchRecord) -> bool:
    if record.state is DispatchState.PROPOSED:
        return alert.refusal(record.verb) is None
    return record.verb in RECOVERY_VERBS and record.state is not DispatchState.LOST


def _action_steps(alert: _Alert, urgent: Sequence[DispatchRecord], calm: Sequence[DispatchRecord]) -> list[str]:
    """About what was done or waits for a decision, the newest first. A retraining counts only after a move, for whose
    effect one waits anyway."""
    steps = [(_action_time(record), step) for record in urgent for step in _dispatch_steps(alert, (record,))]
    waits = [*_move_steps(alert), *_settling_steps(alert)]
    if waits or any(record.ended is not None for record in urgent):
        trainings = [record for record in calm if record.state.is_open]
        steps += [(record.at, step) for record in trainings for step in _dispatch_steps(alert, (record,))]
    return [step for _, step in sorted((*steps, *waits), key=lambda pair: -pair[0])]


def _action_time(record: DispatchRecord) -> float:
    return record.at if record.ended is None else record.ended


def _decision_steps(alert: _Alert) -> Iterator[str]:
    """The proposals that somebody has to decide about."""
    for record in alert.dispatches:
        if record.state is DispatchState.PROPOSED and alert.refusal(record.verb) is None:
            yield _proposal_step(alert, record)


def _runbook_steps(alert: _Alert) -> Iterator[str]:
    if safe_url(url := runbook_url(alert.group, alert.register, alert.model)):
        name = urlsplit(url).path.rpartition("/")[2].removesuffix(".md") or alert.group.kind
        yield f"Follow the runbook: {f'{link(code(name), url)}.' if alert.medium.is_markdown else url}"


def _closed_step(alert: _Alert) -> str:
    """That a person closed the issue and so muted the alert: comments on it are not read. Empty otherwise."""
    register, severity = alert.register, alert.group.severity
    if register is None or not (register.muted_until_recovery or register.ack_by == CLOSING):
        return ""
    mute = person_mute(register, severity or register.severity, alert.now)
    if mute is None:
        return ""
    return f"Nothing for now: {alert.medium.quote(mute_text(mute))}. To go on, reopen {alert.medium.issue}."


def approval_instruction(model: Model | None) -> str:
    """What comes before the command that answers a proposal: ``comment``, and what is missing where nobody may."""
    if model is None or model.github.people:
        return "comment"
    return "add who may approve it to `github.people` in the configuration (nobody so far), then comment"


def _dispatch_steps(alert: _Alert, records: Iterable[DispatchRecord]) -> Iterator[str]:
    for record in records:
        match record.state:
            case DispatchState.PROPOSED:
                yield _proposal_step(alert, record)
            case DispatchState.FINISHED:
                yield from filter(None, (_ended_step(alert, record),))
            case DispatchState.INTENDED | DispatchState.SENT:
                yield _stuck_step(alert, record) or _watching_step(alert, record)
            case DispatchState.LOST:
                yield from _lost_steps(alert, record)


def _proposal_step(alert: _Alert, record: DispatchRecord) -> str:
    medium, model, refusal = alert.medium, alert.model, alert.refusal(record.verb)
    name = f"the proposed {medium.bold(known_word(record.verb))}{target_clause(record, medium.quote)}"
    if refusal is not None:
        return f"{name[0].upper()}{name[1:]} cannot start now: {medium.quote(refusal.reason)}."
    command = dispatch_command(alert.register, record, model) if alert.register else ""
    if model is not None and not model.github.people and command:
        step = f"Start {name} yourself, since `github.people` names nobody who may approve it:"
        return f"{step}\n\n{code_block(command)}" if medium.is_markdown else f"{step} {code(command, MAX_COMMAND)}"
    approve, comment = code(f"/modelwatch approve {plain_line(record.name, 80)}"), approval_instruction(model)
    if not medium.is_markdown:
        return f"Decide on {name}: {comment} {approve} (or `reject`) on {medium.issue}."
    step = f"Decide on {name}: {comment} {approve} or {code(f'/modelwatch reject {record.name}')}."
    return f"{step} Or start it yourself:\n\n{code_block(command)}" if command else step


def _watching_step(alert: _Alert, record: DispatchRecord) -> str:
    run = alert.medium.link("workflow run", record.url)
    end = "." if alert.medium.is_markdown or not safe_url(record.url) else ""  # none after a URL
    return f"Watch the {alert.medium.bold(known_word(record.verb))} {run}{end}"


def _stuck_step(alert: _Alert, record: DispatchRecord) -> str:
    """About a workflow run that should have ended by now; empty where there is none."""
    if not is_stuck(record, alert.now):
        return ""
    return (
        f"Find out why {alert.dispatch_name(record)} has not ended since {utc_time(record.at)}; it may wait for a "
        f"runner or for an approval, see {alert.medium.link('its log', record.url)}"
    )


def _lost_steps(alert: _Alert, record: DispatchRecord) -> Iterator[str]:
    """A dispatch of which GitHub shows no workflow run, where nothing repeats it."""
    command = _comment_command(alert, record.verb, record.target_version)
    if command and record.by:
        yield f"Ask again for {alert.dispatch_name(record)}, which never started: {command}."


def _ended_step(alert: _Alert, record: DispatchRecord) -> str:
    """About the newest workflow run of a verb that failed, or that succeeded and did not help; empty for others."""
    name, model, medium = alert.dispatch_name(record), alert.model, alert.medium
    workflow = model.workflow(record.verb) if model else None
    if record.conclusion not in ("success", ""):
        log = f"; see {medium.link('its log', record.url)}" if safe_url(record.url) else ""
        by_hand = ""
        if record.verb == "rollback" and (command := _release_command(alert, record.target_version)):
            by_hand = f" Or move by hand: {medium.quote(command)}."
        return f"Find out why {name} failed ({known_word(record.conclusion)}){log}.{by_hand}"
    if record.verb in RECOVERY_VERBS and record.settled == ESCALATED:
        if record.verb == "degrade":
            restore = code("modelwatch release restore")
            how = f", or end it with {restore}" if model is not None and model.release is not None else ""
            return f"Ask the owner whether the fallback shall go on serving{how}: {name} did not bring the metric back."
        return _ineffective_step(alert, record) or (
            f"Look for a cause outside the release: {name} succeeded, and the metric has not recovered."
        )
    if record.verb != "retrain" or workflow is None or record.ended is None:
        return ""
    if alert.now - record.ended <= workflow.settle:
        return ""
    return (
        f"Check whether the model of {name} serves: it ended at {utc_time(record.ended)}, and the metric has not "
        "recovered."
    )


def _ineffective_step(alert: _Alert, record: DispatchRecord) -> str:
    """About a move that succeeded, and after which another version than its target serves; empty where the target does,
    or nothing says what serves."""
    serving = unmoved_version(alert.group, record)
    if serving is None or record.ended is None:
        return ""
    quote = alert.medium.quote
    moved = f"{alert.dispatch_name(record)} succeeded at {utc_time(record.ended)}"
    if not serving:
        return f"Find out which version serves: {moved}, and no point of {quote(record.target_version)} has come yet."
    command = _comment_command(alert, record.verb, record.target_version) if record.verb == "rollback" else ""
    again = f" To start it again, {command}." if command else ""
    if serving != record.version:
        return f"Find out why {quote(serving)} serves: {moved}, and points come from {quote(serving)} now.{again}"
    is_mixed = any(service.version == record.target_version for service in alert.group.evidence.health[:1])
    still = f"points still come from {quote(serving)}, so it did not take effect{' everywhere' if is_mixed else ''}"
    return f"Find out why {quote(serving)} still serves: {moved}, but {still}.{again}"


def required_healthy_evaluations(group: Group, register: Register | None) -> int:
    """How many healthy evaluations in a row prove recovery."""
    return group.hold * (2 if register and register.reopened else 1)


def _recovery_steps(alert: _Alert) -> Iterator[str]:
    group, register = alert.group, alert.register
    healthy = recovery_streak(group)
    left = required_healthy_evaluations(group, register) - healthy
    if healthy and left > 0:
        more = f"{left if left > 1 else 'one'} more {proof_text(group, left)}"
        after = "this closes automatically"
        if register is None:  # there is no issue to close
            after = "the alert is over"
        elif register.flap is not None:
            after = "the alert stops firing; as it flaps, this closes later"
        yield f"{WAIT} {more}, and {after}."


def _move_steps(alert: _Alert) -> Iterator[tuple[float, str]]:
    """About a move of the release that no workflow of the issue made: what serves now has to be judged first."""
    move = alert.group.evidence.move
    if move is None or any(record.key == move.key for record in alert.dispatches):
        return
    workflow = alert.model.workflow(move.verb) if alert.model else None
    is_late = alert.now - move.at >= (workflow.settle if workflow else DEFAULT_SETTLE)
    if is_late and not is_recovery_unproven(alert.group, alert.model):
        return
    verb, to = known_word(move.verb), f" to {alert.medium.quote(move.destination)}" if move.destination else ""
    if move.state != MoveState.DONE:
        status = code("modelwatch release status")
        yield move.at, f"Check the {verb}{to} of {utc_time(move.at)}, which is {known_word(move.state)}: {status}."
    else:
        effect = "the next windows show whether it helped"
        effect = f"recovering, not yet proven: {WITHIN_LIMITS_TEXT}" if is_late else effect
        yield move.at, f"{WAIT} the {verb}{to} was made at {utc_time(move.at)}; {effect}."


def _settling_steps(alert: _Alert) -> Iterator[tuple[float, str]]:
    """Wait after a workflow that should fix the metric has succeeded: the next windows show whether it did."""
    if alert.register is None:
        return
    record = last_watched_dispatch(alert.register)
    until = recovery_deadline(alert.register, alert.model, alert.now)
    if record is not None and record.ended is not None and until is not None:
        name = alert.dispatch_name(record)
        paging = paging_sentence(until, muted=is_muted(alert.group, alert.register, alert.now))
        yield record.ended, f"{WAIT} {name} succeeded at {utc_time(record.ended)}. {paging}"
    elif record is not None and record.ended is not None and _is_unproven(alert, record):
        name = alert.dispatch_name(record)
        ended = utc_time(record.ended)
        yield record.ended, f"{WAIT} {name} succeeded at {ended}; recovering, not yet proven: {WITHIN_LIMITS_TEXT}."


def _is_unproven(alert: _Alert, record: DispatchRecord) -> bool:
    """Whether the time for the workflow's effect is over, and only the proof of it is missing."""
    succeeded = record.conclusion == "success" and not record.settled
    return succeeded and is_recovery_unproven(alert.group, alert.model)


def _data_steps(alert: _Alert) -> Iterator[str]:
    troubles = alert.register.troubles if alert.register else ()
    if alert.group.kind != "data-quality" and any(DATA_IN_DOUBT_PREFIX in text for text in troubles):
        yield "Fix the data first: a data-quality alert of this model is firing, and retraining waits for it."


def target_clause(record: DispatchRecord, quote: Quote) -> str:
    """`` to v6``, of a dispatch that moves to a version."""
    return f" to {quote(record.target_version)}" if record.target_version else ""


def paging_sentence(until: float, *, muted: bool) -> str:
    if muted:
        return f"Look again at {utc_time(until)}: the alert is muted, so nobody is paged if it has not recovered."
    return f"If the metric has not recovered by {utc_time(until)}, the on-call is paged again."


def is_muted(group: Group | None, register: Register, now: float) -> bool:
    """Whether nobody is notified of the firing group, by the configuration, another alert or a person."""
    severity = group.severity if group else None
    muted_by_rule = group is not None and bool(group.mutes)
    return muted_by_rule or person_mute(register, severity or register.severity, now) is not None


def _rollback_steps(alert: _Alert) -> Iterator[str]:
    """Roll back, where the alert began with a version and the previous one was healthy."""
    group, quote = alert.group, alert.medium.quote
    tried = any(record.verb == "rollback" for record in alert.dispatches)
    if alert.model is None or tried or not is_fixed_by_rollback(group):
        return
    if not began_with_version(group, alert.register):
        return
    ranked = group.evidence.rollback
    target = RollbackChoice(ranked).target if ranked else group.evidence.previous[0]
    command = _comment_command(alert, "rollback", target)
    if not command and (by_hand := _release_command(alert, target)):
        command = code(by_hand)
    if command:
        version = quote(group.evidence.version)
        yield f"If {version} is the cause, roll back to {quote(target)}, which was healthy: {command}."


def _comment_command(alert: _Alert, verb: str, target: str) -> str:
    """The instruction to start a workflow by a comment; empty where that would be refused."""
    workflow = alert.model.workflow(verb) if alert.model else None
    if alert.register is None or alert.model is None or workflow is None or workflow.mode is Mode.OBSERVE:
        return ""
    if not alert.model.github.people or alert.refusal(verb) is not None or (verb == "rollback" and not target):
        return ""
    return f"comment {code(f'/modelwatch {verb} {target}'.rstrip())} on {alert.medium.issue}"


def _release_command(alert: _Alert, target: str) -> str:
    """The command that rolls back without a workflow; empty where it would be refused."""
    refusal, ranked = alert.refusal("rollback"), alert.group.evidence.rollback
    objections = [one.objection for one in ranked if one.version == target and one.objection]
    if alert.model is None or alert.model.release is None or not target or objections:
        return ""
    if refusal is not None and refusal.guard == "rollback-target":
        return ""
    words = ["modelwatch", "release", "rollback", plain_line(target), "--model", alert.model.name, "--reason", "..."]
    return shlex.join(words)


def began_with_version(group: Group, register: Register | None) -> bool:
    """Whether the alert began within a day of a deployment, not clearly before it, and an earlier version was
    healthy."""
    why, deployed = group.evidence.why, group.evidence.version_since
    latest = why.since_range[1] if why and why.since_range and not why.version else None
    if latest is not None and deployed is not None and latest < deployed:
        return False
    return bool(group.evidence.previous) and not group.built_in and version_lead(group, register) is not None


def version_lead(group: Group, register: Register | None) -> float | None:
    """Seconds from the deployment of the version that serves to the beginning of the alert, if at most a day."""
    evidence, start = group.evidence, register.start if register else group.start
    start = evidence.gradual.since if evidence.gradual else start
    if evidence.version_since is None or evidence.version_origin is StartOrigin.EDGE or start is None:
        return None
    lead = start - evidence.version_since
    return lead if 0 <= lead <= DAY else None


def _cause_steps(alert: _Alert) -> Iterator[str]:
    """What the alerts that share the cause say of it: data first, since no version and no retraining fixes it."""
    if alert.register is None:
        return
    if alert.register.leading_issue:
        yield f"Work on the issue that leads: {plain_line(alert.register.leading_issue, 300)}."
    broken = next((record for record in alert.register.firing_followers if record.kind == "data-quality"), None)
    if broken is not None and alert.group.kind != "data-quality":
        yield f"Fix the data first: {alert.medium.quote(broken.rule)} fires, too. Until then retraining is blocked."


SILENCING_HELP = """<details><summary>How to silence or acknowledge</summary>

- Comment `/modelwatch silence 24h <reason>`, `ack` or `false-positive` (people in `github.people`).
  The next evaluation answers, or at once a workflow that starts on comments (`modelwatch-commands.yml`).
- Close this issue to acknowledge it for 24 h, or until it gets worse.
- Close it as *not planned* to silence it until it recovers or gets worse (the same people, or the owner).
- For longer, add an entry under `silences:` in the configuration, with `until`, `owner` and `reason`.

</details>"""
