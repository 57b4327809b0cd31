"""Reads files of rule tests: every problem at once, each with its line and column."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ..config.literals import format_duration
from ..config.reader import Reader, shorten
from ..config.secrets import Vault
from ..config.sections import ParsedSection
from ..config.vocabulary import BUILT_IN_ACTIONS
from ..config.yaml_nodes import Node, ScalarNode, parse_yaml
from ..errors import ConfigError, UserError, did_you_mean
from ..model.alert import BUILT_IN_RULES, RELEASE_RULES, SOURCE_OUTAGE, WATCHDOG_SILENT
from ..model.monitored_model import Config, Model
from ..model.series import Labels, labels_of
from ..regular_file import read_regular_file
from ..sources.requirements import KeyResolver, plan_read
from ..timeutil import DAY
from .cases import AbsenceCheck, Check, ExpectedAlert, FiringCheck, RecoveryCheck, RuleTest, StateCheck
from .notation import NotationError, Part, count_points, expand_values, parse_values, parse_versions
from .schema import FILE
from .subject import is_count, is_share, subject_of

T = TypeVar("T")
SILENT_IN_TESTS = {
    **dict.fromkeys(RELEASE_RULES, "its workflows succeed, and it has no registry of versions"),
    SOURCE_OUTAGE: "its series can always be read",
    WATCHDOG_SILENT: "nobody watches it",
}
"""Built-in rules that a test cannot provoke, and why: a check that they are silent could not fail."""
MAX_FILE_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class RuleTestFile:
    """One file as it was read; the tests wait for their configuration."""

    path: Path
    config: str
    """As the file names it; empty where it does not."""
    _section: ParsedSection
    _reader: Reader

    def tests(self, config: Config) -> tuple[RuleTest, ...]:
        """The tests on the rules of ``config``. Raises ConfigError with every problem of the file."""
        tests = [_build_test(section, config) for section in self._section.get("tests", ())]
        _check_names(tests, self._section)
        if problems := self._reader.problems():
            raise ConfigError(tuple(problems))
        return tuple(test for test in tests if test is not None)


def read_test_file(path: Path) -> RuleTestFile:
    """Raises ConfigError for a file that cannot be read or is no YAML."""
    reader = Reader(str(path), path.parent, Vault({}, require=False))
    try:
        content = read_regular_file(path, MAX_FILE_BYTES)
    except (OSError, ValueError) as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else f"it cannot be read: {error}"
        hint = "`modelwatch test --help` says which files are read."
        raise ConfigError((UserError(f"{reason}.", hint=hint, where=str(path)),)) from None
    root = parse_yaml(content, reader.file)
    section = FILE.read(root, reader)
    if section is None:
        raise ConfigError(tuple(reader.problems()))
    return RuleTestFile(path, section.get("config", ""), section, reader)


def _check_names(tests: Iterable[RuleTest | None], section: ParsedSection) -> None:
    first: dict[str, str] = {}
    for test, own in zip(tests, section.get("tests", ()), strict=True):
        if test is not None and test.name in first:
            own.add_problem(f"there is a test `{shorten(test.name)}` already, at {first[test.name]}.", value="name")
        elif test is not None:
            first[test.name] = test.where


def _build_test(section: ParsedSection, config: Config) -> RuleTest | None:
    model = _model_of(section, config)
    if model is None or "series" not in section:
        return None
    every, seed = section.setting("every"), section.setting("seed")
    columns = _read_columns(section, model, every)
    subject = subject_of(model, columns)
    if columns and not subject.rules:
        hint = "Give the series of a rule's metric, not only its count."
        section.add_problem("no rule has its metric among these series.", hint, value="series")
        return None
    versions = _read_versions(section, every)
    stated = [count_points(parts) for parts in columns.values()] + [sum(count or 0 for _, count in versions)]
    points = max(stated, default=0)
    if columns and not points:
        hint = "Say how many points one of them has, such as `0.91x28d`."
        section.add_problem("no series says how long the test is.", hint, value="series")
    values = {
        key: expand_values(parts, points, f"{seed}/{key}", is_share=is_share(subject, key))
        for key, parts in columns.items()
    }
    served = [name for name, count in versions for _ in range(points if count is None else count)]
    test: RuleTest = section.build(
        model=model.name,
        values=values,
        versions=tuple(served),
        warm_up=section.get("warm_up", default_warm_up(subject) + section.setting("delay")),
        where=section.reader.location(section.node),
    )
    is_whole = len(columns) == len(section.get("series", {}))  # else the length is not known
    last = test.start + max(points - 1, 0) * every if is_whole else math.inf
    return replace(test, checks=tuple(_build_checks(section, subject, test, last)))


def default_warm_up(model: Model) -> float:
    """Until the longest window is full: before that rules report that they cannot judge anything."""
    return max((rule.lag + rule.window + rule.every for rule in model.rules), default=0.0)


def _model_of(section: ParsedSection, config: Config) -> Model | None:
    names = [model.name for model in config.models]
    name = section.get("model", "")
    if name:
        model = config.model(name)
        if model is None:
            hint = did_you_mean(name, names)
            section.add_problem(f"the configuration has no model `{shorten(name)}`.", hint, value="model")
        return model
    if len(names) == 1:
        return config.models[0]
    if "model" not in section:
        hint = f"Its models: {', '.join(names[:10])}."
        section.add_problem("the configuration has several models; a test needs `model`.", hint)
    return None


def _read_columns(section: ParsedSection, model: Model, every: float) -> dict[str, tuple[Part, ...]]:
    """The parts of each series, by the key that the rules name."""
    request = plan_read(model, 0.0)
    resolver = KeyResolver(request.scalars)
    columns: dict[str, tuple[Part, ...]] = {}
    for key, (node, text) in section.get("series", {}).items():
        resolved = resolver.resolve(key)
        if resolved is None:
            hint = did_you_mean(key, [pattern.text for pattern in request.scalars])
            section.reader.add_problem(node, f"no rule of {model.name} reads `{shorten(key)}`.", hint)
            continue
        if resolved in columns:
            section.reader.add_problem(node, f"`{shorten(key)}` is a key that this test has already.")
        parts = _parse(text, section.reader, partial(parse_values, every=every))
        if parts is not None:
            columns[resolved] = parts
            if is_count(model, resolved) and any((part.value or 0.0) < 0 for part in parts):
                section.reader.add_problem(node, f"`{shorten(key)}` counts rows, so it is never negative.")
    return columns


def _read_versions(section: ParsedSection, every: float) -> tuple[tuple[str, int | None], ...]:
    node = section.get("versions")
    if node is None:
        return ()
    return _parse(node, section.reader, partial(parse_versions, every=every)) or ()


def _parse(node: ScalarNode, reader: Reader, parse: Callable[[str], T]) -> T | None:
    try:
        return parse(node.text)
    except NotationError as error:
        reader.add_problem(node.character(error.index) or node, error.message)
        return None


def _build_checks(section: ParsedSection, model: Model, test: RuleTest, last: float) -> Iterator[Check]:
    for own in section.get("expect", ()):
        check = _build_check(own, model)
        if check is not None:
            _check_moments(check, own, test, last)
            _check_period(check, own, test)
            yield replace(check, where=own.reader.location(own.node))


STATE_KEYS = ("alerts", "none", "do", "not")
KINDS = ("at", "fires", "recovers", "never")


def _build_check(section: ParsedSection, model: Model) -> Check | None:
    kinds = [key for key in KINDS if key in section]
    if len(kinds) != 1:
        what = f"it has {' and '.join(f'`{kind}`' for kind in kinds)}" if kinds else "it has none of them"
        section.add_problem(f"a check has one of `at`, `fires`, `recovers` and `never`, and {what}.")
        return None
    states = [key for key in STATE_KEYS if key in section]
    if kinds[0] == "at":
        if not states:
            section.add_problem("nothing is checked at that time.", "Give `alerts`, `none`, `do` or `not`.")
            return None
        if "alerts" in section and "none" in section:
            section.add_problem("`alerts` and `none` are two ways to say one thing.", "Keep one of them.", key="none")
        return _state_check(section, model) if section.get("at") is not None else None
    for key in states:
        section.add_problem(f"`{key}` is about one evaluation and needs `at`.", key=key)
    own = section.get(kinds[0])
    if own is None:
        return None
    if kinds[0] == "never":
        return _absence_check(own, section, model)
    if own.get("rule") is None or own.get("by") is None:
        return None
    _check_rule(own, model)
    if kinds[0] == "recovers":
        return RecoveryCheck(own.get("rule"), own.get("by"))
    return FiringCheck(own.get("rule"), own.get("by"), own.get("since"), own.get("severity"), _labels(own))


def _absence_check(own: Any, section: ParsedSection, model: Model) -> AbsenceCheck:
    if isinstance(own, str):
        _check_rule_name(own, section.value_node("never"), section.reader, model)
        return AbsenceCheck(own)
    _check_rule(own, model)
    return AbsenceCheck(own.get("rule", ""), own.get("severity"), own.get("since"), own.get("before"))


def _state_check(section: ParsedSection, model: Model) -> StateCheck:
    alerts = None
    if "alerts" in section or "none" in section:
        for own in section.get("alerts", ()):
            _check_rule(own, model)
        alerts = tuple(own.build(labels=_labels(own)) for own in section.get("alerts", ()))
        for alert, own in zip(alerts, section.get("alerts", ()), strict=True):
            _check_possible(alert, own)
    done = section.get("do", ())
    actions = (done,) if isinstance(done, str) else tuple(done)
    node = section.value_node("do")
    for action in actions:
        _check_action(action, node, section.reader, model)
    return StateCheck(section.get("at"), alerts, actions, _without(section, model))


def _check_possible(alert: ExpectedAlert, section: ParsedSection) -> None:
    if alert.severity is not None and alert.state.value == "quiet":
        section.add_problem("a rule that is quiet has no severity.", key="severity")


def _without(section: ParsedSection, model: Model) -> tuple[tuple[str, str], ...]:
    given = section.get("not", ())
    node = section.value_node("not")
    if isinstance(given, Mapping):
        pairs = tuple((action, guard) for action, (_, guard) in given.items())
        for action, (key, _) in given.items():
            _check_action(action, key, section.reader, model)
        return pairs
    names = [given] if isinstance(given, str) else given
    for action in names:
        _check_action(action, node, section.reader, model)
    return tuple((action, "") for action in names)


def _check_action(action: str, node: Node, reader: Reader, model: Model) -> None:
    known = {*BUILT_IN_ACTIONS, *(workflow.name for workflow in model.workflows)}
    if action not in known:
        reader.add_problem(node, f"{model.name} has no workflow `{shorten(action)}`.", did_you_mean(action, known))


def _check_rule(section: ParsedSection, model: Model) -> None:
    name = section.get("rule")
    if name is not None:
        _check_rule_name(name, section.value_node("rule"), section.reader, model)


def _check_rule_name(name: str, node: Node, reader: Reader, model: Model) -> None:
    if name in SILENT_IN_TESTS:
        reader.add_problem(node, f"`{name}` cannot fire in a test: {SILENT_IN_TESTS[name]}.")
        return
    known = {*(rule.name for rule in model.rules), *BUILT_IN_RULES}
    if name not in known:
        hint = did_you_mean(name, known, f"Rules that do: {', '.join(rule.name for rule in model.rules)}.")
        reader.add_problem(node, f"{model.name} has no rule `{shorten(name)}` that reads a series of this test.", hint)


def _labels(section: ParsedSection) -> Labels | None:
    given = section.get("labels")
    return None if given is None else labels_of({name: value for name, (_, value) in given.items()})


def _check_period(check: Check, section: ParsedSection, test: RuleTest) -> None:
    """A period that ends before it begins holds nothing."""
    end = check.by if isinstance(check, FiringCheck) else check.before if isinstance(check, AbsenceCheck) else None
    since = check.since if isinstance(check, FiringCheck | AbsenceCheck) else None
    if end is None or since is None:
        return
    length = end.at(test.start) - since.at(test.start)
    if length < 0 or (length == 0 and isinstance(check, AbsenceCheck)):
        section.add_problem("the period of this check ends before it begins.")


MAX_BEYOND = 30 * DAY
"""A check may be so long after the last point: nothing is logged then."""


def _check_moments(check: Check, section: ParsedSection, test: RuleTest, last: float) -> None:
    """A check before the first evaluation, or long after the last point, is about nothing that is written here."""
    for moment in check.moments:
        time = moment.at(test.start)
        if time < test.first_evaluation:
            first = format_duration(test.first_evaluation - test.start)
            hint = "Check later, or set the test's `warm_up`."
            section.add_problem(f"the check is before the first evaluation, {first} after the start.", hint)
        elif time > last + MAX_BEYOND:
            section.add_problem("the check is more than 30 days after the last point of the test.")
