"""The issue of a group as Markdown: the answer first, then what to do, then the evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..model.alert import (
    CANARY_FAILED,
    FREQUENT_ROLLBACKS,
    MONITORING_SILENT,
    RETRAINING_FAILED,
    ROLLBACK_FAILED,
    SEGMENT_GONE,
    SUDDEN_IMPROVEMENT,
    AlertState,
    Evidence,
    Group,
)
from ..model.finding import Finding, Outcome
from ..model.register import Register
from ..model.rule import Rule
from ..model.watched import Model
from .chart import chart
from .drifted import section as drifted
from .escape import code, line, link, mention
from .facts import facts
from .steps import began_with_version, needed, next_steps, silencing
from .tables import table
from .timeline import what_was_done
from .told import recovering, subject_of, tell
from .units import bare, heading, scale
from .why import part_of, section
from .words import FEATURES, count, duration, percent, when, where_of

OTHERS = 4
NO_BREAK_AT, NO_BREAK = " %", "\u00a0%"
"""On a phone a cell breaks at any other space."""
_AGAIN = {
    MONITORING_SILENT: "is judged again",
    SEGMENT_GONE: "sends data again",
    SUDDEN_IMPROVEMENT: "is as it used to be",
    ROLLBACK_FAILED: "was followed by a move that succeeded",
    RETRAINING_FAILED: "was followed by one that succeeded",
    CANARY_FAILED: "is a day old",
    FREQUENT_ROLLBACKS: "are rare again",
}


def title(group: Group, register: Register) -> str:
    """``[error] churn: accuracy (region=eu) 0.8412, 8.6 % below its baseline 0.9203``; one line, 200 characters."""
    told = tell(group)
    if group.state is AlertState.FIRING:
        calmer = ", recovering" if recovering(group) else ""
        return line(f"[{group.severity}{calmer}] {group.model}: {told.headline}")
    state = "recovered" if register.closed is not None else "recovering"
    about = f" {told.subject}" if group.built_in and group.alerts else ""
    return line(f"[{state}] {group.model}: {group.rule}{about} (was {register.peak})")


def body(group: Group, register: Register, now: float, *, model: Model | None = None, run_url: str = "") -> str:
    """Everything but the register itself, which the target adds. ``model`` is the group's, where it is configured."""
    rule = _rule(group, model)
    parts = [headline(group, register, now), next_steps(group, register, model, now)]
    if model and model.owner and group.state is AlertState.FIRING:
        parts[0] += f" Owner: {mention(model.owner)}."
    if register.troubles:
        parts.append("### What was not done\n\n" + _listed(register.troubles))
    moved = drifted(group.evidence)
    shown = group.evidence.segments and not moved and not group.built_in
    segmented = bool(shown) and group.state is AlertState.FIRING
    if reasons := section(group.evidence.why, words_only=segmented):
        parts.append("### Why\n\n" + reasons)
    if moved:
        parts.append("### What drifted\n\n" + moved)
    known = facts(group, rule)
    if known:
        parts.append("### Evidence\n\n" + known)
    if group.evidence.trend:
        told = tell(group)
        where = f" {told.where}" if told.where else ""
        parts.append(chart(f"{group.model} {told.rule}{where}{scale(group.unit)}", group.evidence.trend))
    if segmented:
        parts.append(segments(group.evidence, group.unit))
    done = what_was_done(register)
    if done:
        parts.append("### What was done\n\n" + done)
    if group.evidence.notes:
        parts.append("### Good to know\n\n" + _listed(group.evidence.notes))
    if register.closed is None:
        parts.append(silencing())
    source = f" by {link('this workflow run', run_url)}" if run_url else ""
    parts.append(f"<sub>Written{source} at {when(now)}, episode {register.episode}.</sub>")
    return "\n\n".join(parts)


def _listed(texts: Sequence[str]) -> str:
    return "\n".join(f"- {code(text, 400)}" for text in texts)


def _rule(group: Group, model: Model | None) -> Rule | None:
    """The configured rule that the group is about."""
    name = subject_of(group.rule, group.alerts[0].labels)[0] if group.alerts else group.rule
    return next((rule for rule in model.rules if rule.name == name), None) if model else None


def headline(group: Group, register: Register, now: float) -> str:
    """The whole answer in one or two sentences."""
    told = tell(group)
    name = f"{code(group.model)} {code(told.rule)}" + (f" in {code(told.where)}" if told.where else "")
    if group.state is AlertState.FIRING:
        since = f"since {when(register.start)} ({duration(now - register.start)})"
        said = f"**{told.value}**, {told.what}" if told.value else f"**{told.what}**"
        hints = _deployment(group, register) + _progress(group, register)
        return f"**{str(register.severity).upper()}** · {name}{told.joint}{said}, {since}.{_others(group)}{hints}"
    if register.closed is None:
        return f"**RECOVERING** · {name} does not fire any more; it began at {when(register.start)}."
    end = group.end if group.end is not None else register.closed
    lasted = duration(end - register.start)
    again = _AGAIN.get(group.rule, "is healthy again")
    return f"**RECOVERED** · {name} {again} since {when(end)}, after {lasted} (worst was {register.peak})."


def _others(group: Group) -> str:
    """The other features that fire, worst first."""
    firing = {alert.labels for alert in group.alerts[1:] if alert.state is AlertState.FIRING}
    found = [one for one in group.evidence.segments if one.labels in firing]
    if not found or group.built_in or not _of_features(group.evidence):
        return ""
    named = [f"{code(where_of(one))} {bare(one.value, group.unit)}" for one in found[:OTHERS]]
    more = f" and {len(firing) - len(named)} more" if len(firing) > len(named) else ""
    return f" Beside it {', '.join(named)}{more}."


def _deployment(group: Group, register: Register) -> str:
    """That it began soon after another version was deployed, where it did."""
    return f" It began with version {code(group.evidence.version)}." if began_with_version(group, register) else ""


def _progress(group: Group, register: Register) -> str:
    healthy, need = recovering(group), needed(group, register)
    return f" Recovering: {healthy} of {need} healthy evaluations in a row." if healthy else ""


def segments(evidence: Evidence, unit: str = "") -> str:
    """Segments or features, worst first; beside each its part in the change, where that is known."""
    rows = [tuple(cell for _, cell in _columns(evidence, found, unit)) for found in evidence.segments]
    head = tuple(name for name, _ in _columns(evidence, evidence.segments[0], unit))
    more = evidence.segments_seen - len(rows)
    rest = f"\n\n{more} more are not shown." if more > 0 else ""
    return f"### Worst {'features' if _of_features(evidence) else 'segments'}\n\n" + table(head, rows) + rest


def _columns(evidence: Evidence, found: Finding, unit: str) -> Iterator[tuple[str, str]]:
    """A row as (head, cell); the same heads for every finding. Few and narrow: four fit a phone."""
    name = code(where_of(found))
    features = _of_features(evidence)
    yield "Feature" if features else "Segment", f"{name} {_state(found)}".rstrip()
    yield heading(unit), _value(evidence, found, unit)
    why = evidence.why
    sizes, share = part_of(why, found.labels) or ("", "—")
    parted = any(part_of(why, one.labels) for one in evidence.segments)
    if parted:
        yield "Of the drop" if why and why.total < 0 else "Of the rise", share.replace(NO_BREAK_AT, NO_BREAK)
    if any(one.n is not None for one in evidence.segments):
        yield "Rows (share)" if parted else "Rows", count(found.n) + (f" ({sizes})" if sizes else "")


def _value(evidence: Evidence, found: Finding, unit: str) -> str:
    """``0.9103 → 0.7963 (−12.5 %)``; a baseline that is the same for all stands among the evidence."""
    own = len({one.baseline for one in evidence.segments}) > 1 and found.baseline is not None
    before = f"{bare(found.baseline, unit)} → " if own else ""
    change = f" ({percent(found.change)})".replace(NO_BREAK_AT, NO_BREAK) if found.change is not None else ""
    return before + bare(found.value, unit) + change


def _of_features(evidence: Evidence) -> bool:
    return all(name in FEATURES for found in evidence.segments for name, _ in found.labels)


def _state(finding: Finding) -> str:
    """The severity that it reaches, why it cannot be judged; nothing where it is healthy."""
    if finding.severity is not None:
        return f"**{finding.severity}**"
    if finding.outcome is Outcome.OK:
        return ""
    words = f"{finding.outcome}".replace("_", " ")
    return f"{words}: {finding.reason}" if finding.reason else words
