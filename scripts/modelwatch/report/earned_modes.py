"""What the records of automations say about their modes, as text: proposals, since people change the configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from ..model.earned_mode import AttemptOutcome, EarnedMode
from ..model.rule import Mode
from ..timeutil import format_utc
from .formatting import whole_percent
from .markdown import bullet_list, code, link, plain_line, table

Quote = Callable[[str], str]
"""How a text from outside is written."""
MODE_COLUMNS = ("Workflow", "Mode", "Record", "Proposal")
OUTCOME_TEXTS = {
    AttemptOutcome.HELPED: "helped",
    AttemptOutcome.WITHOUT_EFFECT: "without effect",
    AttemptOutcome.FAILED: "failed",
    AttemptOutcome.HARMFUL: "harmful",
    AttemptOutcome.REJECTED: "rejected",
    AttemptOutcome.UNANSWERED: "unanswered",
    AttemptOutcome.AGREED: "in which people did the same",
    AttemptOutcome.DISAGREED: "in which they did not",
    AttemptOutcome.OPEN: "open",
}
CAVEAT = (
    "An attempt counts as helpful if the alert recovered within a day after it and nothing got worse in between; "
    "the order is no proof."
)


def record_text(mode: EarnedMode) -> str:
    """``12 attempts: 10 helped, 1 failed, 1 rejected (surely at least 56 % help)``; plain text."""
    counts = dict(mode.outcomes)
    parts = [f"{counts[outcome]} {text}" for outcome, text in OUTCOME_TEXTS.items() if counts.get(outcome)]
    if not parts:
        return "nothing on record"
    if mode.refused:
        parts.append(f"{mode.refused} refused by guards")
    one, many = ("time", "times") if mode.mode is Mode.OBSERVE else ("attempt", "attempts")
    count = sum(counts.values())
    what = f"{count} {one if count == 1 else many}{' it would have acted' if mode.mode is Mode.OBSERVE else ''}"
    verb = "agree" if mode.mode is Mode.OBSERVE else "help"
    share = f" (surely at least {whole_percent(mode.low)} {verb})" if mode.counted else ""
    return f"{what}: {', '.join(parts)}{share}"


def proposal_text(mode: EarnedMode) -> str:
    """What is proposed, or why nothing is; plain text."""
    if mode.step_back is not None:
        return f"step back to {mode.step_back}: {mode.step_back_reason}"
    if mode.earned:
        return f"{mode.next_mode} is earned"
    if mode.next_mode is None:
        return "stays"
    more = f"; {mode.missing} more good in a row would earn it" if mode.missing else ""
    return f"not yet {mode.next_mode}: {', and '.join(mode.reasons)}{more}"


def mode_rows(modes: Sequence[EarnedMode], quote: Quote) -> tuple[tuple[str, ...], ...]:
    """A table with ``MODE_COLUMNS``; ``quote`` writes names."""
    return tuple(
        (quote(f"{mode.verb} of {mode.model}"), str(mode.mode), record_text(mode), proposal_text(mode))
        for mode in modes
    )


def mode_points(modes: Sequence[EarnedMode], quote: Quote) -> Iterator[str]:
    """The modes that are proposed, a sentence each; the steps back first."""
    for mode in modes:
        if mode.step_back is not None:
            name = quote(f"{mode.verb} of {mode.model}")
            yield f"**{name} should step back to {mode.step_back}:** {mode.step_back_reason}."
    for mode in modes:
        if mode.earned:
            yield f"**{quote(f'{mode.verb} of {mode.model}')} has earned mode {mode.next_mode}:** {record_text(mode)}."


def changed_modes(modes: Sequence[EarnedMode]) -> tuple[EarnedMode, ...]:
    """Those for which another mode is proposed."""
    return tuple(mode for mode in modes if mode.proposed_mode is not mode.mode)


def pull_request_title(modes: Sequence[EarnedMode]) -> str:
    changed = changed_modes(modes)
    if len(changed) == 1:
        (mode,) = changed
        return plain_line(f"Let {mode.verb} of {mode.model} {mode.proposed_mode}")
    return f"Change the modes of {len(changed)} automations"


def pull_request_body(modes: Sequence[EarnedMode], diff: str, by_hand: Sequence[str] = ()) -> str:
    """Why each mode is proposed, with its newest attempts, and the patch, as Markdown; empty where nothing is proposed.
    ``by_hand``: what the patch does not contain."""
    return "\n\n".join(_parts(changed_modes(modes), diff, by_hand))


MAX_ATTEMPTS = 10


def _parts(changed: Sequence[EarnedMode], diff: str, by_hand: Sequence[str]) -> Iterator[str]:
    if not changed:
        return
    yield "The records on the issues speak for these modes. Nothing changes unless you merge this."
    for mode in changed:
        yield f"### {code(mode.model)} {code(mode.verb)}: {mode.mode} → {mode.proposed_mode}"
        yield f"{record_text(mode)[:1].upper()}{record_text(mode)[1:]}. {_why(mode)}"
        rows = [
            (
                format_utc(attempt.at),
                code(attempt.rule),
                link(OUTCOME_TEXTS[attempt.outcome], attempt.url),
                code(attempt.by) if attempt.by else "",
            )
            for attempt in reversed(mode.attempts[-MAX_ATTEMPTS:])
        ]
        yield table(("When", "Alert", "Outcome", "By"), rows)
    yield CAVEAT
    if diff:
        fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", diff))])
        yield f"{fence}diff\n{diff.rstrip()}\n{fence}"
    if by_hand:
        yield bullet_list(by_hand)


def _why(mode: EarnedMode) -> str:
    if mode.step_back is not None:
        return f"It should step back: {mode.step_back_reason}."
    if mode.mode is Mode.OBSERVE:
        return "People do what it would have done often enough; proposals still wait for an approval."
    return "It helps often enough, and none of its newest attempts was harmful; guards still hold."
