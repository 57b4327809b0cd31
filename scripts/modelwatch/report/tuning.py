"""What tuning gave, for people: sentences, the curve of alerts against delay as table and plot, and the patch."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..model.tuning import AlertBudget, HeldOutScore, Setting, SettingScore, Suggestion, TriedSetting
from ..timeutil import DAY, WEEK, format_utc
from .formatting import duration, short_number
from .markdown import code, plain_line, table

CURVE_COLUMNS = ("Setting", "Alerts a week", "False alerts", "Missed", "Found after", "Within the budget")
HELD_OUT_COLUMNS = ("Setting", "Alerts a week", "False alerts", "At most (95 %)", "Missed", "Found after")
MAX_CURVE = 12
"""Settings of the curve that are listed."""
WIDTH, HEIGHT = 56, 9
"""Characters of the plot."""
PRESENT = "present"
LEGEND = "* suggested  P present  o on the curve  · other settings"
NONE = "—"


def budget_text(budget: AlertBudget | None) -> str:
    """``1 false alert in 90 d``"""
    if budget is None:
        return "none"
    return f"{budget.alerts:g} false alert{'' if budget.alerts == 1 else 's'} in {duration(budget.period)}"


def setting_text(setting: Setting) -> str:
    """``warning.drop 2% → 1.3%, window 24h → 12h``: words of the configuration's format alone."""
    parts = []
    for change in setting.changes:
        name = ".".join(part for part in change.path if part != "tiers")
        parts.append(f"{name} {change.before} → {change.after}" if change.before else f"{name} {change.after}")
    return ", ".join(parts) or PRESENT


def tuning_lines(found: Suggestion) -> Iterator[str]:
    """What was done and what it gave. Only the first line has plain text from outside."""
    yield f"{found.model} / {found.rule}: {len(found.tried)} settings tried, budget {budget_text(found.budget)}."
    if found.tried:
        yield from _span_lines(found)
    if found.chosen is None:
        yield found.reason
    elif found.changes_something:
        yield f"Suggestion: {setting_text(found.chosen)}. {found.reason}"
    else:
        yield f"Suggestion: no change. {found.reason}"
    yield from found.notes


def _span_lines(found: Suggestion) -> Iterator[str]:
    tuned, held_out = found.tried[0].score, found.present_held_out
    if held_out is None:
        return
    judged = held_out.score
    yield (
        f"Tuned on {_span_text(tuned)}, judged on {_span_text(judged)}, which nothing was chosen by. An alert up to "
        f"{duration(found.margin)} after an incident is not called false; any other outside of incidents is."
    )


def _span_text(score: SettingScore) -> str:
    count = len(score.delays)
    incidents = f"{count} incident{'' if count == 1 else 's'}"
    length = round((score.until - score.since) / DAY)
    return f"{format_utc(score.since)[:10]} to {format_utc(score.until)[:10]} ({length} days, {incidents})"


def curve_rows(found: Suggestion) -> list[tuple[str, ...]]:
    """As ``CURVE_COLUMNS``, on the span to tune on: the present setting, the suggested one, then the curve."""
    if not found.tried:
        return []
    special = [found.tried[0], *(one for one in found.tried[1:] if one.setting is found.chosen)]
    curve = [one for one in found.curve if one not in special]
    return [_curve_cells(one, found) for one in [*special, *_spread(curve)]]


def _spread(curve: Sequence[TriedSetting]) -> list[TriedSetting]:
    """At most ``MAX_CURVE`` of them, evenly, with both ends."""
    if len(curve) <= MAX_CURVE:
        return list(curve)
    places = {round(step * (len(curve) - 1) / (MAX_CURVE - 1)) for step in range(MAX_CURVE)}
    return [curve[place] for place in sorted(places)]


def _curve_cells(one: TriedSetting, found: Suggestion) -> tuple[str, ...]:
    score = one.score
    mark = " (suggested)" if found.changes_something and one.setting is found.chosen else ""
    return (
        f"{setting_text(one.setting)}{mark}",
        short_number(score.alerts_a_week),
        f"{score.false_alerts:,}",
        f"{score.missed:,}" if score.delays else NONE,
        _delay_text(score),
        "yes" if one.within_budget else "no",
    )


def held_out_rows(found: Suggestion) -> list[tuple[str, ...]]:
    """As ``HELD_OUT_COLUMNS``."""
    pairs = [("present", found.present_held_out)]
    if found.changes_something and found.chosen is not None:
        pairs.append((setting_text(found.chosen), found.chosen_held_out))
    return [_held_out_cells(name, held_out) for name, held_out in pairs if held_out is not None]


def _held_out_cells(name: str, held_out: HeldOutScore) -> tuple[str, ...]:
    score, upper = held_out.score, held_out.rate_upper
    return (
        name,
        short_number(score.alerts_a_week),
        f"{score.false_alerts:,}",
        f"1 in {duration(_whole_days(1 / upper))}" if 0 < upper < math.inf else NONE,
        f"{score.missed:,}" if score.delays else NONE,
        _delay_text(score),
    )


def _whole_days(seconds: float) -> float:
    return math.floor(seconds / DAY) * DAY if seconds > DAY else seconds


def _delay_text(score: SettingScore) -> str:
    """The mean, of the incidents that were found."""
    delay = score.mean_found_delay
    return NONE if delay is None else "at once" if delay < 60 else duration(delay)


def curve_plot(found: Suggestion, width: int = WIDTH, height: int = HEIGHT) -> str:
    """Alerts a week against the mean delay of every setting (without incidents: against how far out limits lie), with
    the legend; empty where all are at one place."""
    tried = found.tried
    across = [one.score.alerts_a_week for one in tried]
    has_delays = any(one.score.delays for one in tried)
    up = [(one.score.mean_delay or 0.0) if has_delays else one.setting.scale for one in tried]
    if not tried or max(across) == min(across) or max(up) == min(up):
        return ""
    canvas = [[" "] * width for _ in range(height)]
    for place in sorted(range(len(tried)), key=lambda place: _rank(tried[place], found)):
        column = round((across[place] - min(across)) / (max(across) - min(across)) * (width - 1))
        row = round((max(up) - up[place]) / (max(up) - min(up)) * (height - 1))
        canvas[row][column] = "·oP*"[_rank(tried[place], found)]
    top, bottom = (duration(max(up)), duration(min(up))) if has_delays else (f"x{max(up):g}", f"x{min(up):g}")
    margin = max(len(top), len(bottom))
    sides = [top, *[""] * (height - 2), bottom]
    lines = [f"{side:>{margin}} |{''.join(row)}".rstrip() for side, row in zip(sides, canvas, strict=True)]
    left, right = short_number(min(across)), short_number(max(across))
    below = f"{' ' * margin}  {left}{' ' * max(1, width - len(left) - len(right))}{right}"
    title = (
        "found after (mean; what was missed counts as long as it lasted)"
        if has_delays
        else "limits, times the present ones"
    )
    head = f"{title} against alerts a week"
    return "\n".join([head, *lines, f"{' ' * margin} +{'-' * width}", below, LEGEND])


def _rank(one: TriedSetting, found: Suggestion) -> int:
    """What covers what in the plot."""
    if found.chosen is not None and one.setting is found.chosen:
        return 3
    return 2 if not one.setting.changes else 1 if one.on_curve else 0


def tuning_markdown(suggestions: Sequence[Suggestion], diff: str, by_hand: Sequence[str]) -> str:
    """For a job summary, a pull request or an issue."""
    parts = ["## Tuning"]
    for found in suggestions:
        parts.append(f"### {code(found.model, 80)} / {code(found.rule, 80)}")
        parts += list(tuning_lines(found))[1:]
        if found.tried:
            parts.append(f"Budget: {budget_text(found.budget)}. {len(found.tried)} settings tried.")
            parts.append(_markdown_table(CURVE_COLUMNS, curve_rows(found)))
        if rows := held_out_rows(found):
            parts += ["On the span that nothing was chosen by:", _markdown_table(HELD_OUT_COLUMNS, rows)]
    if diff:
        parts += ["### Patch", _fenced(diff)]
    parts += [f"- {code(line, 600)}" for line in by_hand]
    return "\n\n".join(parts) + "\n"


def _markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return table(columns, [(code(row[0], 200), *row[1:]) for row in rows])


def _fenced(diff: str) -> str:
    """A code block that nothing in it can end."""
    longest = max((len(run) for run in re.findall("`+", diff)), default=0)
    fence = "`" * max(3, longest + 1)
    lines = "\n".join(_harmless(line) for line in diff.split("\n")[:400])
    return f"{fence}diff\n{lines.rstrip()}\n{fence}"


def _harmless(line: str) -> str:
    """With all of its spaces."""
    return " ".join(plain_line(part, 1000) for part in line.split(" "))


def tuning_json(suggestions: Sequence[Suggestion], diff: str, by_hand: Sequence[str]) -> dict[str, Any]:
    """For scripts. Times are seconds since the epoch, lengths of time seconds."""
    return {
        "rules": [_suggestion_json(found) for found in suggestions],
        "patch": diff,
        "by_hand": list(by_hand),
    }


def _suggestion_json(found: Suggestion) -> dict[str, Any]:
    budget = found.budget
    return {
        "model": found.model,
        "rule": found.rule,
        "budget": None if budget is None else {"alerts": budget.alerts, "period": budget.period},
        "margin": found.margin,
        "reason": found.reason,
        "notes": list(found.notes),
        "suggestion": None if found.chosen is None else _changes_json(found.chosen),
        "tried": [
            {
                "changes": _changes_json(one.setting),
                "within_budget": one.within_budget,
                "on_curve": one.on_curve,
                **_score_json(one.score),
            }
            for one in found.tried
        ],
        "held_out": {
            name: {**_score_json(held_out.score), "false_alerts_a_week_at_most": held_out.rate_upper * WEEK}
            for name, held_out in (("present", found.present_held_out), ("suggested", found.chosen_held_out))
            if held_out is not None
        },
    }


def _changes_json(setting: Setting) -> list[dict[str, str]]:
    return [
        {"key": ".".join(change.path), "before": change.before, "after": change.after} for change in setting.changes
    ]


def _score_json(score: SettingScore) -> dict[str, Any]:
    return {
        "since": score.since,
        "until": score.until,
        "exposure": score.exposure,
        "alerts": score.alerts,
        "alerts_a_week": score.alerts_a_week,
        "false_alerts": score.false_alerts,
        "missed": score.missed,
        "mean_delay": score.mean_delay,
        "delays": [{"incident": found.incident, "start": found.start, "delay": found.delay} for found in score.delays],
    }
