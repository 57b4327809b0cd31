"""Two configurations over the same history: what is paired, what is counted, and what the sentence says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.backtest.comparison import compare, join_for_pull
from modelwatch.backtest.result import ReplayResult
from modelwatch.backtest.scoring import score
from modelwatch.model.backtest import BacktestComparison, FalseMark, MarkedIncident, Marks, RuleStatus
from modelwatch.model.monitored_model import Config, TableSpec
from modelwatch.model.plan import ChangeKind
from modelwatch.report.backtest_comparison import comparison_markdown, comparison_sentence, summary_rows

from .making import HOUR, at, config, effect, episode, incident, page, result, rule

DROP = incident(100, 148, name="the 5 November drop")


def comparison(
    before: ReplayResult,
    after: ReplayResult,
    *incidents: MarkedIncident,
    old: Config | None = None,
    new: Config | None = None,
    false: tuple[FalseMark, ...] = (),
) -> BacktestComparison:
    old, new, marks = old or config(), new or config(rule(digest="r2")), Marks(incidents, false)
    return compare("main", score(old, before, marks), score(new, after, marks), old, new)


def sentence(found: BacktestComparison) -> str:
    return comparison_sentence(found, str)


def test_pages_and_an_incident_that_is_found_earlier() -> None:
    before = result(episode(110, 150), effects=(page(110), page(200)))
    after = result(episode(103, 150), effects=(page(103), page(120), page(200), page(220), page(300)))
    assert sentence(comparison(before, after, DROP)) == (
        "In the 28 days until 2026-11-29, this change would have paged 3 more times (5 instead of 2), and found "
        "the 5 November drop 7 h earlier."
    )


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ((episode(103, 150),), (), "missed the 5 November drop, which main finds."),
        ((), (episode(103, 150),), "found the 5 November drop, which main misses."),
        ((episode(103, 150),), (episode(104, 150),), "found the 5 November drop 1 h later."),
        ((episode(20, 30),), (), "paged as often (never), and raised 1 fewer alert (0 instead of 1)."),
        (
            (episode(20, 30),),
            (episode(18, 30),),
            "paged as often (never), and raised accuracy of 1 November 2 h earlier.",
        ),
    ],
)
def test_what_else_can_differ(before: tuple, after: tuple, says: str) -> None:  # type: ignore[type-arg]
    assert sentence(comparison(result(*before), result(*after), DROP)).endswith(f"would have {says}")


def test_no_difference_is_one_sentence_without_a_table() -> None:
    both = result(episode(103, 150), effects=(page(103),))
    found = comparison(both, both, DROP)
    assert sentence(found) == (
        "No difference: both configurations raise the same alert and page once in the 28 days until 2026-11-29. "
        "Without an effect here: accuracy (changed)."
    )
    assert "| main" not in comparison_markdown(found).split("<details>")[0]


def test_rules_that_only_one_side_has() -> None:
    old, new = config(rule(), rule("latency")), config(rule(), rule("volume"))
    found = comparison(
        result(episode(50, 60, rule="latency")), result(episode(70, 80, rule="volume")), old=old, new=new
    )
    assert {change.rule: change.status for change in found.rules} == {
        "accuracy": RuleStatus.SAME,
        "volume": RuleStatus.ADDED,
        "latency": RuleStatus.REMOVED,
    }
    by_rule = {change.rule: change for change in found.rules}
    assert by_rule["volume"].before is None
    assert by_rule["latency"].after is None
    assert [alert.rule for alert in found.only_after] == ["volume"]
    assert [alert.rule for alert in found.only_before] == ["latency"]
    assert sentence(found).endswith(" It adds volume, and removes latency.")
    text = comparison_markdown(found)
    assert "| `churn` `volume` | new | — → 0.25 |" in text
    assert "| `churn` `latency` | removed | 0.25 → — |" in text


def test_a_built_in_rule_that_fires_on_one_side_only() -> None:
    silent = replace(episode(50, 60, rule="monitoring-silent"), kind="monitoring-silent")
    found = comparison(result(silent), result())
    (_, change) = found.rules
    assert change.status is RuleStatus.SAME
    assert (change.before.alerts, change.after.alerts) == (1, 0)  # type: ignore[union-attr]


def test_alerts_are_paired_by_rule_and_overlap_each_once() -> None:
    before = result(episode(100, 150), episode(200, 210))
    after = result(episode(98, 120), episode(125, 150), episode(300, 310))
    found = comparison(before, after)
    assert [(shift.before.fired, shift.earlier) for shift in found.shifts] == [(at(100), 2 * HOUR)]
    assert [alert.fired for alert in found.only_after] == [at(125), at(300)]
    assert [alert.fired for alert in found.only_before] == [at(200)]


def test_a_model_that_one_side_cannot_replay_counts_on_neither() -> None:
    two = Config((*config().models, *config(model="credit").models), "c2")
    before = result(episode(10, 20), episode(10, 20, model="credit"), effects=(page(10),))
    after = result(episode(10, 20, model="credit"), errors=(("churn", "W&B is down"),))
    found = comparison(before, after, old=two, new=two)
    assert "No difference: both configurations raise the same alert" in sentence(found)
    assert {change.model for change in found.rules} == {"credit"}
    assert "⚠️ `churn is not in these figures: W&B is down`" in comparison_markdown(found)


def test_false_alarms_and_workflows_are_in_the_table() -> None:
    mark = FalseMark("churn", "accuracy", at(10), at(20))
    dispatch = effect(15, ChangeKind.DISPATCH_WORKFLOW, verb="retrain")
    found = comparison(result(episode(10, 20), effects=(dispatch,)), result(), false=(mark,))
    assert found.before is not None
    rows = summary_rows(found.before, found.after)
    assert ("False alarms (marked)", "1", "0", "−1") in rows
    assert ("Workflows started", "1", "0", "−1") in rows
    assert "Messages" not in {row[0] for row in rows}
    assert "1 fewer alert that people marked as false" in sentence(found)


def test_workflows_stand_beside_pages_in_the_sentence() -> None:
    dispatches = tuple(effect(hour, ChangeKind.DISPATCH_WORKFLOW, verb="retrain") for hour in (15, 40, 60))
    found = comparison(result(episode(10, 20), effects=dispatches), result(episode(10, 20), effects=(page(10),)))
    assert sentence(found).endswith(
        "would have paged 1 more time (1 instead of 0), and started 3 fewer workflows (0 instead of 3)."
    )


def test_a_comment_fits_however_much_there_is() -> None:
    rules = tuple(rule(f"rule-{number}-{'x' * 50}") for number in range(3000))
    episodes = tuple(episode(10, 20, rule=one.name) for one in rules)
    text = comparison_markdown(comparison(result(), result(*episodes), old=config(*rules), new=config(*rules)))
    assert len(text) < 62_000
    assert text.count("<details>") == text.count("</details>")


def test_nothing_to_compare_with_shows_the_present_one_alone() -> None:
    after = score(config(), result(episode(10, 20), effects=(page(10),)), Marks())
    text = comparison_markdown(BacktestComparison("main", after, None, "main has no configuration at modelwatch.yml."))
    assert "There is nothing to compare with: `main has no configuration at modelwatch.yml.`" in text
    assert "1 alert (0.25 a week): 0 issues, 1 page." in text


def test_the_pull_brings_what_both_need() -> None:
    old, new = config(rule(), rule("latency")), config(rule(digest="r2"), rule("volume"))
    joined, moved = join_for_pull(old, new)
    assert moved == ()
    assert [one.name for one in joined.models[0].rules] == ["accuracy", "volume", "accuracy@before", "latency"]


def test_a_model_that_reads_elsewhere_is_pulled_apart() -> None:
    old, new = (Config((replace(config().models[0], table=TableSpec(path)),), "c") for path in ("a.csv", "b.csv"))
    joined, moved = join_for_pull(old, new)
    assert moved == ("churn",)
    assert joined.models[0].table == TableSpec("b.csv")


def test_a_model_that_only_the_other_side_has_is_pulled_too() -> None:
    joined, moved = join_for_pull(config(model="credit"), config())
    assert [model.name for model in joined.models] == ["churn", "credit"]
    assert moved == ()
