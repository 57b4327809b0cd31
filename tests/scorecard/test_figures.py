"""The arithmetic of the scorecard against SciPy, NumPy and cases by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, poisson

from modelwatch.model.earned_mode import EarnedMode
from modelwatch.model.monitored_model import Config
from modelwatch.model.register import DispatchState
from modelwatch.model.rule import Mode
from modelwatch.model.scorecard import AlertWorkflow, Coverage, LabelDelay, LedgerAlert, Period, Scorecard
from modelwatch.model.severity import Severity
from modelwatch.report.scorecard import scorecard_markdown
from modelwatch.scorecard.figures import (
    duration_figure,
    period_figures,
    poisson_tail,
    share_figure,
    workflow_figures,
)
from modelwatch.timeutil import DAY, WEEK

NOTHING = Config((), "")
PERIOD = Period(0.0, 13 * WEEK)


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e7)), max_size=60))
def test_lengths(lengths: list[float | None]) -> None:
    known = [length for length in lengths if length is not None]
    found = duration_figure(lengths)
    assert (found.n, found.without) == (len(known), len(lengths) - len(known))
    if known:
        assert found.median == pytest.approx(float(np.median(known)))
        assert found.p90 == np.quantile(known, 0.9, method="inverted_cdf")
    else:
        assert (found.median, found.p90) == (None, None)


@given(st.integers(1, 400).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_shares(pair: tuple[int, int]) -> None:
    found, truth = share_figure(*pair), binomtest(*pair).proportion_ci(method="wilson")
    assert found.share == pair[0] / pair[1]
    assert (found.low or 0.0) == pytest.approx(truth.low, abs=1e-12)
    assert (found.high or 0.0) == pytest.approx(truth.high, abs=1e-12)


def test_a_share_of_nothing_is_unknown_and_not_0() -> None:
    found = share_figure(0, 0)
    assert (found.share, found.low, found.high) == (None, None, None)


@given(st.integers(0, 60), st.floats(1e-6, 50))
def test_the_tail_of_poisson(count: int, mean: float) -> None:
    assert poisson_tail(count, mean) == pytest.approx(poisson.sf(count - 1, mean), abs=1e-12)


def alert(began: float, *flows: AlertWorkflow, recovered: float | None = None) -> LedgerAlert:
    name = ("churn", "accuracy", "acme/churn", 1, "", Severity.ERROR)
    return LedgerAlert(
        *name, began, False, began, recovered=recovered, is_open=recovered is None, workflows=flows
    )  # fmt: skip


def alert_of(model: str, *flows: AlertWorkflow) -> LedgerAlert:
    return replace(alert(0.0, *flows), model=model)


def start(at: float, verb: str = "retrain", state: DispatchState = DispatchState.FINISHED) -> AlertWorkflow:
    return AlertWorkflow(f"{verb}.{at}", verb, state, at, "", "success", at + 60)


def test_too_soon_is_less_than_a_week_after_the_start_before() -> None:
    alerts = [
        alert(-DAY, start(-DAY)),
        alert(0.0, start(0.0)),
        alert(7 * DAY, start(7 * DAY), start(7 * DAY + 1, "rollback")),
        alert(14 * DAY - 1, start(14 * DAY - 1)),
        alert(15 * DAY, start(15 * DAY, state=DispatchState.REJECTED)),
    ]
    rows = {row.verb: row for row in workflow_figures(alerts, PERIOD)}
    assert (rows["retrain"].started, rows["retrain"].proposed, rows["retrain"].too_soon) == (3, 1, 2)
    assert rows["rollback"].too_soon == 0


def test_the_end_of_a_period_is_the_beginning_of_the_next() -> None:
    alerts = [alert(PERIOD.end), alert(PERIOD.start), alert(PERIOD.end - 1)]
    assert period_figures(alerts, PERIOD, NOTHING).alerts == 2
    assert period_figures(alerts, PERIOD.before, NOTHING).alerts == 0
    assert period_figures(alerts, Period(PERIOD.end, PERIOD.end + DAY), NOTHING).alerts == 1


def test_a_fleet_fits_on_an_issue() -> None:
    """A thousand models with rules, workflows, keys and labels: the rest is in the JSON, and the text says so."""
    names = [f"model-{number:04}" for number in range(1000)]
    alerts = [alert_of(name, start(60.0 + place)) for place, name in enumerate(names)]
    figures = period_figures(alerts, PERIOD, NOTHING)
    coverage = Coverage(
        1000, 1000, tuple(names), tuple((name, "r") for name in names), tuple((name, "r") for name in names),
        tuple((name, ("loss",)) for name in names), 1000, tuple((name, f"{name} is away") for name in names),
    )  # fmt: skip
    delays = tuple(LabelDelay(name, 1.0, 2.0) for name in names)
    modes = tuple(
        EarnedMode(name, "retrain", Mode.ACT, None, False, 1, 1, 0.05, 1.0, 0) for name in names
    )  # fmt: skip
    card = Scorecard(0.0, PERIOD, figures, figures, coverage, delays, problems=tuple(names[:20]), modes=modes)
    text = scorecard_markdown(card)
    assert len(text) < 30_000
    assert text.count("985 more are in the JSON.") == 5
