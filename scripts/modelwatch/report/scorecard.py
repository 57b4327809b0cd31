"""The scorecard as text: for an issue or a job summary in Markdown, and for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..model.scorecard import (
    Coverage,
    DurationFigure,
    PeriodFigures,
    RuleFigures,
    Scorecard,
    ShareFigure,
    WorkflowFigures,
)
from ..model.tuning import Suggestion
from ..timeutil import format_utc
from .earned_modes import CAVEAT, MODE_COLUMNS, mode_points, mode_rows
from .formatting import duration, short_number, whole_percent
from .markdown import code, plain_line, table
from .tuning import tuning_lines

Quote = Callable[[str], str]
"""How a text from outside is written: ``code`` in Markdown, ``plain_line`` on a terminal."""
UNKNOWN = "unknown"
MAX_ROWS = 15
MAX_NAMES = 8
SOON_SHARE = 0.3
"""From this share of starts on a workflow that is repeated too soon is named first."""
LOW_HELP = 0.5
"""A workflow that surely helps in less than this share of its successes is named first."""


@dataclass(frozen=True, slots=True)
class Section:
    """A title, paragraphs, then points, then a table."""

    title: str
    texts: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def scorecard_markdown(card: Scorecard, more: Sequence[Section] = (), about: str = "") -> str:
    """``more``: sections of others, after what needs attention; ``about``: the address of what the figures mean."""
    parts = [f"# {_title(card)}", _headline(card)]
    parts += [section_markdown(section) for section in scorecard_sections(card, code, more)]
    note = f" [What each figure means]({about})." if about else ""
    parts.append(f"<sub>Made at {format_utc(card.at)} from the records on the issues.{note}</sub>")
    return "\n\n".join(parts) + "\n"


def scorecard_text(card: Scorecard, more: Sequence[Section] = ()) -> str:
    """For a terminal."""
    return sections_text(_title(card), _headline(card), scorecard_sections(card, plain_line, more))


def section_markdown(section: Section) -> str:
    parts = [f"## {section.title}", *section.texts]
    parts += ["\n".join(f"- {point}" for point in section.points)] if section.points else []
    parts += [table(section.columns, section.rows)] if section.rows else []
    return "\n\n".join(parts)


def sections_text(title: str, headline: str, sections: Iterable[Section]) -> str:
    """Lines for a terminal."""
    lines = [title, headline, ""]
    for section in sections:
        lines += [section.title.upper(), *section.texts, *(f"  - {point}" for point in section.points)]
        lines += [f"  {line}" for line in _aligned([section.columns, *section.rows])] if section.rows else []
        lines.append("")
    return "\n".join(lines).replace("**", "").rstrip()


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows of a table, with columns below each other."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def scorecard_sections(card: Scorecard, quote: Quote, more: Sequence[Section]) -> Iterator[Section]:
    """What needs attention first, then the figures, then what they are made of."""
    attention = tuple(attention_points(card, quote))
    yield (
        Section("Look at these first", points=attention)
        if attention
        else Section("Look at these first", ("Nothing stands out.",))
    )
    yield from more
    yield _numbers(card, quote)
    if card.figures and card.figures.rules:
        yield _rules(card.figures, quote)
    if card.figures and card.figures.workflows:
        yield _workflows(card.figures, quote)
    if card.modes:
        first = sorted(card.modes, key=lambda mode: not mode.earned and mode.step_back is None)[:MAX_ROWS]
        texts = (CAVEAT, *_left_out(len(card.modes)))
        yield Section("Modes", texts, columns=MODE_COLUMNS, rows=mode_rows(first, quote))
    yield _coverage(card.coverage, quote)
    if card.labels:
        rows = tuple(
            (quote(delay.model), _days(delay.half), _days(delay.most), quote(delay.problem) if delay.problem else "")
            for delay in card.labels[:MAX_ROWS]
        )
        yield Section(
            "Labels",
            _left_out(len(card.labels)),
            columns=("Model", "Half have come after", "90 % after", ""),
            rows=rows,
        )
    if card.problems:
        yield Section("Not read, or left out", points=tuple(quote(text) for text in card.problems))


def _left_out(count: int) -> tuple[str, ...]:
    return (f"{count - MAX_ROWS} more are in the JSON.",) if count > MAX_ROWS else ()


def _days(days: float | None) -> str:
    return UNKNOWN if days is None else f"{short_number(days)} d"


def _title(card: Scorecard) -> str:
    return f"What the alerts were worth: {_date(card.period.start)} to {_date(card.period.end)} ({_weeks(card)})"


def _date(time: float) -> str:
    return format_utc(time)[:10]


def _weeks(card: Scorecard) -> str:
    weeks = card.period.weeks
    return "1 week" if weeks == 1 else f"{weeks:.3g} weeks"


def _headline(card: Scorecard) -> str:
    """The result in three sentences."""
    figures = card.figures
    if figures is None:
        return "**No issue could be read, so every figure of the alerts is unknown.**"
    if not figures.alerts:
        return f"**No alert in {_weeks(card)}.**"
    counts = f"**{_alerts(figures.alerts)}, {short_number(figures.a_week)} a week.**"
    if figures.false.share is not None:
        counts += f" **{whole_percent(figures.false.share)} were false alarms** ({interval_text(figures.false)})."
    times = [(figures.detect, "found"), (figures.recover, "over")]
    halves = [f"{word} within {duration(figure.median)}" for figure, word in times if figure.median is not None]
    real = "Half of the real ones were" if figures.detect.n > 1 else "The real one was"
    text = f"{counts} {real} {' and '.join(halves)}." if halves else counts
    if figures.open:
        text += f" {figures.open} {'is' if figures.open == 1 else 'are'} still under way."
    return text


def _alerts(count: int) -> str:
    return "1 alert" if count == 1 else f"{count} alerts"


def interval_text(share: ShareFigure) -> str:
    """``5 of 41; 95 %: 5 to 26 %``"""
    if share.low is None or share.high is None:
        return f"{share.count} of {share.of}"
    low, high = whole_percent(share.low).removesuffix(" %"), whole_percent(share.high)
    return f"{share.count} of {share.of}; 95 %: {low} to {high}"


def attention_points(card: Scorecard, quote: Quote) -> Iterator[str]:
    """What somebody should do something about, the most urgent first."""
    figures = card.figures
    if card.unread and figures is not None:
        yield f"**No figure has {_names(card.unread, quote)}:** the issues could not be read."
    if figures is not None:
        yield from _budget_points(card, figures, quote)
        yield from _workflow_points(figures.workflows, quote)
        yield from mode_points(card.modes, quote)
        if figures.incomplete:
            yield f"The record of {_alerts(figures.incomplete)} is not complete, so their times are unknown."


def _budget_points(card: Scorecard, figures: PeriodFigures, quote: Quote) -> Iterator[str]:
    over = [row for row in figures.rules if row.over_budget]
    if over:
        rows = [
            f"{quote(f'{row.model} {row.rule}')} ({row.false.count} false, allowed {short_number(row.allowed or 0.0)})"
            for row in over
        ]
        yield f"**Over the budget of false alarms in {_weeks(card)}:** {_listed(rows)}."


def _workflow_points(rows: Sequence[WorkflowFigures], quote: Quote) -> Iterator[str]:
    soon = [
        f"{quote(f'{row.verb} of {row.model}')} ({row.too_soon} of {row.started} starts)"
        for row in rows
        if row.too_soon > 1 and row.too_soon / row.started >= SOON_SHARE
    ]
    if soon:
        yield f"**Repeated within a week, so it did not last:** {_listed(soon)}. Is the cause elsewhere?"
    idle = [
        f"{quote(f'{row.verb} of {row.model}')} ({interval_text(row.helped)})"
        for row in rows
        if row.helped.high is not None and row.helped.high < LOW_HELP
    ]
    if idle:
        yield f"**Succeeds, but the alert seldom recovers after it:** {_listed(idle)}."


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - MAX_NAMES} more" if len(texts) > MAX_NAMES else ""
    return ", ".join(texts[:MAX_NAMES]) + more


def _names(names: Sequence[str], quote: Quote) -> str:
    return _listed([quote(name) for name in names])


def _numbers(card: Scorecard, quote: Quote) -> Section:
    """The figures beside those of the period before."""
    columns = ("", f"These {_weeks(card)}", f"The {_weeks(card)} before", "Change")
    both = (card.figures, card.before)
    a_week = [None if figures is None else figures.a_week for figures in both]
    pages = [_count(None if figures is None else figures.pages) for figures in both]
    costs = (card.cost, card.cost_before)
    rows = [
        ("Alerts a week", *map(_per_week, both), _change(*a_week)),
        _share_row(card, "False alarms", lambda figures: figures.false),
        _time_row(card, "Time until found", lambda figures: figures.detect),
        _time_row(card, "Time until acknowledged", lambda figures: figures.acknowledge),
        _time_row(card, "Time until mitigated", lambda figures: figures.mitigate),
        _time_row(card, "Time until over", lambda figures: figures.recover),
        _share_row(card, "Answered by automation alone", lambda figures: figures.answered),
        _share_row(card, "Automation helped", lambda figures: figures.helped),
        ("Pages", *pages, ""),
        (
            "Minutes of GitHub Actions",
            *(_count(cost.minutes) for cost in costs),
            _change(*(cost.minutes for cost in costs)),
        ),
        ("Calls to W&B, about", *(_count(cost.wandb_calls) for cost in costs), ""),
    ]
    texts = tuple(f"Costs: {quote(text)}." for text in dict.fromkeys(card.cost.problems))
    return Section("In numbers", texts, columns=columns, rows=tuple(rows))


def _per_week(figures: PeriodFigures | None) -> str:
    return UNKNOWN if figures is None else f"{short_number(figures.a_week)} ({figures.alerts} in all)"


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"


def _change(now: float | None, before: float | None) -> str:
    if now is None or before is None or now == before:
        return "" if now is None or before is None else "the same"
    return "▲ more" if now > before else "▼ less"


def _share_row(card: Scorecard, name: str, pick: Callable[[PeriodFigures], ShareFigure]) -> tuple[str, ...]:
    """The change is named where the intervals do not overlap."""
    now, before = (None if figures is None else pick(figures) for figures in (card.figures, card.before))
    change = ""
    if now and before and now.low is not None and before.low is not None:
        more, less = now.low > (before.high or 0.0), (now.high or 0.0) < before.low
        change = "▲ more" if more else "▼ less" if less else "no clear change"
    return name, share_text(now), share_text(before), change


def share_text(share: ShareFigure | None) -> str:
    """``12 % (5 of 41; 95 %: 5 to 26 %)``"""
    if share is None:
        return UNKNOWN
    return "none to judge" if share.share is None else f"{whole_percent(share.share)} ({interval_text(share)})"


def _time_row(card: Scorecard, name: str, pick: Callable[[PeriodFigures], DurationFigure]) -> tuple[str, ...]:
    now, before = (None if figures is None else pick(figures) for figures in (card.figures, card.before))
    change = ""
    if now and before and now.median is not None and before.median is not None:
        faster = "▼ faster" if now.median < before.median else "▲ slower"
        change = "the same" if now.median == before.median else faster
    return name, time_text(now), time_text(before), change


def time_text(figure: DurationFigure | None) -> str:
    """``2 h; 90 %: 5 h (38 of 41)``"""
    if figure is None:
        return UNKNOWN
    if figure.median is None or figure.p90 is None:
        return f"none of {figure.without}" if figure.without else "none"
    return f"{duration(figure.median)}; 90 %: {duration(figure.p90)} ({figure.n} of {figure.n + figure.without})"


def suggestions_section(suggestions: Sequence[Suggestion], quote: Quote) -> Section:
    """A suggestion for each rule over its budget; the pull request and `backtest --tune` say more."""
    points = []
    for one in suggestions:
        _, *lines = tuning_lines(one)
        points.append(f"{quote(f'{one.model} {one.rule}')}: {' '.join(lines)}")
    return Section("What tuning suggests", points=tuple(points))


def _rules(figures: PeriodFigures, quote: Quote) -> Section:
    rows = tuple(_rule_cells(row, quote) for row in figures.rules[:MAX_ROWS])
    columns = ("Rule", "Alerts", "A week", "False", "Budget allows", "Pages", "Half over after")
    return Section("Rules", _left_out(len(figures.rules)), columns=columns, rows=rows)


def _rule_cells(row: RuleFigures, quote: Quote) -> tuple[str, ...]:
    over = " **over**" if row.over_budget else ""
    joined = f" (+{row.joined} in others)" if row.joined else ""
    return (
        quote(f"{row.model} {row.rule}"),
        f"{row.alerts}{joined}",
        short_number(row.a_week),
        f"{row.false.count} of {row.false.of}{over}",
        "no budget" if row.allowed is None else short_number(row.allowed),
        str(row.pages),
        "" if row.recover.median is None else duration(row.recover.median),
    )


def _workflows(figures: PeriodFigures, quote: Quote) -> Section:
    rows = tuple(
        (
            quote(f"{row.verb} of {row.model}"),
            f"{row.started} ({row.automatic})",
            str(row.proposed),
            f"{row.success.count} of {row.success.of}",
            f"{row.helped.count} of {row.helped.of}",
            str(row.too_soon),
        )
        for row in figures.workflows[:MAX_ROWS]
    )
    columns = ("Workflow", "Started (without a person)", "Only proposed", "Succeeded", "Helped", "Too soon")
    return Section("Automation", _left_out(len(figures.workflows)), columns=columns, rows=rows)


def _coverage(coverage: Coverage, quote: Quote) -> Section:
    watch = "1 rule watches" if coverage.rules == 1 else f"{coverage.rules} rules watch"
    points = [f"{watch} {coverage.models} {'model' if coverage.models == 1 else 'models'}."]
    if coverage.unwatched_projects:
        points.append(f"Projects at W&B that no model reads: {_names(coverage.unwatched_projects, quote)}.")
    if coverage.without_runbook:
        names = [f"{model} {rule}" for model, rule in coverage.without_runbook]
        points.append(f"Without a runbook of yours, so issues link to the general one: {_names(names, quote)}.")
    if coverage.never_fired is None:
        points.append("Rules that never fired: unknown, since not every issue could be read.")
    elif coverage.never_fired:
        names = [f"{model} {rule}" for model, rule in coverage.never_fired]
        points.append(f"No alert in all that was read: {_names(names, quote)}. Healthy, or blind? See `sensitivity`.")
    for model, keys in coverage.unwatched[:MAX_ROWS]:
        points.append(f"{quote(model)} logs {len(keys)} metrics that no rule reads: {_names(keys, quote)}.")
    points += _left_out(len(coverage.unwatched))
    for reason in [*dict.fromkeys(reason for _, reason in coverage.unread)][:MAX_ROWS]:
        names = [model for model, own in coverage.unread if own == reason]
        points.append(f"What {_names(names, quote)} logs is unknown: {quote(reason)}.")
    return Section("What is watched", points=tuple(points))
