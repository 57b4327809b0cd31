"""What the record of each automation says about its mode: has it earned the next one, or should it step back.

The record is that of the issues: what was proposed, approved, rejected and started, how it ended, and what happened
after it. In mode ``observe`` nothing is proposed, so there the record is what people did when the automation would have
acted. Everything here is a proposal: nothing changes a mode.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from ..model.backtest import Marks
from ..model.earned_mode import AttemptOutcome, AutomationAttempt, EarnedMode, EarnedModeRule
from ..model.ledger import EntryKind, LedgerEntry, find_setback
from ..model.monitored_model import Config, Model
from ..model.register import ESCALATED, DispatchRecord, DispatchState
from ..model.rule import Mode
from ..model.scorecard import AlertWorkflow, EpisodeRecord, LedgerAlert
from ..report.formatting import whole_percent
from ..stats.intervals import binomial_bounds
from ..targets.past_episodes import EFFECT_WITHIN
from .alerts import NO_MARKS, is_act_of_person, ledger_alert

STATED_RULE = EarnedModeRule()
NEXT = {Mode.OBSERVE: Mode.PROPOSE, Mode.PROPOSE: Mode.ACT}
BEFORE = {Mode.ACT: Mode.PROPOSE, Mode.PROPOSE: Mode.OBSERVE}
ATTEMPT_OUTCOMES = frozenset(
    (
        AttemptOutcome.HELPED,
        AttemptOutcome.WITHOUT_EFFECT,
        AttemptOutcome.FAILED,
        AttemptOutcome.HARMFUL,
        AttemptOutcome.REJECTED,
    )
)
"""Those that say something about an automation that proposes or acts."""
OBSERVED_OUTCOMES = frozenset((AttemptOutcome.AGREED, AttemptOutcome.DISAGREED))
MAX_MISSING = 1_000
REFUSED = ", refused"


def judge_modes(
    config: Config,
    records: Sequence[EpisodeRecord],
    now: float,
    marks: Marks = NO_MARKS,
    needed: EarnedModeRule = STATED_RULE,
    unread: Collection[str] = (),
) -> tuple[EarnedMode, ...]:
    """One verdict for each workflow of each model, in the order of the configuration; ``now`` in seconds (UTC). Of
    models in ``unread``, whose issues could not be read, nothing is known."""
    recent = [record for record in records if record.register.start >= now - needed.memory]
    found = []
    for model in (model for model in config.models if model.name not in unread):
        own = [(record, ledger_alert(record, marks)) for record in recent if record.register.model == model.name]
        for workflow in model.workflows:
            if workflow.mode is Mode.OBSERVE:
                attempts = list(_observed_attempts(model, workflow.name, own))
            else:
                attempts = [
                    attempt for record, alert in own for attempt in _attempts(record, alert, workflow.name, now)
                ]
            attempts.sort(key=lambda attempt: attempt.at)
            refused = sum(_count_refused(record.entries, workflow.name) for record, _ in own)
            found.append(judge_attempts(model.name, workflow.name, workflow.mode, attempts, needed, refused))
    return tuple(found)


def judge_attempts(
    model: str,
    verb: str,
    mode: Mode,
    attempts: Sequence[AutomationAttempt],
    rule: EarnedModeRule,
    refused: int = 0,
) -> EarnedMode:
    """The verdict on one automation; ``attempts`` oldest first."""
    outcomes = [attempt.outcome for attempt in attempts]
    if mode is Mode.OBSERVE:
        counted = [outcome for outcome in outcomes if outcome in OBSERVED_OUTCOMES]
        good = counted.count(AttemptOutcome.AGREED)
    else:
        counted = [outcome for outcome in outcomes if outcome in ATTEMPT_OUTCOMES]
        good = counted.count(AttemptOutcome.HELPED)
    low, high = binomial_bounds(good, len(counted), rule.confidence)
    harmful = counted[-rule.harmless :].count(AttemptOutcome.HARMFUL)
    reasons = tuple(_reasons(mode, counted, rule)) if mode in NEXT else ()
    earned = mode in NEXT and not reasons
    back = _step_back_reason(mode, counted, rule)
    return EarnedMode(
        model=model,
        verb=verb,
        mode=mode,
        next_mode=NEXT.get(mode),
        earned=earned and not back,
        counted=len(counted),
        good=good,
        low=low,
        high=high,
        harmful=harmful,
        missing=_missing(mode, counted, rule) if reasons else 0,
        reasons=reasons,
        step_back=BEFORE[mode] if back else None,
        step_back_reason=back,
        outcomes=tuple(sorted(Counter(outcomes).items())),
        refused=refused,
        attempts=tuple(attempts),
    )


def _reasons(mode: Mode, counted: Sequence[AttemptOutcome], rule: EarnedModeRule) -> Iterator[str]:
    """Why the next mode is not earned."""
    is_observed = mode is Mode.OBSERVE
    least, share = (rule.observed, rule.agreed) if is_observed else (rule.attempts, rule.helped)
    good = counted.count(AttemptOutcome.AGREED if is_observed else AttemptOutcome.HELPED)
    if len(counted) < least:
        found = f"would have acted {len(counted)} times" if is_observed else f"has {len(counted)} known outcomes"
        yield f"it {found}, of {least} that are needed"
    low, _ = binomial_bounds(good, len(counted), rule.confidence)
    if counted and low < share:
        said = f"people did the same in {good} of {len(counted)}" if is_observed else f"{good} of {len(counted)} helped"
        yield f"{said} (surely at least {whole_percent(low)}, and {whole_percent(share)} are needed)"
    harmful = counted[-rule.harmless :].count(AttemptOutcome.HARMFUL)
    if harmful:
        were = "was" if harmful == 1 else "were"
        yield f"{harmful} of the newest {min(rule.harmless, len(counted))} attempts {were} harmful"


def _missing(mode: Mode, counted: Sequence[AttemptOutcome], rule: EarnedModeRule) -> int:
    """How many further good ones in a row would earn the next mode."""
    good = AttemptOutcome.AGREED if mode is Mode.OBSERVE else AttemptOutcome.HELPED
    low, high = 0, MAX_MISSING
    while high - low > 1:
        middle = (low + high) // 2
        is_enough = not any(_reasons(mode, [*counted, *[good] * middle], rule))
        low, high = (low, middle) if is_enough else (middle, high)
    return high


def _step_back_reason(mode: Mode, counted: Sequence[AttemptOutcome], rule: EarnedModeRule) -> str:
    """Why the automation should go back to the mode before; empty where it should not."""
    if mode not in BEFORE:
        return ""
    harmful = counted[-rule.harmless :].count(AttemptOutcome.HARMFUL)
    if mode is Mode.ACT and harmful >= rule.harmful:
        return f"{harmful} of the newest {min(rule.harmless, len(counted))} attempts were harmful"
    newest = counted[-rule.recent :]
    good = newest.count(AttemptOutcome.HELPED)
    _, high = binomial_bounds(good, len(newest), rule.confidence)
    least = rule.helped if mode is Mode.ACT else rule.agreed
    if high >= least:
        return ""
    share = f"surely at most {whole_percent(high)}, and {whole_percent(least)} are needed"
    return f"{good} of the newest {len(newest)} attempts helped ({share})"


def _attempts(record: EpisodeRecord, alert: LedgerAlert, verb: str, now: float) -> Iterator[AutomationAttempt]:
    """The dispatches and proposals of one alert."""
    workflows = {workflow.key: workflow for workflow in alert.workflows}
    for dispatch in record.register.dispatches:
        if dispatch.verb == verb:
            outcome = _outcome(record, alert, dispatch, workflows[dispatch.key], now)
            url = dispatch.url or record.url
            yield AutomationAttempt(dispatch.at, record.register.rule, outcome, dispatch.by, url)


def _outcome(
    record: EpisodeRecord, alert: LedgerAlert, dispatch: DispatchRecord, workflow: AlertWorkflow, now: float
) -> AttemptOutcome:
    match dispatch.state:
        case DispatchState.REJECTED:
            return AttemptOutcome.REJECTED
        case DispatchState.PROPOSED:
            return AttemptOutcome.OPEN if alert.is_open else AttemptOutcome.UNANSWERED
        case DispatchState.LOST:
            return AttemptOutcome.FAILED
        case DispatchState.INTENDED | DispatchState.SENT:
            return AttemptOutcome.OPEN
    if not workflow.succeeded:
        return AttemptOutcome.FAILED
    setback = _find_setback(record, dispatch, now if alert.recovered is None else alert.recovered)
    if setback is not None and setback.what.startswith("worse"):
        return AttemptOutcome.HARMFUL
    if alert.false_reason or setback is not None or dispatch.settled == ESCALATED:
        return AttemptOutcome.WITHOUT_EFFECT
    if alert.is_open:
        return AttemptOutcome.OPEN
    return AttemptOutcome.HELPED if workflow.helped else AttemptOutcome.WITHOUT_EFFECT


def _find_setback(record: EpisodeRecord, dispatch: DispatchRecord, end: float) -> LedgerEntry | None:
    """What got worse within a day after a success, or was escalated."""
    if dispatch.ended is None:
        return None
    success = LedgerEntry("", dispatch.ended, EntryKind.DISPATCH, "", "")
    return find_setback(record.entries, success, min(end, dispatch.ended + EFFECT_WITHIN))


def _observed_attempts(
    model: Model, verb: str, own: Iterable[tuple[EpisodeRecord, LedgerAlert]]
) -> Iterator[AutomationAttempt]:
    """Each alert in which the automation would have acted, and whether a person did the same."""
    for record, alert in own:
        if not _would_have_acted(model, verb, record):
            continue
        act = next((entry for entry in record.entries if _is_same_act(entry, verb)), None)
        outcome = AttemptOutcome.OPEN if alert.is_open else AttemptOutcome.DISAGREED
        if alert.false_reason:
            outcome = AttemptOutcome.DISAGREED
        elif act is not None:
            outcome = AttemptOutcome.AGREED
        by = act.who if act is not None else ""
        yield AutomationAttempt(record.register.start, record.register.rule, outcome, by, record.url)


def _would_have_acted(model: Model, verb: str, record: EpisodeRecord) -> bool:
    """Whether a tier that held, as far as the ledger says, starts the workflow."""
    rule = next((rule for rule in model.rules if rule.name == record.register.rule), None)
    if rule is None:
        return False
    texts = (entry.what for entry in record.entries if entry.kind in (EntryKind.FINDING, EntryKind.ISSUE))
    held = {str(record.register.peak), *(text.rpartition(" ")[2] for text in texts)}
    return any(verb in tier.do and str(tier.severity) in held for tier in rule.tiers)


def _is_same_act(entry: LedgerEntry, verb: str) -> bool:
    """Whether a person did, or wanted to do, what the automation does: a move of the release, a workflow run, or a
    command that was refused because of the mode."""
    if entry.kind is EntryKind.COMMAND:
        return entry.what in (f"command {verb}", f"command {verb}{REFUSED}")
    if entry.kind is EntryKind.MOVE:
        return is_act_of_person(entry) and entry.what.startswith(f"move {verb}:")
    return entry.kind is EntryKind.DISPATCH and is_act_of_person(entry) and entry.what.startswith(f"{verb} ")


def _count_refused(entries: Iterable[LedgerEntry], verb: str) -> int:
    """Commands for the workflow that a guard refused."""
    commands = (entry for entry in entries if entry.kind is EntryKind.COMMAND and entry.what.endswith(REFUSED))
    return sum(entry.what == f"command {verb}{REFUSED}" or f"{verb}." in entry.why for entry in commands)
