"""Stories of the next step: what is offered works, and the most useful one comes first."""

from __future__ import annotations

from .causes import MISSING, SEGMENTED, break_the_data, regions
from .stories import page_somebody, proposing, roll_back, story
from .timeline import CRITICAL, ERROR, HEALTHY, RULES, WARNING, Timeline, model_config

RETRAINED = RULES.replace("warning:  {drop: 2%,  do: [issue]}", "warning:  {drop: 2%,  do: [issue, retrain]}")
ROLLED_BACK = "critical: {drop: 10%, do: [issue, page, rollback]}"
BOTH = RETRAINED.replace("critical: {drop: 10%, do: [issue, page]}", ROLLED_BACK)


def workflows(**modes: str) -> str:
    """``workflows:`` with the mode of each verb."""
    each = ", ".join(f"{verb}: {{file: {verb}.yml, mode: {mode}, settle: 2h}}" for verb, mode in modes.items())
    return f"    workflows: {{{each}}}\n"


@story()
def no_version_to_go_back_to(time: Timeline) -> None:
    """Where no earlier version is known, a rollback to nowhere is not offered"""
    page_somebody(time, proposing(), CRITICAL)
    time.expect(no_step="approve rollback", step="runbook|look|find|check", verdict="^(?!.*approve rollback)")


@story()
def proposals_keep_the_guards(time: Timeline) -> None:
    """A retraining that the guards refuse is not proposed either: the data come first"""
    rules = MISSING + RULES.replace("do: [issue, page]}", "do: [issue, page, retrain]}")
    break_the_data(time, model_config(rules=rules, more=workflows(retrain="propose")))
    time.expect(no_step="approve retrain", step="Fix the data", dispatched=())
    time.expect(verdict="^(?!.*approve retrain)", details="Fix the data")


@story()
def retraining_hides_no_rollback(time: Timeline) -> None:
    """A retraining that runs hides no rollback that waits for a decision"""
    time.configure(model_config(rules=BOTH, more=workflows(retrain="act", rollback="propose")))
    time.deploy("v7")
    time.data(accuracy=WARNING)
    time.until(3)
    time.expect(woken=0, dispatched=("retrain",))
    time.data(accuracy=CRITICAL)
    time.until(6)
    time.expect(woken=1, step="approve rollback.1", verdict="Next: .*approve rollback.1", details="approve rollback.1")


@story()
def retraining_changed_nothing(time: Timeline) -> None:
    """A retraining that succeeded and changed nothing is followed up"""
    time.configure(model_config(rules=RETRAINED, more=workflows(retrain="act")))
    time.data(accuracy=WARNING)
    time.until(3)
    time.expect(dispatched=("retrain",))
    time.finish("retrain")
    time.until(7)
    time.expect(woken=0, step="Check whether the model of the retrain", verdict="Next: Check whether the model of the")
    time.expect(dispatched=("retrain",), issues=1)


@story()
def no_retraining_on_the_way_down(time: Timeline) -> None:
    """On the way from critical to healthy, through the tier that retrains, nothing is retrained"""
    flows = workflows(retrain="act", rollback="propose").replace("settle: 2h", "settle: 6h")
    roll_back(time, model_config(rules=BOTH, more=flows))
    time.deploy("v6")
    time.data(accuracy=WARNING)
    time.until(7)
    time.data(accuracy=HEALTHY)
    time.until(11)
    time.expect(woken=0, dispatched=("rollback",), issues=0)


@story()
def no_retraining_for_a_segment_that_a_release_broke(time: Timeline) -> None:
    """One region broke with a release: it is not retrained away"""
    rules = SEGMENTED.replace("do: [issue]}", "do: [issue, retrain]}").replace(
        "do: [issue, page]}", "do: [issue, page, retrain]}"
    )
    time.configure(model_config(rules=rules, more=workflows(retrain="act", rollback="propose")))
    time.data("churn", **regions(HEALTHY))
    time.until(2)
    time.deploy("v7")
    time.data("churn", **regions(HEALTHY, eu=CRITICAL))
    time.until(6)
    time.expect(woken=1, dispatched=(), step="roll back to `v6`", verdict="roll back to v6")


@story()
def failed_rollback_in_diagnose(time: Timeline) -> None:
    """After a rollback that failed, `diagnose`, the issue and the page speak of it"""
    roll_back(time, conclusion="failure")
    time.until(6)
    time.expect(woken=1, page="Rollback.1 ended in failure", details="Find out why the rollback to v6 failed")
    time.expect(step="Find out why the rollback to `v6` failed", verdict="Next: Find out why the rollback to v6 failed")


@story(causes=2)
def diagnose_shows_the_worst(time: Timeline) -> None:
    """`diagnose` without a model is about the worst one, and names the others"""
    time.configure(model_config("churn"), model_config("fraud"))
    time.data("churn", accuracy=ERROR)
    time.data("fraud", accuracy=CRITICAL)
    time.until(3)
    time.expect(woken=2, verdict="^CRITICAL · fraud.*churn")


@story()
def newest_action_leads(time: Timeline) -> None:
    """After a degrade that succeeded somebody starts a retraining: the step is one sentence about that, not a chain"""
    page_somebody(time, model_config(more=workflows(degrade="propose", retrain="propose")))
    time.comment("degrade")
    time.until(4)
    time.finish("degrade")
    time.comment("retrain")
    time.until(5)
    time.expect(step="^Watch the ..retrain..", no_step="degrade", dispatched=("degrade", "retrain"))
    time.match("^((?!If that does not help|Wait).)*$", time.issue_section("Next step"))
    time.finish("retrain")
    time.until(5.5)
    time.expect(step="^Wait: the degrade succeeded", verdict="Next: Wait: the degrade succeeded")


@story()
def older_failure_is_over(time: Timeline) -> None:
    """A degrade failed, the rollback after it succeeded: the step is about the rollback"""
    rules = RULES.replace("critical: {drop: 10%, do: [issue, page]}", ROLLED_BACK)
    time.configure(
        model_config(rules=rules, more=workflows(degrade="propose", rollback="propose").replace("2h", "6h, remind: 0"))
    )
    time.deploy("v7")
    time.data(accuracy=CRITICAL)
    time.until(3)
    time.expect(woken=1, step="approve rollback.1")
    time.acknowledge()
    time.comment("degrade")
    time.until(4)
    time.finish("degrade", "failure")
    time.until(5)
    time.expect(woken=1, step="Find out why the degrade failed")
    time.match("Then decide on the proposed .*approve rollback.1", time.issue_section("Next step"))
    time.acknowledge()
    time.comment("approve rollback.1")
    time.until(6)
    time.finish("rollback")
    time.until(7)
    time.expect(woken=0, step="^Wait: the rollback to `v6` succeeded")
    time.match("^((?!failed|degrade).)*$", time.issue_section("Next step"))
