"""What people marked in files: a list of incidents and false alarms, and the annotations beside the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..config.annotations import read_annotations
from ..config.field_types import Enumeration, Text, one_or_more
from ..config.reader import Reader, shorten
from ..config.secrets import Vault
from ..config.sections import Field, ParsedSection, Section
from ..config.vocabulary import NAME, TIMESTAMP
from ..config.yaml_nodes import SequenceNode, parse_yaml
from ..errors import ConfigError, UserError, did_you_mean
from ..model.alert import BUILT_IN_RULES
from ..model.backtest import AlertVerdict, FalseMark, MarkedIncident, Marks
from ..regular_file import read_regular_file

MAX_FILE_BYTES = 4 << 20
_EXAMPLE = "Write `- {model: churn, start: 2026-11-05T03:00, end: 2026-11-06, name: the November drop}`, one a line."
_ENTRY = Section(
    "an incident",
    {
        "model": Field(NAME, "The model.", required=True),
        "start": Field(TIMESTAMP, "When it began (UTC).", required=True),
        "end": Field(TIMESTAMP, "When it ended (UTC).", required=True),
        "name": Field(Text("a text", max_length=80, literal=True), "What people call it: `the 5 November drop`."),
        "rules": Field(one_or_more(NAME), "The rules that should find it; by default any rule of the model."),
        "verdict": Field(
            Enumeration("a verdict", (AlertVerdict.INCIDENT.value, AlertVerdict.FALSE.value)),
            "`false`: what fired then was a false alarm.",
            default=AlertVerdict.INCIDENT.value,
        ),
    },
    dataclass=MarkedIncident,
)


def read_incidents(path: Path, rules: Mapping[str, frozenset[str]]) -> Marks:
    """The marks of a YAML list. ``rules``: the names of the rules by model, which are checked. Raises ConfigError with
    every problem, by line."""
    try:
        content = read_regular_file(path, MAX_FILE_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError((UserError(f"the file cannot be read: {reason}.", where=str(path)),)) from error
    root = parse_yaml(content, str(path))
    if not isinstance(root, SequenceNode):
        raise ConfigError((UserError("the file is no list of incidents.", hint=_EXAMPLE, where=str(path)),))
    reader = Reader(str(path), path.parent, Vault({}, require=False))
    incidents: list[MarkedIncident] = []
    false_marks: list[FalseMark] = []
    for node in root.items:
        section = _ENTRY.read(node, reader)
        if section is None:
            continue
        incident = _build(section, rules)
        if section.get("verdict") == AlertVerdict.FALSE.value:
            period = incident.start, incident.end
            false_marks += (FalseMark(incident.model, rule, *period) for rule in incident.rules or ("",))
        else:
            incidents.append(incident)
    if problems := reader.problems():
        raise ConfigError(tuple(problems))
    source = f"{path}: {describe_count(len(incidents), len(false_marks))}"
    return Marks(tuple(incidents), tuple(false_marks), (source,))


def _build(section: ParsedSection, rules: Mapping[str, frozenset[str]]) -> MarkedIncident:
    incident: MarkedIncident = section.build(rules=tuple(section.get("rules", ())))
    if "start" in section and "end" in section and section.get("end", 0.0) <= section.get("start", 0.0):
        section.add_problem("it ends before it begins.", "A date alone is its first moment, 00:00 UTC.", value="end")
    model = section.get("model")
    if model is not None and model not in rules:
        section.add_problem(f"there is no model `{shorten(model)}`.", did_you_mean(model, rules), value="model")
    known = rules.get(model or "", frozenset()) | BUILT_IN_RULES
    for name in incident.rules if model in rules else ():
        if name not in known:
            message = f"`{shorten(incident.model)}` has no rule `{shorten(name)}`."
            section.add_problem(message, did_you_mean(name, known), value="rules")
    return incident


def annotated_incidents(path: Path, models: frozenset[str]) -> Marks:
    """The entries of ``annotations.yml`` that mark an incident; ``models``: every name that is configured."""
    try:
        annotations, problems = read_annotations(path, models)
    except ConfigError as error:
        return Marks(problems=(f"annotations: {error}",))
    incidents = tuple(
        MarkedIncident(model, annotation.at, annotation.until, annotation.text)
        for annotation in annotations
        if annotation.incident and annotation.until is not None
        for model in annotation.models or sorted(models)
    )
    sources = (f"{path}: {describe_count(len(incidents), 0)}",) if incidents else ()
    return Marks(incidents, (), sources, tuple(f"annotations: {problem}" for problem in problems))


def join_marks(*parts: Marks) -> Marks:
    """All of them, each once."""
    return Marks(
        tuple(dict.fromkeys(mark for part in parts for mark in part.incidents)),
        tuple(dict.fromkeys(mark for part in parts for mark in part.false_marks)),
        tuple(source for part in parts for source in part.sources),
        tuple(problem for part in parts for problem in part.problems),
    )


def describe_count(incidents: int, false_marks: int) -> str:
    """``2 incidents, 1 false alarm``"""
    counts = ((incidents, "incident"), (false_marks, "false alarm"))
    return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts if count) or "no marks"
