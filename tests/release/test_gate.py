"""Promote, hold or reject, each with its reasons."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.model.gate import GateCheck, GateDecision, GateReport, GateRow, GateVerdict
from modelwatch.model.monitored_model import GateSpec
from modelwatch.model.rule import Direction
from modelwatch.release.comparison import Comparison, ComparisonProblem
from modelwatch.release.gate import GateSubject, judge_candidate, metric_direction
from modelwatch.release.gate_rows import format_bound, format_number, format_signed
from modelwatch.report.formatting import number
from modelwatch.report.release_verdicts import gate_markdown, signed_number
from modelwatch.stats.paired.paired_rows import PairedColumn, PairedRows
from tests.stats.paired.making import of_numbers

from .tables import counted, part, table

ABOUT = GateSubject("churn", "1.3.0 (v7)", "1.4.0 (v8)", 1_780_000_000.0)
SPEC = GateSpec(segments=("region",))

BETTER = (8500, 600, 300, 600)
SAME = (8500, 450, 450, 600)
WORSE = (8500, 300, 600, 600)
UNSURE = (850, 47, 44, 59)


def decided(recent: Comparison, holdout: Comparison | None = None, spec: GateSpec = SPEC) -> GateReport:
    return judge_candidate([*([holdout] if holdout else []), recent], spec, ABOUT)


def rows_of(gate: GateReport, check: GateCheck, part: str = "") -> list[GateRow]:
    return [row for row in gate.rows if row.check is check and part in ("", row.part)]


def test_better_everywhere_is_promoted_with_the_reasons() -> None:
    gate = decided(counted("recent", eu=BETTER, us=BETTER), counted("holdout", eu=BETTER, us=BETTER))
    assert gate.decision is GateDecision.PROMOTE
    assert gate.reasons[0].startswith("recent: accuracy 0.91 against 0.88 (+0.0")
    assert gate.reasons[1].startswith("holdout: accuracy")
    assert "None of 2 guarded segments is worse by 0.01 or more." in gate.reasons
    assert {row.verdict for row in rows_of(gate, GateCheck.SEGMENT)} == {GateVerdict.SUPERIOR}


def test_better_now_and_as_good_on_the_holdout_is_promoted() -> None:
    """The recent window is what it will serve; the holdout only has to be no worse."""
    many = tuple(10 * count for count in SAME)
    gate = decided(counted("recent", eu=BETTER), counted("holdout", eu=many))  # type: ignore[arg-type]
    assert gate.decision is GateDecision.PROMOTE
    (holdout,) = rows_of(gate, GateCheck.PRIMARY, "holdout")
    assert holdout.verdict is GateVerdict.NON_INFERIOR


def test_better_on_the_holdout_alone_is_held() -> None:
    many = tuple(10 * count for count in SAME)
    gate = decided(counted("recent", eu=many), counted("holdout", eu=BETTER))  # type: ignore[arg-type]
    assert gate.decision is GateDecision.HOLD
    assert "not proven better: the interval includes 0." in gate.reasons[0]


def test_94_2_against_94_1_is_held_by_its_interval() -> None:
    gate = decided(counted("recent", all=(920, 22, 21, 37)), spec=GateSpec())
    (row,) = rows_of(gate, GateCheck.PRIMARY)
    assert (row.candidate, row.champion) == (0.942, 0.941)
    assert row.low is not None
    assert row.high is not None
    assert row.low < 0 < row.high
    assert gate.decision is GateDecision.HOLD
    assert "A difference of this size needs about 180,000 rows." in row.words


def test_94_2_against_94_1_of_a_million_rows_is_promoted() -> None:
    """The same figures; many more rows."""
    gate = decided(counted("recent", all=(920_000, 22_000, 21_000, 37_000)), spec=GateSpec())
    assert gate.decision is GateDecision.PROMOTE
    assert "0.942 against 0.941" in gate.reasons[0]


def test_worse_overall_is_rejected() -> None:
    gate = decided(counted("recent", eu=WORSE, us=SAME), counted("holdout", eu=SAME, us=SAME))
    assert gate.decision is GateDecision.REJECT
    assert gate.reasons[0].startswith("recent: accuracy")
    assert "eu" in gate.reasons[1]


def test_worse_on_the_holdout_is_rejected_unless_it_won_elsewhere() -> None:
    assert decided(counted("recent", eu=SAME), counted("holdout", eu=WORSE)).decision is GateDecision.REJECT
    assert decided(counted("recent", eu=BETTER), counted("holdout", eu=WORSE)).decision is GateDecision.HOLD


def test_a_segment_that_is_lost_rejects_what_did_not_win() -> None:
    """As many won as lost: the whole is level, one segment is not."""
    gate = decided(counted("recent", eu=BETTER, us=(8500, 290, 590, 620)))
    (whole,) = rows_of(gate, GateCheck.PRIMARY)
    assert whole.verdict is not GateVerdict.SUPERIOR
    assert gate.decision is GateDecision.REJECT
    assert gate.reasons[0].startswith("recent, region=us (50 % of the rows): accuracy")


def valued(worth: dict[str, float], **segments: tuple[int, int, int, int]) -> Comparison:
    found = counted("recent", **segments)
    each = np.array([worth[name] for name in segments])
    return replace(found, pairs=replace(found.pairs, worth=each[found.segments[0].codes]))


def test_a_candidate_that_wins_overall_and_loses_its_most_valuable_segment_is_held() -> None:
    rows = valued({"web": 1.0, "shop": 2.0, "gold": 900.0}, web=BETTER, shop=WORSE, gold=(850, 20, 60, 70))
    gate = decided(replace(rows, pairs=rows.pairs))
    (whole,) = rows_of(gate, GateCheck.PRIMARY)
    losing = [row for row in rows_of(gate, GateCheck.SEGMENT) if row.verdict is GateVerdict.INFERIOR]
    assert [row.segment for row in losing] == ["region=gold", "region=shop"]
    assert whole.verdict is not GateVerdict.WORSE
    many = valued({"web": 1.0, "gold": 900.0}, web=tuple(5 * n for n in BETTER), gold=(850, 20, 60, 70))  # type: ignore[arg-type]
    gate = decided(many)
    assert rows_of(gate, GateCheck.PRIMARY)[0].verdict is GateVerdict.SUPERIOR
    assert gate.decision is GateDecision.HOLD
    assert "better: the interval excludes 0" in gate.reasons[0]
    assert gate.reasons[1].startswith("recent, region=gold (94.7 % of the value): accuracy 0.87 against 0.91")


def test_a_segment_that_cannot_be_decided_holds() -> None:
    gate = decided(counted("recent", eu=BETTER, us=UNSURE))
    assert gate.decision is GateDecision.HOLD
    assert "region=us" in gate.reasons[-1]
    assert "the margin is 0.01" in gate.reasons[-1]


def test_a_segment_with_too_few_rows_is_told_and_not_guarded() -> None:
    gate = decided(counted("recent", eu=BETTER, us=(10, 0, 40, 0)))
    assert gate.decision is GateDecision.PROMOTE
    told = [row for row in rows_of(gate, GateCheck.SEGMENT) if row.verdict is GateVerdict.REPORTED]
    assert [(row.n, row.words) for row in told] == [(50, "1 value has fewer than 100 rows; not guarded.")]


def test_rows_that_never_differ_prove_nothing() -> None:
    """A hundred rows alike leave room for more than the margin; ten thousand do not."""
    gate = decided(counted("recent", eu=BETTER, us=(90, 0, 0, 20)))
    (row,) = [row for row in rows_of(gate, GateCheck.SEGMENT) if row.segment == "region=us"]
    assert row.verdict is GateVerdict.UNDECIDED
    gate = decided(counted("recent", eu=BETTER, us=(9000, 0, 0, 2000)))
    assert gate.decision is GateDecision.PROMOTE


def test_fewer_rows_than_the_least_are_no_judgement() -> None:
    gate = decided(counted("recent", eu=(0, 99, 0, 0)))
    assert gate.decision is GateDecision.HOLD
    assert "99 rows are fewer than the 100" in gate.reasons[0]


def test_few_rows_that_differ_are_tested_exactly() -> None:
    """Five won and none lost: the score interval is above 0, the exact test is not below alpha."""
    gate = decided(counted("recent", eu=(95, 5, 0, 0)), spec=GateSpec())
    (row,) = rows_of(gate, GateCheck.PRIMARY)
    assert row.low is not None
    assert row.low > 0
    assert row.p == pytest.approx(0.0625)
    assert row.verdict is GateVerdict.UNDECIDED
    assert "McNemar" in row.words


def test_what_cannot_be_trusted_is_held_whatever_it_says() -> None:
    trouble = ComparisonProblem("rows", "12 rows of the champion's table are missing in the candidate's.", 12)
    for counts in (BETTER, WORSE):
        gate = decided(replace(counted("recent", eu=counts), problems=(trouble,)))
        assert gate.decision is GateDecision.HOLD
        assert gate.reasons[0] == "recent: 12 rows of the champion's table are missing in the candidate's."


def test_one_part_alone_is_told() -> None:
    assert "there is no holdout to compare on." in decided(counted("recent", eu=BETTER)).notes
    gate = judge_candidate([counted("holdout", eu=BETTER)], SPEC, ABOUT)
    assert gate.decision is GateDecision.PROMOTE
    assert "there is no recent to compare on." in gate.notes


@pytest.mark.parametrize(
    ("factor", "verdict", "decision"),
    [
        (0.9, GateVerdict.SUPERIOR, GateDecision.PROMOTE),
        (1.02, GateVerdict.NON_INFERIOR, GateDecision.PROMOTE),
        (1.1, GateVerdict.UNDECIDED, GateDecision.HOLD),
        (1.5, GateVerdict.INFERIOR, GateDecision.HOLD),
    ],
)
def test_a_slower_candidate_is_held(factor: float, verdict: GateVerdict, decision: GateDecision) -> None:
    base = np.random.default_rng(1).lognormal(3, 0.4, 20_000)
    sides = PairedColumn(base, base * factor * np.random.default_rng(2).lognormal(0, 0.1, 20_000) / np.exp(0.015))
    gate = decided(replace(counted("recent", eu=BETTER), latency=sides), spec=replace(SPEC, latency="ms"))
    (row,) = rows_of(gate, GateCheck.LATENCY)
    assert (row.what, row.verdict, gate.decision) == ("p95 of ms", verdict, decision)
    if row.low is not None and row.high is not None and row.difference is not None:
        assert row.low < row.difference < row.high


def test_a_latency_that_is_asked_for_and_not_there_holds() -> None:
    gate = decided(counted("recent", eu=BETTER), spec=replace(SPEC, latency="ms"))
    assert gate.decision is GateDecision.HOLD
    assert "both have it in 0 rows" in gate.reasons[-1]


def test_lower_is_better_where_the_metric_says_so() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(0, 1, 5000)
    rows = Comparison("recent", of_numbers(truth, truth + rng.normal(0, 1, 5000), truth + rng.normal(0, 0.8, 5000)))
    assert decided(rows, spec=GateSpec(metric="mae")).decision is GateDecision.PROMOTE
    turned = of_numbers(truth, rows.pairs.numbers.candidate, rows.pairs.numbers.champion)  # type: ignore[union-attr]
    assert decided(Comparison("recent", turned), spec=GateSpec(metric="mae")).decision is GateDecision.REJECT
    assert metric_direction(GateSpec(metric="mae")) is Direction.LOWER
    assert metric_direction(GateSpec(metric="accuracy", better=Direction.LOWER)) is Direction.HIGHER
    assert metric_direction(GateSpec(metric="mine.cost", better=Direction.LOWER)) is Direction.LOWER


def test_a_metric_that_is_not_defined_holds() -> None:
    rng = np.random.default_rng(1)
    sides = PairedColumn(rng.random(500), rng.random(500))
    rows = Comparison("recent", PairedRows(500, positive=np.ones(500, bool), scores=sides))
    gate = decided(rows, spec=GateSpec(metric="auc"))
    assert gate.decision is GateDecision.HOLD
    assert "auc is not defined on these rows" in gate.reasons[0]


def test_agreement_and_calibration_are_told(tmp_path: Path) -> None:
    gate = judge_candidate([part(tmp_path, table(seed=1), table(seed=2))], SPEC, ABOUT)
    assert {row.what for row in rows_of(gate, GateCheck.AGREEMENT)} == {"same prediction", "Cohen's kappa"}
    assert {row.what for row in rows_of(gate, GateCheck.CALIBRATION)} == {"brier", "calibration error"}
    assert {row.what for row in rows_of(gate, GateCheck.METRIC)} == {"precision", "recall", "f1", "auc", "log_loss"}
    assert {row.verdict for check in (GateCheck.AGREEMENT, GateCheck.CALIBRATION) for row in rows_of(gate, check)} == {
        GateVerdict.REPORTED
    }


counts = st.tuples(*(st.integers(0, 300) for _ in range(4)))


@given(counts, counts, st.floats(0.001, 0.2), st.sampled_from([0.01, 0.05, 0.2]))
@settings(max_examples=60, deadline=None)
def test_a_promotion_has_every_reason_it_needs(
    eu: tuple[int, int, int, int], us: tuple[int, int, int, int], margin: float, alpha: float
) -> None:
    spec = replace(SPEC, margin=margin, alpha=alpha)
    gate = decided(counted("recent", eu=eu, us=us), spec=spec)
    (whole,) = rows_of(gate, GateCheck.PRIMARY)
    guarded = [row for row in rows_of(gate, GateCheck.SEGMENT) if row.verdict is not GateVerdict.REPORTED]
    if gate.decision is GateDecision.PROMOTE:
        assert whole.low is not None
        assert whole.low > 0
        assert whole.p is not None
        assert whole.p <= alpha
        assert all(row.low is not None and row.low > -margin for row in guarded)
    if gate.decision is GateDecision.REJECT:
        assert whole.low is None or whole.low <= 0 or (whole.p or 0) > alpha
        beyond = [row for row in guarded if row.high is not None and row.high < -margin]
        assert beyond or (whole.high is not None and whole.high < 0)
    assert gate.reasons


def test_a_better_candidate_is_never_decided_worse() -> None:
    """Winning more rows moves the decision up, never down."""
    order = [GateDecision.REJECT, GateDecision.HOLD, GateDecision.PROMOTE]
    places = [
        order.index(decided(counted("recent", eu=(8000, won, 900 - won, 1100))).decision) for won in range(0, 901, 25)
    ]
    assert places == sorted(places)
    assert set(places) == {0, 1, 2}


def test_a_bound_reads_the_same_in_the_interval_and_in_the_sentence() -> None:
    """``−0.302 %`` in one and ``0.3 %`` in the other looked like two values."""
    for size in (0.000882, 0.0302, 0.123456, 12345.6):
        bound = format_bound(size)
        assert format_signed(-size) == signed_number(-size) == f"−{bound}"
        assert format_number(size) == number(size)
    part = {"segment": "region=eu", "worth": 0.00088, "worth_of": "rows"}
    row = replace(GateRow(GateCheck.SEGMENT, "holdout", "accuracy", GateVerdict.INFERIOR, "worse."), **part)  # type: ignore[arg-type]
    report = GateReport(0.0, "churn", "v6", "v7", "accuracy", "higher", 0.05, 0.01, GateDecision.HOLD, (), (row,))
    assert "region=eu (0.088 % of the rows)" in gate_markdown(report)
