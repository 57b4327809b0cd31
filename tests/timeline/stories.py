"""The stories that ``python -m tests.timeline`` counts: each is one night or one week on call, and has true causes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .timeline import CRITICAL, ERROR, HEALTHY, RULES, Timeline, model_config


@dataclass(frozen=True, slots=True)
class Story:
    """``causes``: how many things truly went wrong. ``awaits``: what the software lacks so that it comes out well."""

    name: str
    play: Callable[[Timeline], None]
    causes: int = 1
    awaits: str = ""


STORIES: list[Story] = []


def story(causes: int = 1, awaits: str = "") -> Callable[[Callable[[Timeline], None]], Callable[[Timeline], None]]:
    """Add a story, which is told by its docstring, to ``STORIES``."""

    def add(play: Callable[[Timeline], None]) -> Callable[[Timeline], None]:
        STORIES.append(Story((play.__doc__ or play.__name__).strip().rstrip("."), play, causes, awaits))
        return play

    return add


def page_somebody(time: Timeline, config: str = "", accuracy: float = ERROR) -> None:
    """The accuracy drops at once, and by hour 3 a person is notified."""
    time.configure(config or model_config())
    time.data(accuracy=accuracy)
    time.until(3)
    time.expect(woken=1)


@story()
def one_broken_hour(time: Timeline) -> None:
    """One error: one page, one issue, closed by itself."""
    time.configure(model_config())
    time.until(2)
    time.expect(woken=0, verdict="HEALTHY")
    time.data(accuracy=ERROR)
    time.until(5)
    time.expect(woken=1, page="^error churn accuracy", urgency="high", issues=1, title=r"^\[error\] churn: accuracy")
    time.expect(verdict="^ERROR", dispatched=())
    time.acknowledge()
    time.data(accuracy=HEALTHY)
    time.until(10)
    time.expect(woken=0, issues=0, title="recovered", says="Recovered", verdict="HEALTHY")


@story()
def acknowledged_then_worse(time: Timeline) -> None:
    """Critical after an acknowledged error wakes somebody again."""
    page_somebody(time)
    time.acknowledge()
    time.data(accuracy=CRITICAL)
    time.until(6)
    time.expect(woken=1, page="^critical", urgency="high", issues=1, title=r"^\[critical\]", verdict="^CRITICAL")


def proposing(verb: str = "rollback", remind: str = "2h", *, token: bool = True) -> str:
    """A model whose critical tier proposes ``verb``."""
    rules = RULES.replace(
        "critical: {drop: 10%, do: [issue, page]}", f"critical: {{drop: 10%, do: [issue, page, {verb}]}}"
    )
    workflows = f"    workflows: {{{verb}: {{file: {verb}.yml, mode: propose, settle: 2h, remind: {remind}}}}}\n"
    return model_config(rules=rules, more=workflows, token=token)


@story()
def worse_without_rest_token(time: Timeline) -> None:
    """Worse wakes somebody again where PagerDuty cannot be read, and recovery resolves every alert"""
    page_somebody(time, model_config(token=False))
    time.acknowledge()
    time.data(accuracy=CRITICAL)
    time.until(6)
    time.expect(woken=1, page=r"^critical .*\.2$", says="Incident triggered, critical")
    time.data(accuracy=HEALTHY)
    time.until(11)
    time.expect(woken=0, open_incidents=0, issues=0)


@story()
def wobbling_between_tiers(time: Timeline) -> None:
    """Error and critical in turn wake somebody twice, not every time"""
    time.configure(model_config())
    for hour in range(3, 28, 4):
        time.data(accuracy=ERROR if hour % 8 == 3 else CRITICAL)
        time.until(hour, every=2)
        time.acknowledge()
    time.expect(woken=2)


def roll_back(
    time: Timeline, config: str = "", conclusion: str = "success", command: str = "approve rollback.1"
) -> None:
    """v7 breaks the metric, whom it wakes starts the rollback that is proposed, and by hour 4 that has ended."""
    time.configure(config or proposing())
    time.deploy("v7")
    time.data(accuracy=CRITICAL)
    time.until(3)
    time.expect(woken=1, step="approve rollback.1")
    time.acknowledge()
    time.comment(command)
    time.until(4)
    time.expect(dispatched=("rollback",))
    time.finish("rollback", conclusion)


@story()
def rollback_did_not_help(time: Timeline) -> None:
    """A rollback that does not help wakes somebody, and the page says what was tried"""
    roll_back(time, command="rollback v6")
    time.until(8)
    time.expect(
        woken=1,
        page="^critical Not recovered 2 h after rollback.1",
        details="rollback.1 to v6 .success",
        urgency="high",
    )
    time.expect(says="Escalated.*Tried so far: rollback.1 to v6")


@story()
def proposal_waits(time: Timeline) -> None:
    """A proposal that nobody decides about reminds once"""
    page_somebody(time, proposing("degrade"), CRITICAL)
    time.expect(step="approve degrade.1")
    time.acknowledge()
    time.until(12, every=3)
    time.expect(
        woken=1,
        page="proposed degrade has waited for a decision",
        says="Still waiting for a decision",
        step="approve degrade.1",
    )


@story()
def escalation_while_pagerduty_is_down(time: Timeline) -> None:
    """A call that PagerDuty did not take is sent when it is back"""
    page_somebody(time, proposing("degrade"), CRITICAL)
    time.acknowledge()
    time.comment("degrade")
    time.until(4)
    time.finish("degrade", "failure")
    time.down("pagerduty")
    time.until(6)
    time.expect(woken=0, says="notifying PagerDuty failed")
    time.up("pagerduty")
    time.until(7)
    time.expect(woken=1, page="Degrade.1 ended in failure", dispatched=("degrade",))


@story()
def acknowledged_on_the_issue(time: Timeline) -> None:
    """`ack` on the issue acknowledges the incident, and is announced when it expires"""
    page_somebody(time)
    time.expect(incident="triggered")
    time.comment("ack")
    time.until(4)
    time.expect(
        woken=0, incident="acknowledged", says="Muted: .acknowledged by robin", verdict="muted.*acknowledged by robin"
    )
    time.expect(status="muted: churn #1: acknowledged by robin .* until")
    time.until(26, every=4)
    time.expect(woken=0)
    time.until(30)
    time.expect(
        woken=1,
        page="24 h acknowledgement by robin has expired",
        says="Still firing; the 24 h acknowledgement by robin",
    )
    time.until(33)
    time.expect(woken=0, comments=3, verdict="^ERROR · ")


@story()
def silenced_on_the_issue(time: Timeline) -> None:
    """A silence acknowledges the incident, and its end is announced once"""
    page_somebody(time)
    time.comment("silence 6h upstream repairs it")
    time.until(4)
    time.expect(incident="acknowledged", verdict="muted.*silenced by robin: upstream repairs it, at most until")
    time.until(12, every=2)
    time.expect(woken=1, page="silence by robin has expired", says="Still firing; the silence by robin has expired")


@story()
def silence_ends_after_recovery(time: Timeline) -> None:
    """The end of a silence wakes nobody where the alert is over"""
    page_somebody(time)
    time.comment("silence 8h upstream repairs it")
    time.until(5)
    time.data(accuracy=HEALTHY)
    time.until(14, every=3)
    time.expect(woken=0, issues=0, open_incidents=0)


@story(causes=0)
def false_positive(time: Timeline) -> None:
    """A false positive resolves the incident, and wakes nobody until it has recovered"""
    page_somebody(time)
    time.comment("false-positive")
    time.until(12, every=3)
    time.expect(woken=0, open_incidents=0, issues=1, says="false positive by robin", verdict="muted")
    time.data(accuracy=HEALTHY)
    time.until(16)
    time.data(accuracy=ERROR)
    time.until(19)
    time.expect(woken=1, issues=1)


@story()
def closed_by_hand(time: Timeline) -> None:
    """Closing the issue of a critical alert acknowledges the incident, and nobody says that nothing is open"""
    page_somebody(time, accuracy=CRITICAL)
    time.close_issue()
    time.expect(status="closed by hand", verdict="^CRITICAL.*closed by hand")
    time.until(4)
    time.expect(incident="acknowledged", issues=0, status="muted: churn #1: acknowledged by closing", verdict="muted")
    time.until(28, every=4)
    time.expect(woken=1, issues=1, says="Still firing; the 24 h acknowledgement", page="acknowledgement has expired")


@story()
def acknowledged_at_pagerduty(time: Timeline) -> None:
    """Acknowledging at PagerDuty is shown on the issue, in `status` and in `diagnose`"""
    page_somebody(time)
    time.acknowledge()
    time.until(4)
    time.expect(
        says="Incident acknowledged at PagerDuty by .oncall.",
        status="acknowledged by oncall",
        verdict="acknowledged by oncall",
    )
    time.until(12, every=4)
    time.expect(woken=0, comments=0)


@story()
def resolved_at_pagerduty(time: Timeline) -> None:
    """Resolving a firing alert at PagerDuty is shown on the issue, and it pages again after four hours"""
    page_somebody(time)
    time.resolve()
    time.until(5)
    time.expect(woken=0, says="Incident resolved at PagerDuty by .oncall.", issues=1)
    time.until(8)
    time.expect(woken=1)


@story()
def github_down(time: Timeline) -> None:
    """GitHub is down when the alert fires: one page at once, and the issue when it is back"""
    time.configure(model_config())
    time.down("github")
    time.data(accuracy=ERROR)
    time.until(4)
    time.expect(woken=1)
    time.up("github")
    time.until(6)
    time.expect(woken=0, issues=1, title=r"^\[error\]", open_incidents=1)
    time.data(accuracy=HEALTHY)
    time.until(11)
    time.expect(woken=0, issues=0, open_incidents=0)


@story()
def pagerduty_down(time: Timeline) -> None:
    """PagerDuty is down when the alert fires: the issue says so, and the page follows when it is back"""
    time.configure(model_config())
    time.down("pagerduty")
    time.data(accuracy=CRITICAL)
    time.until(4)
    time.expect(woken=0, issues=1, says="notifying PagerDuty failed")
    time.up("pagerduty")
    time.until(5)
    time.expect(woken=1, page="^critical")


@story()
def worse_while_github_is_down(time: Timeline) -> None:
    """Critical after an acknowledged error wakes somebody while GitHub is down"""
    page_somebody(time)
    time.acknowledge()
    time.down("github")
    time.data(accuracy=CRITICAL)
    time.until(6)
    time.expect(woken=1, page="^critical")
    time.up("github")
    time.until(8)
    time.expect(woken=0, issues=1, title="critical")
    time.data(accuracy=HEALTHY)
    time.until(12)
    time.expect(woken=0, issues=0, open_incidents=0)


@story()
def acknowledged_then_worse_on_the_issue(time: Timeline) -> None:
    """`ack` on the issue ends when it gets worse"""
    page_somebody(time)
    time.comment("ack")
    time.data(accuracy=CRITICAL)
    time.until(6)
    time.expect(woken=1, page="^critical", says="Worse: now critical", verdict="^CRITICAL · ")


@story()
def silenced_then_worse(time: Timeline) -> None:
    """A silence holds when it gets worse: `diagnose` and `status` show who muted it until when"""
    page_somebody(time)
    time.comment("silence 2d a known outage upstream")
    time.data(accuracy=CRITICAL)
    time.until(8)
    time.expect(
        woken=0, verdict="^CRITICAL .muted.*silenced by robin: a known outage", status="muted: .*silenced by robin"
    )


@story()
def unsilenced(time: Timeline) -> None:
    """`unsilence` pages what still fires, since the silence acknowledged the incident, and lets it speak again"""
    page_somebody(time)
    time.comment("silence 2d a known outage upstream")
    time.until(4)
    time.comment("unsilence")
    time.until(5)
    time.expect(woken=1, page="still firing: robin ended the silence")
    time.data(accuracy=CRITICAL)
    time.until(8)
    time.expect(woken=1, page="^critical", verdict="^CRITICAL · ")


@story()
def proposal_rejected(time: Timeline) -> None:
    """A rejected proposal reminds nobody, and is not advised"""
    page_somebody(time, proposing("degrade"), CRITICAL)
    time.acknowledge()
    time.comment("reject degrade.1")
    time.until(12, every=3)
    time.expect(woken=0, no_step="approve", dispatched=())


@story()
def proposal_without_reminder(time: Timeline) -> None:
    """`remind: 0` never reminds"""
    page_somebody(time, proposing("degrade", remind="0"), CRITICAL)
    time.until(12, every=3)
    time.expect(woken=0, step="approve degrade.1")


@story()
def nobody_may_approve(time: Timeline) -> None:
    """Where nobody may approve, the next step is to name somebody"""
    page_somebody(time, proposing("degrade").replace(", people: [robin]", ""), CRITICAL)
    time.expect(step="Start the proposed .*degrade.* yourself, since `github.people` names nobody")


@story()
def workflow_run_is_stuck(time: Timeline) -> None:
    """A degrade that is queued for six hours is reported as stuck, and a person is called once"""
    page_somebody(time, proposing("degrade"), CRITICAL)
    time.acknowledge()
    time.comment("degrade")
    time.until(10)
    time.expect(woken=1, step="find out why the degrade has not ended")


@story()
def wobbling_around_a_limit(time: Timeline) -> None:
    """A metric that wobbles around its limit for five days is one episode and few pages"""
    time.configure(model_config())
    for hour in range(6, 126, 6):
        time.data(accuracy=ERROR if hour % 12 else HEALTHY)
        time.until(hour, every=2)
        time.acknowledge()
    time.expect(woken=1, issues=1)
