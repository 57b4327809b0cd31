"""The scorecard of a simulated quarter, of which everything is known, gives the known figures exactly."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from scipy.stats import binomtest, poisson

from modelwatch.cli.earned_modes import print_modes
from modelwatch.config.loader import load_config
from modelwatch.context import RunContext, make_context
from modelwatch.model.earned_mode import AttemptOutcome
from modelwatch.model.monitored_model import Config
from modelwatch.model.rule import Mode
from modelwatch.model.scorecard import DurationFigure, Period, PeriodFigures, ShareFigure
from modelwatch.scorecard.alerts import NO_MARKS, ledger_alerts
from modelwatch.scorecard.earned_modes import judge_modes
from modelwatch.scorecard.figures import period_figures
from modelwatch.scorecard.issues import ReadRecords, read_records
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from modelwatch.timeutil import DAY, WEEK

from .quarter import ALICE, END, QUARTER, RULES, Quarter, TrueAlert

PERIOD = Period(END - QUARTER, END)


@pytest.fixture(scope="module")
def quarter() -> Iterator[Quarter]:
    """200 alerts in the quarter, six of them still under way, and 40 in the one before."""
    clock = [END - 2 * QUARTER]
    with Server(GitHubStandIn(clock=lambda: clock[0])) as github, Server(PagerDutyStandIn()) as pagerduty:
        played = Quarter(github, pagerduty, clock)
        played.fill(PERIOD.before.start, 2, seed=1)
        played.fill(PERIOD.start, 10, seed=2, keep_open=6)
        played.play()
        played.clock[0] = END
        yield played
        assert github.errors == []


@pytest.fixture(scope="module")
def context(quarter: Quarter) -> RunContext:
    return make_context(Config(quarter.models, "digest"), END, quarter.env)


@pytest.fixture(scope="module")
def found(context: RunContext) -> ReadRecords:
    return read_records(context, PERIOD.before.start)


@pytest.fixture(scope="module")
def figures(context: RunContext, found: ReadRecords) -> PeriodFigures:
    return period_figures(ledger_alerts(found.records), PERIOD, context.config)


def in_period(quarter: Quarter) -> list[TrueAlert]:
    return [alert for alert in quarter.alerts if alert.began >= PERIOD.start]


def known(lengths: Sequence[float | None]) -> DurationFigure:
    """By the definitions: the middle, and the value that 90 % do not exceed."""
    have = sorted(length for length in lengths if length is not None)
    middle = len(have) // 2
    half = have[middle] if len(have) % 2 else (have[middle - 1] + have[middle]) / 2
    most = next(length for length in have if sum(other <= length for other in have) >= 0.9 * len(have))
    return DurationFigure(len(have), half, most, len(lengths) - len(have))


def share(values: Sequence[bool]) -> ShareFigure:
    interval = binomtest(sum(values), len(values)).proportion_ci(method="wilson")
    return ShareFigure(sum(values), len(values), interval.low, interval.high)


def assert_share(figure: ShareFigure, values: Sequence[bool]) -> None:
    truth = share(values)
    assert (figure.count, figure.of) == (truth.count, truth.of)
    assert figure.low == pytest.approx(truth.low)
    assert figure.high == pytest.approx(truth.high)


def test_everything_is_read(found: ReadRecords, quarter: Quarter) -> None:
    assert found.problems == []
    assert found.unread == set()
    assert len(found.records) == len(quarter.alerts) == 240


def test_counts(figures: PeriodFigures, quarter: Quarter) -> None:
    alerts = in_period(quarter)
    assert (figures.alerts, figures.a_week) == (len(alerts), len(alerts) / 13) == (200, 200 / 13)
    assert figures.open == sum(alert.recovered is None for alert in alerts) == 6
    assert figures.pages == sum(2 if alert.story == "setback" else 1 for alert in alerts)
    assert (figures.joined, figures.incomplete) == (0, 0)


def test_lengths_of_time(figures: PeriodFigures, quarter: Quarter) -> None:
    real = [alert for alert in in_period(quarter) if not alert.false]
    assert figures.detect == known([alert.detected - alert.began for alert in real])
    assert figures.acknowledge == known([alert.acknowledged and alert.acknowledged - alert.detected for alert in real])
    assert figures.mitigate == known([alert.mitigated and alert.mitigated - alert.began for alert in real])
    assert figures.recover == known([alert.recovered and alert.recovered - alert.began for alert in real])


def test_false_alarms(figures: PeriodFigures, quarter: Quarter) -> None:
    decided = [alert for alert in in_period(quarter) if alert.recovered is not None or alert.false]
    assert_share(figures.false, [alert.false for alert in decided])
    assert figures.false.count > 40


def test_automation(figures: PeriodFigures, quarter: Quarter) -> None:
    over = [alert for alert in in_period(quarter) if not alert.false and alert.recovered is not None]
    assert_share(figures.answered, [alert.alone for alert in over])
    assert_share(figures.helped, [alert.story == "helped" for alert in over if alert.automation_ended])


def test_rules(figures: PeriodFigures, quarter: Quarter) -> None:
    assert len(figures.rules) == 20
    for row in figures.rules:
        alerts = [alert for alert in in_period(quarter) if (alert.model, alert.rule) == (row.model, row.rule)]
        assert (row.alerts, row.a_week) == (10, 10 / 13)
        assert_share(row.false, [alert.false for alert in alerts if alert.recovered is not None or alert.false])
        assert row.recover == known(
            [alert.recovered and alert.recovered - alert.began for alert in alerts if not alert.false]
        )
        assert row.allowed == pytest.approx(13 * WEEK / (90 * DAY))
        assert row.over_budget == (poisson.sf(row.false.count - 1, 91 / 90) < 0.05)
    assert {row.over_budget for row in figures.rules} == {True, False}


def test_workflows(figures: PeriodFigures, quarter: Quarter) -> None:
    starts: dict[str, list[tuple[float, bool]]] = {}
    for alert in quarter.alerts:
        starts.setdefault(alert.model, []).append((alert.detected, alert.began >= PERIOD.start))
    rows = {(row.model, row.verb): row for row in figures.workflows}
    soon_in_all = 0
    for model, of_model in starts.items():
        row, ordered = rows[model, "retrain"], sorted(of_model)
        soon = sum(counts and time - before < 7 * DAY for (before, _), (time, counts) in pairwise(ordered))
        alerts = [alert for alert in in_period(quarter) if alert.model == model]
        first = [alert.conclusions[0] == "success" for alert in alerts]
        assert (row.started, row.automatic, row.proposed, row.too_soon) == (20, 20, 0, soon)
        assert_share(row.success, first)
        over = [alert for alert in alerts if alert.recovered is not None and not alert.false]
        assert_share(row.helped, [alert.story == "helped" for alert in over if alert.conclusions[0] == "success"])
        soon_in_all += soon
    assert 20 < soon_in_all < 200
    by_hand = [alert for alert in in_period(quarter) if alert.story == "approved"]
    degraded = [rows[model, "degrade"] for model in {alert.model for alert in by_hand}]
    assert sum(row.started for row in degraded) == len(by_hand) > 10
    assert sum(row.automatic for row in degraded) == 0
    assert sum(row.helped.count for row in degraded) == len(by_hand)


def test_the_period_before(context: RunContext, found: ReadRecords, quarter: Quarter) -> None:
    before = period_figures(ledger_alerts(found.records), PERIOD.before, context.config)
    alerts = [alert for alert in quarter.alerts if alert.began < PERIOD.start]
    assert before.alerts == len(alerts) == 40
    assert before.false.count == sum(alert.false for alert in alerts)
    assert {row.rule for row in before.rules} == set(RULES)


def test_an_alert_belongs_to_the_period_in_which_it_began(context: RunContext, found: ReadRecords) -> None:
    """Wherever a period is cut, each alert is in exactly one part."""
    alerts = ledger_alerts(found.records)
    for cut in (alerts[100].began, math.nextafter(alerts[100].began, math.inf), END - 20 * DAY):
        parts = [Period(PERIOD.before.start, cut), Period(cut, END)]
        counted = [period_figures(alerts, part, context.config).alerts for part in parts]
        assert sum(counted) == 240
        assert counted[1] == sum(alert.began >= cut for alert in alerts)


OUTCOMES = {
    "helped": AttemptOutcome.HELPED,
    "setback": AttemptOutcome.HARMFUL,
    "late": AttemptOutcome.WITHOUT_EFFECT,
    "open": AttemptOutcome.OPEN,
}
"""Of the retraining; in the other stories it fails or is cancelled."""


def test_the_record_of_each_automation(context: RunContext, found: ReadRecords, quarter: Quarter) -> None:
    modes = {(mode.model, mode.verb): mode for mode in judge_modes(context.config, found.records, END)}
    assert len(modes) == 2 * len(context.config.models)
    for model in context.config.models:
        own = sorted((alert.detected, alert.story) for alert in quarter.alerts if alert.model == model.name)
        truth = [OUTCOMES.get(story, AttemptOutcome.FAILED) for _, story in own]
        retrain, degrade = modes[model.name, "retrain"], modes[model.name, "degrade"]
        assert [attempt.outcome for attempt in retrain.attempts] == truth
        assert (retrain.counted, retrain.good) == (
            sum(outcome is not AttemptOutcome.OPEN for outcome in truth),
            truth.count(AttemptOutcome.HELPED),
        )
        assert (retrain.mode, retrain.next_mode, retrain.earned) == (Mode.ACT, None, False)
        approved = [story for _, story in own if story == "approved"]
        assert dict(degrade.outcomes) == ({AttemptOutcome.HELPED: len(approved)} if approved else {})
        assert {attempt.by for attempt in degrade.attempts} <= {ALICE}
    assert {modes[model.name, "retrain"].step_back for model in context.config.models} == {Mode.PROPOSE, None}


def test_the_pull_request_of_modes(
    quarter: Quarter, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record of ``degrade``, which people started, and of ``retrain``, which helps too seldom."""
    text = "".join(
        f"""\
  - name: {model.name}
    table: {{path: t.csv}}
    github: {{repository: acme/{model.name}}}
    workflows: {{retrain: retrain.yml, degrade: {{file: degrade.yml, mode: propose}}}}
    rules: [{{name: accuracy, kind: accuracy-drop, metric: a, tiers: {{error: {{below: 0.9}}}}}}]
"""
        for model in quarter.models
    )
    path = tmp_path / "modelwatch.yml"
    path.write_text(f"version: 1\nmodels:\n{text}")
    context = make_context(load_config(path, {}), END, quarter.env)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert print_modes(context, NO_MARKS, "json", tmp_path / "modes.patch") == 0
    found = json.loads(capsys.readouterr().out)
    back = [mode["model"] for mode in found["modes"] if mode["step_back"]]
    assert found["title"] == f"Change the modes of {len(back)} automations"
    assert 0 < len(back) < len(quarter.models)
    assert found["diff"] == (tmp_path / "modes.patch").read_text()
    assert found["diff"].count("\n+    workflows: {retrain: {file: retrain.yml, mode: propose}, ") == len(back)
    assert all(f"### `{name}` `retrain`: act → propose" in found["body"] for name in back)
    assert "mode: propose" not in path.read_text().replace("degrade.yml, mode: propose", ""), "nothing changes a mode"
