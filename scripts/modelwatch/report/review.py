"""The review of an incident, as Markdown that people complete: what the ledger proves, and what it leaves open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..model.ledger import (
    FOLLOWER_PREFIX,
    MODELWATCH,
    PAGERDUTY,
    PERSON,
    UNKNOWN,
    WORKFLOW,
    EntryKind,
    LedgerEntry,
    find_setback,
    find_successes,
)
from ..model.past_episode import PastEpisodes
from ..model.register import FALSE_POSITIVE, DispatchRecord, DispatchState, Register
from ..timeutil import HOUR, MINUTE, format_utc
from .formatting import bare_value, count, duration, percent
from .ledger_table import entry_count, ledger_table, plain_words
from .markdown import code, known_word, link, table, two_column_table
from .past_episodes import ordinal, past_episodes_section

MAX_COMMENTS = 30
LONG_DETECTION = 2 * HOUR
"""Seconds from the first finding to the issue after which the review asks why it took so long."""
_NOBODY = (MODELWATCH, PERSON, UNKNOWN, WORKFLOW, PAGERDUTY, "")


@dataclass(frozen=True, slots=True)
class PersonComment:
    """A comment of a person on the issue."""

    at: float
    author: str
    text: str
    url: str


@dataclass(frozen=True, slots=True)
class ReviewInput:
    """Everything that GitHub has about one episode."""

    register: Register
    entries: tuple[LedgerEntry, ...]
    """By time."""
    damage: str
    """What is missing of the ledger; empty where nothing is."""
    number: int
    url: str
    is_open: bool
    comments: tuple[PersonComment, ...] = ()
    stranger: str = ""
    """Why the author of the issue is not trusted; empty where it is."""
    past_episodes: PastEpisodes = field(default_factory=PastEpisodes)
    """Those before this one."""

    @property
    def recovered(self) -> float | None:
        """When the metric recovered for good; ``None`` while it has not."""
        times = [entry.at for entry in self.entries if entry.kind is EntryKind.RECOVERY]
        if self.register.closed is None:
            return None
        return times[-1] if times else self.register.closed

    def first(self, kind: EntryKind, what: str = "") -> LedgerEntry | None:
        """The first entry of ``kind`` whose text begins with ``what``."""
        return next((entry for entry in self.entries if entry.kind is kind and entry.what.startswith(what)), None)

    @property
    def first_person(self) -> LedgerEntry | None:
        """The first thing that a person did."""
        acts = (EntryKind.COMMAND, EntryKind.ISSUE, EntryKind.MOVE, EntryKind.PAGE)
        by_people = (
            entry for entry in self.entries if entry.kind in acts and entry.who not in (MODELWATCH, WORKFLOW, PAGERDUTY)
        )
        return next(by_people, None)


def review_text(known: ReviewInput, now: float) -> str:
    """The whole review."""
    register = known.register
    head = f"# Review: {code(register.model)} {code(register.rule)}, {format_utc(register.start)}"
    sections = [
        head,
        _summary(known, now),
        _section("Impact", two_column_table([("", ""), *_impact_rows(known, now)])),
        _section("Timeline", ledger_table(known.entries) or "Nothing is recorded."),
        _section("Seen before", past_episodes_section(known.past_episodes)),
        _section("What was tried", _attempts(known)),
        _section("What helped", _what_helped(known)),
        _section("What people wrote", _comments(known.comments)),
        _section("Open questions", "\n".join(f"- {question}" for question in _questions(known))),
        _section("Actions", "- [ ] (what will be done, by whom, until when)"),
        f"<sub>From {link(f'issue {known.number}', known.url)} at {format_utc(now)}.</sub>",
    ]
    return "\n\n".join(filter(None, sections))


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}" if text else ""


def _summary(known: ReviewInput, now: float) -> str:
    register, end = known.register, known.recovered
    if end is None:
        state = "is still open" if known.is_open else "was closed by hand before it recovered"
        text = f"**Not recovered** after {duration(now - register.start)}; the issue {state}."
    else:
        text = f"**Recovered** after {duration(end - register.start)}."
    text += f" Worst severity: {register.peak}. Episode {register.episode} of this rule."
    if register.verdict:
        text += f" Marked as {known_word(register.verdict)}."
    if known.stranger:
        text += f"\n\n**The issue is not trusted:** {code(known.stranger, 300)}."
    if known.damage:
        text += f"\n\n**The record is not complete:** {code(known.damage, 300)}."
    if register.ledger.lost:
        text += f"\n\n**{entry_count(register.ledger.lost)} were lost: no comment could be written.**"
    return text


def _lag(seconds: float, after: str) -> str:
    return "at once" if seconds < MINUTE else f"{duration(seconds)} {after}"


def _impact_rows(known: ReviewInput, now: float) -> Iterator[tuple[str, str]]:
    """How long and how bad; what is not known is left out."""
    register, end = known.register, known.recovered
    yield "Began", format_utc(register.start)
    if opened := known.first(EntryKind.ISSUE, "opened"):
        yield "Issue opened", f"{format_utc(opened.at)} ({_lag(opened.at - register.start, 'later')})"
    if page := known.first(EntryKind.PAGE, "incident triggered"):
        pages = sum(entry.kind is EntryKind.PAGE and "triggered" in entry.what for entry in known.entries)
        more = f"; {pages} pages in all" if pages > 1 else ""
        yield "First page", f"{format_utc(page.at)} ({_lag(page.at - register.start, 'after it began')}{more})"
    else:
        yield "First page", "nobody was paged"
    if person := known.first_person:
        yield "First action of a person", f"{format_utc(person.at)}, by {plain_words(person.who)}"
    yield "Ended", "not yet" if end is None else format_utc(end)
    yield "Lasted", duration((now if end is None else end) - register.start)
    severities = ", ".join(f"{severity} {duration(length)}" for severity, length in _severity_times(known, now))
    if str(register.peak) not in dict(_severity_times(known, now)):
        severities = (
            f"{severities}; {register.peak} for a time that is not recorded" if severities else str(register.peak)
        )
    yield "Severity", severities
    if impact := register.impact:
        where = f" in {code(impact.where)}" if impact.where else ""
        before = f" instead of {bare_value(impact.baseline, impact.unit)}" if impact.baseline is not None else ""
        change = f" ({percent(impact.change)})" if impact.change is not None else ""
        yield "At its worst", f"{bare_value(impact.value, impact.unit)}{before}{change}{where}"
    if register.impact is None or register.impact.rows is None:
        yield "Rows affected", "not counted"
    else:
        series = f" of {code(register.impact.where)}" if register.impact.where else ""
        as_of = f", as of {format_utc(register.told)}" if end is None and register.told else ""
        yield "Rows affected", f"{count(register.impact.rows)} rows{series} since it began{as_of}"


def _severity_times(known: ReviewInput, now: float) -> Iterator[tuple[str, float]]:
    """(severity, seconds) in the order in which each began; of the issue, not of what joined it."""
    names = ("info", "warning", "error", "critical")
    steps = []
    for entry in known.entries:
        word = entry.what.rpartition(" ")[2]
        if entry.key.startswith(FOLLOWER_PREFIX):
            continue
        if entry.kind in (EntryKind.FINDING, EntryKind.ISSUE) and word in names:
            steps.append((entry.at, word))
    end = now if known.recovered is None else known.recovered
    if not steps:
        return
    steps[0] = (known.register.start, steps[0][1])
    lengths: dict[str, float] = {}
    for (at, severity), (until, _) in zip(steps, [*steps[1:], (end, "")], strict=True):
        lengths[severity] = lengths.get(severity, 0.0) + max(min(until, end) - at, 0.0)
    yield from lengths.items()


def _attempts(known: ReviewInput) -> str:
    """Dispatches, moves and commands, with who ordered them."""
    kinds = (EntryKind.DISPATCH, EntryKind.MOVE, EntryKind.COMMAND)
    tried = [entry for entry in known.entries if entry.kind in kinds and not entry.what.endswith(", invalid")]
    return ledger_table(tried) or "Nothing was tried that modelwatch knows of."


def _what_helped(known: ReviewInput) -> str:
    """The last success before the recovery; that is no proof, and the text says so."""
    end = known.recovered
    if end is None:
        return "It has not recovered."
    successes = find_successes(known.entries, end)
    if not successes:
        return "It recovered without an action that is on record. Somebody may know what was done: write it here."
    last = successes[-1]
    if worse := find_setback(known.entries, last, end):
        return (
            f"Not {plain_words(last.what)}: after it came {plain_words(worse.what)} at {format_utc(worse.at)}."
            " Nothing that is on record explains the recovery."
        )
    why = f" ({code(last.why)})" if last.why else ""
    where = f", {link('open', last.url)}" if last.url else ""
    text = f"It recovered {duration(end - last.at)} after {plain_words(last.what)}{why}{where}. "
    others = "; ".join(f"{plain_words(entry.what)} at {format_utc(entry.at)}" for entry in successes[:-1])
    return f"{text}{f'Before that: {others}. ' if others else ''}The order is no proof: confirm the cause."


def _comments(comments: Sequence[PersonComment]) -> str:
    """Who wrote what, quoted as text."""
    rows = [
        (format_utc(comment.at).removesuffix(" UTC"), code(comment.author or "a deleted account"), _quote(comment))
        for comment in comments[:MAX_COMMENTS]
    ]
    more = f"\n\n{len(comments) - MAX_COMMENTS} more are on the issue." if len(comments) > MAX_COMMENTS else ""
    return table(("When (UTC)", "Who", "Comment"), rows) + more if rows else ""


def _quote(comment: PersonComment) -> str:
    return f"{code(comment.text, 300)} ({link('open', comment.url)})" if comment.url else code(comment.text, 300)


def _questions(known: ReviewInput) -> Iterator[str]:
    """What the record leaves open."""
    register = known.register
    yield "What was the cause? Write it in one sentence."
    past = known.past_episodes
    if past.count and not past.other_rules:
        since = format_utc(past.since or 0.0)[:10]
        yield f"It is the {ordinal(past.count + 1)} time since {since}: why does it come back?"
    if known.recovered is None:
        yield "It has not recovered: what is the next step, and who takes it?"
    opened = known.first(EntryKind.ISSUE, "opened")
    if opened and opened.at - register.start > LONG_DETECTION:
        late = duration(opened.at - register.start)
        yield f"It took {late} from the first finding to the issue: was that soon enough?"
    yield from _questions_about_people(known)
    for record in register.dispatches:
        yield from _questions_about_dispatch(record)
    for entry in known.entries:
        if entry.kind is EntryKind.COMMAND and entry.what.endswith(", refused"):
            yield f"{plain_words(entry.what).capitalize()} ({code(entry.who)}): was that right? {code(entry.why, 240)}"
    if register.silence_until is not None:
        by, until = code(register.silence_by or UNKNOWN), format_utc(register.silence_until)
        yield f"Silenced by {by} until {until}: still right?"
    if register.verdict == FALSE_POSITIVE:
        yield "It was called a false positive: should the rule change?"
    if register.troubles:
        yield f"Some things could not be done: {'; '.join(code(text, 200) for text in register.troubles)}."


def _questions_about_people(known: ReviewInput) -> Iterator[str]:
    page, person = known.first(EntryKind.PAGE, "incident triggered"), known.first_person
    if page is None:
        return
    if person is None or person.at < page.at:
        if not any(entry.who not in _NOBODY and entry.at >= page.at for entry in known.entries):
            yield "Somebody was paged, and no action of a person is on record: who took care of it?"
    elif person.at - page.at > HOUR:
        late = duration(person.at - page.at)
        yield f"It took {late} from the page to the first action of a person: did it wake anybody?"
    by_hand = (PERSON, PAGERDUTY)
    if any(
        entry.kind is EntryKind.PAGE and "resolved" in entry.what and entry.who in by_hand for entry in known.entries
    ):
        yield "The incident was resolved at PagerDuty by hand: why?"


def _questions_about_dispatch(record: DispatchRecord) -> Iterator[str]:
    name = code(record.name)
    where = f" ({link('workflow run', record.url)})" if record.url else ""
    if record.state is DispatchState.FINISHED and record.conclusion != "success":
        yield f"Why did {name} end in {known_word(record.conclusion or 'no conclusion')}{where}?"
    elif record.state is DispatchState.LOST:
        yield f"{name} was dispatched, and no workflow run ever came: does the workflow exist, and carry the key?"
    elif record.settled:
        yield f"{name} succeeded, and the metric did not recover in time{where}: why?"
    elif record.state is DispatchState.PROPOSED:
        yield f"{name} was proposed, and nobody answered: was it seen?"
