"""What people read: the issue, its title and comment, the summary of the page, and lines for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from ..timeutil import format_utc
from .condition import ConditionResult, State
from .memory import MAX_UNKNOWN, Memory, encode_memory

TITLES = {
    "evaluations": "evaluations have stopped",
    "schedule": "the schedule is off",
    "deliveries": "pages or issues are not delivered",
    "wandb-data": "W&B gets no new data",
    "dashboard": "the dashboard is stale",
    "token-expiry": "a token expires, or is refused",
    "rate-limits": "a rate limit is nearly used up",
    "pinned-actions": "the actions are outdated",
    "drill": "nobody rehearses",
}
URGENT = frozenset({"evaluations", "schedule", "deliveries", "wandb-data"})
"""Conditions without which nobody notices a model that gets worse; the others can wait for the morning."""
MAX_TITLE = 200


def worst_state(results: Sequence[ConditionResult]) -> State:
    states = {result.state for result in results}
    return next((state for state in (State.BROKEN, State.UNKNOWN) if state in states), State.OK)


def in_state(results: Sequence[ConditionResult], state: State) -> list[ConditionResult]:
    return [result for result in results if result.state is state]


def headline(results: Sequence[ConditionResult]) -> str:
    """``evaluations have stopped, and 1 more``; what the title of the issue and the page say."""
    state = worst_state(results)
    if state is State.OK:
        return "every check is ok"
    worst = in_state(results, state)
    first = _title(worst[0])
    return f"{first}, and {len(worst) - 1} more" if len(worst) > 1 else first


def _title(result: ConditionResult) -> str:
    return TITLES[result.name] if result.checked else f"{result.name} cannot be checked"


def issue_title(results: Sequence[ConditionResult]) -> str:
    return f"Watchdog: {headline(results)}"[:MAX_TITLE]


def issue_body(
    results: Sequence[ConditionResult],
    memory: Memory,
    now: float,
    *,
    dropped: Sequence[str] = (),
    run_url: str = "",
    runbook: str = "",
) -> str:
    """The text of the issue, with what the watchdog remembers. ``dropped``: what was not ok and is not checked now."""
    broken, unknown, fine = (in_state(results, state) for state in (State.BROKEN, State.UNKNOWN, State.OK))
    parts = [_first_line(results, now)]
    if broken:
        parts += ["### Broken", *map(_item, broken)]
    if unknown:
        parts += ["### Cannot be checked", *map(_item, unknown)]
        parts += [f"What cannot be checked {MAX_UNKNOWN} times in a row counts as broken."]
    if fine:
        parts += ["### In order", "\n".join(f"- **{result.name}**: {result.what}." for result in fine)]
    if dropped:
        parts += ["### Not checked any more", "\n".join(f"- **{name}**: it was not ok." for name in dropped)]
    links = [f"[{text}]({url})" for text, url in (("What to do", runbook), ("the workflow run", run_url)) if url]
    end = f"Checked at {format_utc(now)}."
    if len(fine) < len(results):
        end += " This issue closes itself when every check is ok."
    parts += [f"<sub>{' · '.join([*links, end])}</sub>", encode_memory(memory)]
    return "\n\n".join(parts) + "\n"


def is_blinding(results: Sequence[ConditionResult]) -> bool:
    """Whether something urgent is broken."""
    return any(result.name in URGENT for result in in_state(results, State.BROKEN))


def _first_line(results: Sequence[ConditionResult], now: float) -> str:
    total, broken, unknown = len(results), *(len(in_state(results, state)) for state in (State.BROKEN, State.UNKNOWN))
    if is_blinding(results):
        text = f"**modelwatch may be blind: {broken} of {total} checks of it {_is(broken)} broken.**"
        return f"{text} Until they are ok, look at your models yourself: `modelwatch check`."
    if broken:
        return f"**modelwatch works, but {broken} of {total} checks of it {_is(broken)} broken.**"
    if unknown:
        return f"**{unknown} of {total} checks of modelwatch could not be made.**"
    return f"**Every check is ok again, at {format_utc(now)}.** The proof is below."


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _item(result: ConditionResult) -> str:
    since = f" (since {format_utc(result.since)})" if result.since is not None else ""
    head = f"**{_sentence(_title(result))}**{since}. {_sentence(result.what)}"
    if not result.checked:
        head = f"**{result.name}** {result.what}{since}"
    todo = f"\n  **Do this:** {result.todo}" if result.todo else ""
    return f"- {head}.{todo}"


def _sentence(text: str) -> str:
    """``text`` with a capital letter."""
    return f"{text[:1].upper()}{text[1:]}"


def news_comment(results: Sequence[ConditionResult], new: Sequence[str]) -> str:
    """The comment about conditions that broke while the issue was open."""
    broken = [result for result in results if result.name in new]
    return "\n".join(["**Broken as well:**\n", *map(_item, broken)])


def console_lines(results: Sequence[ConditionResult]) -> list[str]:
    """One line for each condition, and what to do below."""
    lines = []
    for result in results:
        since = f" (since {format_utc(result.since)})" if result.since is not None else ""
        lines.append(f"{result.state.value:<8}{result.name:<16}{result.what}{since}".replace("`", "'"))
        if result.todo:
            lines.append(f"{'':24}{result.todo}".replace("`", "'"))
    return lines
