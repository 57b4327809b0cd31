"""Runs rule tests through the code that judges, groups and plans: a replay of what the test says was logged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..backtest.logged_history import LoggedHistory, history_of_rows
from ..backtest.replay import replay
from ..backtest.result import ReplayResult, Span
from ..model.alert import Group, Judgement
from ..model.monitored_model import Config, Model, WandbSpec
from ..model.rule import Rule
from .cases import RuleTest
from .coverage import RuleCoverage, cover_rule
from .subject import subject_of

TIME_KEY, VERSION_KEY = "_test_time", "_test_version"
"""Under which a row of a test has its time and version, whatever the configuration calls them."""


@dataclass(slots=True)
class TestRun:
    """One test while its checks look at it."""

    __test__ = False  # no test of pytest's, though its name begins like one

    test: RuleTest
    span: Span
    result: ReplayResult
    groups: Mapping[float, tuple[Group, ...]]
    """What each evaluation found, by its time; without quiet groups."""
    history: LoggedHistory
    _coverages: dict[str, RuleCoverage] = field(default_factory=dict)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of which the test gives a series."""
        return self.history.model.rules

    def coverage(self, rule: Rule) -> RuleCoverage:
        """When it was judged, and on which series."""
        if rule.name not in self._coverages:
            self._coverages[rule.name] = cover_rule(self.history, rule, self.span)
        return self._coverages[rule.name]

    def evaluation_at(self, moment: float) -> float:
        """The last evaluation that is not after ``moment``."""
        place = int((min(moment, self.span.until) - self.span.since) // self.span.every)
        return self.span.since + max(place, 0) * self.span.every

    def groups_at(self, evaluation: float) -> dict[str, Group]:
        """What the evaluation at that time found, by rule."""
        return {group.rule: group for group in self.groups.get(evaluation, ())}


def start_run(test: RuleTest, config: Config) -> TestRun:
    """Replay the evaluations of a test."""
    model = config.model(test.model)
    assert model is not None  # noqa: S101 - the reader knows the model
    subject = subject_of(model, test.values or {})
    alone = replace(config, models=(subject,))
    history = test_history(test, subject)
    every = min(rule.every for rule in subject.rules)
    span = Span(test.first_evaluation, test.end, every)
    groups: dict[float, tuple[Group, ...]] = {}

    def observe(time: float, judgement: Judgement | None) -> None:
        if judgement is not None:
            groups[time] = judgement.groups

    result = replay(alone, {subject.name: history}, span, observer=observe)
    return TestRun(test, span, result, groups, history)


def test_history(test: RuleTest, model: Model) -> LoggedHistory:
    """The series of a test as rows of W&B."""
    reading = replace(model, wandb=WandbSpec(time=TIME_KEY, version=VERSION_KEY), table=None)
    return replace(history_of_rows(reading, _rows(test)), model=model)


def _rows(test: RuleTest) -> Iterator[dict[str, object]]:
    for place in range(test.points):
        row: dict[str, object] = {
            key: column[place]
            for key, column in (test.values or {}).items()
            if place < len(column) and column[place] is not None
        }
        if row:
            row[TIME_KEY] = test.start + place * test.every
            row["_timestamp"] = test.start + place * test.every + test.delay
            if place < len(test.versions) and test.versions[place]:
                row[VERSION_KEY] = test.versions[place]
            yield row
