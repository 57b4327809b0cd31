"""Silences and inhibitions of a model."""

from __future__ import annotations

from ..model.series import labels_of
from ..model.severity import Severity
from ..model.watched import DEFAULT_INHIBITIONS, Inhibition, Matcher, Silence, WeeklyWindow
from .reader import Reader
from .shapes import ParsedSection


def read_silences(model: ParsedSection, reader: Reader) -> tuple[Silence, ...]:
    """Every silence, with those of the defaults; each needs an end, an owner and a reason."""
    found: dict[tuple[object, ...], Silence] = {}
    for given in model.get("silences", []):
        silence = Silence(
            match=_read_matcher(given, reader, model.get("name", "")),
            until=given.get("until", 0.0),
            owner=given.get("owner", ""),
            reason=given.get("reason", ""),
            start=given.get("from", 0.0),
            window=_read_recurrence(given.get("every"), reader),
            where=reader.location(given.node),
        )
        if "until" in given and given.get("from") is not None and silence.start >= silence.until > 0:
            reader.add_problem(given.value_at("until"), "the silence ends before it begins.")
        same = (silence.match, silence.start, silence.until, silence.window)
        if same in found:
            reader.add_problem(given.node, f"the same silence stands at {found[same].where} already.")
        found.setdefault(same, silence)
    return tuple(found.values())


def _read_recurrence(given: ParsedSection | None, reader: Reader) -> WeeklyWindow | None:
    if given is None:
        return None
    days = given.get("days")
    if days == []:
        reader.add_problem(given.key_node("days"), "no day is named.", "Leave `days` out for every day.")
    start, end = given.get("from", 0.0), given.get("to", 0.0)
    if start == end and "from" in given and "to" in given:
        reader.add_problem(
            given.value_node("to"), "`from` and `to` are the same.", "A whole day is from 00:00 to 24:00."
        )
    return WeeklyWindow(tuple(sorted(set(days or range(7)))), start, end)


def read_inhibitions(model: ParsedSection, reader: Reader) -> tuple[Inhibition, ...]:
    """The default ones, and what the model adds."""
    found = list(DEFAULT_INHIBITIONS)
    for given in model.get("inhibit", []):
        source, target = given.get("source"), given.get("target")
        if source is None or target is None:
            continue
        for part in (source, target):
            if not part.names():
                reader.add_problem(part.node, "this matches everything.", "Give `rule`, `kind` or `labels`.")
        severity = given.get("min_severity", Severity.WARNING)
        found.append(Inhibition(_read_matcher(source, reader), _read_matcher(target, reader), severity))
    return tuple(dict.fromkeys(found))


def _read_matcher(given: ParsedSection, reader: Reader, model: str = "") -> Matcher:
    for word in ("rule", "kind"):
        if given.get(word):
            reader.references.append((given.value_node(word), word, given.get(word)))
    labels = labels_of({name: value for name, (_, value) in given.get("labels", {}).items()})
    return Matcher(model=model, rule=given.get("rule", ""), kind=given.get("kind", ""), labels=labels)
