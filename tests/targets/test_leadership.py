"""Of the groups that share a cause one has the issue, the page and the workflows; nothing is lost with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.alerts.causes import find_causes
from modelwatch.model.alert import AlertState, Evidence, Group, HealthyStreak, Judgement, Mute, SeverityChange
from modelwatch.model.finding import GradualChange
from modelwatch.model.monitored_model import Config, GitHubSpec, Model, PagerDutySpec, WorkflowSpec
from modelwatch.model.plan import ChangeKind, Command, ModelObservation, ObservationError, ObservedIssue, Plan
from modelwatch.model.register import PageRecord, Register
from modelwatch.model.rule import Mode
from modelwatch.model.secret import Secret
from modelwatch.model.severity import Severity
from modelwatch.model.target import Target
from modelwatch.model.working_hours import WorkingHours
from modelwatch.report.affected_alerts import affected_text
from modelwatch.targets.base import GroupRun
from modelwatch.targets.issues.render import issue_text
from modelwatch.targets.plan import make_plan
from modelwatch.targets.sessions import TargetSessions
from modelwatch.timeutil import DAY, HOUR

from ..alerts.making import T0, rule
from ..alerts.test_causes import group as firing_group

FRAUD = Model(
    "fraud",
    (rule("missing", kind="data-quality"), rule("ranking"), rule("delay", kind="latency")),
    github=GitHubSpec("acme/fraud"),
    pagerduty=PagerDutySpec(Secret("KEY", "k" * 32)),
    workflows=(WorkflowSpec("retrain", "retrain.yml"),),
)
SCORING = replace(FRAUD, name="scoring", github=GitHubSpec("acme/scoring"), depends_on=("fraud",))
CONFIG = Config((FRAUD, SCORING), "c1")
PAGES, ISSUE = ("issue", "page"), ("issue",)
OPENING = (ChangeKind.OPEN_ISSUE, ChangeKind.REOPEN_ISSUE)


def firing(name: str, hours: float = 0.0, **more: Any) -> Group:
    return firing_group(name, hours, **more)


def healthy(group: Group, since: float, until: float) -> Group:
    """``group``, which recovered ``since`` hours after T0 and is proved clear ``until`` hours after it."""
    alert = group.alerts[0]
    end = T0 + since * HOUR
    times = tuple(T0 + hour * HOUR for hour in range(int(until), int(since) - 1, -1))
    return replace(
        group,
        state=AlertState.RESOLVED,
        severity=None,
        end=end,
        do=(),
        alerts=(replace(alert, state=AlertState.RESOLVED, end=end),),
        clear=(HealthyStreak(alert.fingerprint, times),),
    )


@dataclass
class Desk:
    """GitHub and PagerDuty in memory: issues with their registers, and how often each group was paged."""

    config: Config = CONFIG
    issues: dict[int, ObservedIssue] = field(default_factory=dict)
    paged: Counter[str] = field(default_factory=Counter)
    down: frozenset[str] = frozenset()
    """Models whose issues cannot be observed."""
    plan: Plan | None = None

    def evaluate(self, hours: float, *groups: Group) -> Plan:
        now = T0 + hours * HOUR + 60
        judgement = Judgement(now, "c1", groups, causes=find_causes(self.config, groups))
        observed = {model.name: self._observe(model.name) for model in self.config.models}
        self.plan = make_plan(judgement, self.config, observed, now)
        for change in self.plan.changes:
            self._apply(change, now)
        return self.plan

    def _observe(self, model: str) -> ModelObservation:
        if model in self.down:
            errors = tuple(ObservationError(target, "503") for target in (Target.ISSUE, Target.DISPATCH))
            return ModelObservation(model, errors=errors)
        own = (issue for issue in self.issues.values() if issue.register and issue.register.model == model)
        return ModelObservation(model, tuple(own))

    def _apply(self, change: Any, now: float) -> None:
        number = change.expect.issue or next((n for n, one in self.issues.items() if one.group == change.group), 0)
        if change.kind in (ChangeKind.OPEN_ISSUE,):
            number = len(self.issues) + 1
            self.issues[number] = ObservedIssue(
                number, f"https://x.example/{number}", change.group, "open", "", None, now, "bot", "b", change.register
            )
        elif change.kind.target is Target.ISSUE:
            state = {ChangeKind.CLOSE_ISSUE: "closed", ChangeKind.REOPEN_ISSUE: "open"}.get(change.kind)
            held = self.issues[number]
            self.issues[number] = replace(held, register=change.register, state=state or held.state, commands=())
        elif change.kind is ChangeKind.TRIGGER_INCIDENT:
            self.paged[change.group] += 1
            if number:
                self._record(number, PageRecord("triggered", change.severity, now))
        elif change.kind is ChangeKind.RESOLVE_INCIDENT and number:
            self._record(number, PageRecord("resolved", change.severity, now))

    def _record(self, number: int, page: PageRecord) -> None:
        held = self.issues[number]
        assert held.register is not None
        self.issues[number] = replace(held, register=replace(held.register, page=page))

    def comment(self, number: int, hours: float, verb: str, argument: str = "") -> None:
        command = Command(int(hours * 100) + 1, "ada", T0 + hours * HOUR, verb, argument, allowed=True)
        self.issues[number] = replace(self.issues[number], commands=(command,))

    def register(self, number: int = 1) -> Register:
        held = self.issues[number].register
        assert held is not None
        return held

    @property
    def open_rules(self) -> list[str]:
        return [one.register.rule for one in self.issues.values() if one.state == "open" and one.register]


def body_of(desk: Desk, groups: Sequence[Group], number: int = 1) -> tuple[str, str]:
    by_key = {group.key: group for group in groups}
    register = desk.register(number)
    run = GroupRun(TargetSessions(desk.config, {}), by_key[register.group], T0 + DAY, T0 + DAY, "", by_key)
    return issue_text(run, register)


def test_one_issue_and_one_page_as_severe_as_the_worst() -> None:
    desk = Desk()
    groups = [
        firing("missing", severity=Severity.WARNING, do=ISSUE),
        firing("ranking", 1, severity=Severity.CRITICAL, do=PAGES),
        firing("ranking", 3, model="scoring", do=PAGES),
    ]
    desk.evaluate(4, *groups)
    assert desk.open_rules == ["missing"]
    assert dict(desk.paged) == {groups[0].key: 1}, "it does not page itself, but one that it leads does"
    assert desk.register().severity is Severity.CRITICAL
    title, body = body_of(desk, groups)
    assert title.startswith("[critical] fraud: missing")
    assert "2 other alerts share its cause: all depend on the data that fraud missing checks." in body
    affected = body.split("### Also affected")[1].split("###")[0]
    assert affected.index("`fraud` `ranking`") < affected.index("`scoring` `ranking`"), "worst first"
    assert desk.evaluate(5, *groups).changes == (), "nothing is left to do"


def test_who_leads_keeps_leading_when_something_more_causal_follows() -> None:
    desk = Desk()
    ranking = firing("ranking", do=PAGES)
    desk.evaluate(1, ranking)
    missing = firing("missing", 0.5, severity=Severity.CRITICAL, do=PAGES)
    desk.evaluate(2, ranking, missing)
    assert (desk.open_rules, desk.paged[missing.key]) == (["ranking"], 0)
    assert desk.paged[ranking.key] == 2, "it got worse: critical"
    _, body = body_of(desk, [ranking, missing])
    assert "Fix the data first: `missing` fires, too." in body


def test_an_issue_of_its_own_is_kept_and_says_which_one_leads() -> None:
    alone = Desk(Config((FRAUD, replace(SCORING, depends_on=())), "c1"))
    ranking, other = firing("ranking", 3, model="scoring", do=PAGES), firing("ranking", do=PAGES)
    alone.evaluate(4, ranking)
    alone.evaluate(5, ranking, other)
    assert len(alone.open_rules) == 2
    desk = Desk(CONFIG, alone.issues, alone.paged)
    desk.evaluate(6, ranking, replace(other, start=T0 + HOUR))
    first, second = desk.register(1), desk.register(2)
    assert [record.issue for record in first.followers] == ["https://x.example/2"], "the older one leads"
    assert second.leading_issue == "https://x.example/1"
    assert "shares its cause with [another issue](https://x.example/1), which leads" in body_of(desk, [other], 2)[1]
    worse = replace(other, severity=Severity.CRITICAL)
    desk.evaluate(7, ranking, worse)
    assert (desk.paged[ranking.key], desk.paged[other.key]) == (2, 1), "worse is paged once, by the one that leads"
    assert desk.register(2).severity is Severity.CRITICAL, "and kept up to date"


def test_closing_needs_the_proof_of_each() -> None:
    desk = Desk()
    missing, ranking = firing("missing", do=PAGES), firing("ranking", 1)
    desk.evaluate(2, missing, ranking)
    plan = desk.evaluate(6, healthy(missing, 4, 6), ranking)
    assert any("fraud ranking, which has the same cause: it is still firing" in skip.reason for skip in plan.skips)
    assert desk.open_rules == ["missing"]
    once = replace(healthy(ranking, 6, 6), hold=2)
    desk.evaluate(6.5, healthy(missing, 4, 6), once)
    assert desk.open_rules == ["missing"], "one of two clear findings"
    desk.evaluate(7, healthy(missing, 4, 7), healthy(ranking, 6, 7))
    assert desk.open_rules == []
    assert desk.register().followers[0].ended is not None


def test_a_severity_is_said_of_the_rule_that_has_it() -> None:
    desk = Desk()
    missing, ranking = firing("missing", do=PAGES), firing("ranking", severity=Severity.CRITICAL, do=PAGES)
    eu = (("region", "eu"),)
    (alert,) = ranking.alerts
    alert = replace(alert, labels=eu, finding=replace(alert.finding, labels=eu))
    ranking = replace(ranking, alerts=(alert,), evidence=Evidence(segments_seen=3))
    plan = desk.evaluate(1, missing, ranking)
    assert [change.reason for change in plan.changes] == [
        "ranking is critical",
        "ranking is critical and nobody has been paged for it",
    ]
    opened = next(entry for entry in desk.register().ledger.recent if entry.key == "opened")
    assert opened.why == "missing is 0.8, 11.0 % below its baseline 0.9; ranking is critical"
    assert "(critical): region=eu alone: 0.8" in affected_text(desk.register(), {ranking.key: ranking})
    over = healthy(missing, 3, 5), healthy(ranking, 3, 5)
    desk.evaluate(5, *over)
    assert body_of(desk, over)[0] == "[recovered] fraud: missing and 1 other alert (at worst critical)"


@pytest.mark.parametrize("recovers", [False, True], ids=["gets better", "recovers"])
def test_better_is_recorded_when_the_worst_got_better(recovers: bool) -> None:
    """Not when the one that is the worst now reached its severity: that was long before, at the very beginning."""
    desk = Desk()
    missing, ranking = firing("missing", do=PAGES), firing("ranking", severity=Severity.CRITICAL, do=PAGES)
    missing, ranking = with_steps(missing, (0, "error")), with_steps(ranking, (0, "critical"))
    desk.evaluate(1, missing, ranking)
    end = None if recovers else "error"
    ranking = healthy(ranking, 14, 15) if recovers else replace(ranking, severity=Severity.ERROR)
    later = desk.evaluate(15, replace(missing, newest=T0 + 15 * HOUR), with_steps(ranking, (0, "critical"), (14, end)))
    (entry,) = (one for one in desk.register().ledger.recent if one.what.startswith("better"))
    assert entry.at == T0 + 14 * HOUR
    assert [note.key.rpartition("-")[2] for change in later.changes for note in change.notes] == [str(int(entry.at))]


def with_steps(group: Group, *steps: tuple[float, str | None]) -> Group:
    changes = tuple(SeverityChange(T0 + hour * HOUR, Severity(word) if word else None) for hour, word in steps)
    return replace(group, alerts=tuple(replace(alert, steps=changes) for alert in group.alerts))


def test_who_outlives_its_leader_leads_itself() -> None:
    desk = Desk()
    missing, ranking = firing("missing", do=PAGES), firing("ranking", 1, do=PAGES)
    desk.evaluate(2, missing, ranking)
    desk.evaluate(7, healthy(missing, 4, 7), ranking)
    assert desk.open_rules == ["missing"], "three hours after its leader it may just have longer windows"
    desk.evaluate(9, healthy(missing, 4, 9), ranking)
    desk.evaluate(9.1, healthy(missing, 4, 9), ranking)
    assert desk.open_rules == ["ranking"]
    assert desk.paged[ranking.key] == 1
    worse = Desk()
    worse.evaluate(2, missing, ranking)
    worse.evaluate(5, healthy(missing, 4, 5), replace(ranking, severity=Severity.CRITICAL))
    assert worse.paged[ranking.key] == 1, "at once where it gets worse"


def test_who_only_lacks_proof_stays_in_the_episode_of_its_leader() -> None:
    """Ten hours after a drop was over a second issue and a second page were opened for it."""
    desk = Desk()
    missing, ranking = firing("missing", do=PAGES), firing("ranking", 1, do=PAGES)
    desk.evaluate(2, missing, ranking)
    (alert,) = ranking.alerts
    newest = replace(alert.finding, value=0.895, change=-0.005, time=T0 + 16 * HOUR)
    unproven = replace(ranking, alerts=(replace(alert, finding=newest),))
    for hours in (9, 16, 40):
        desk.evaluate(hours, healthy(missing, 4, hours), unproven)
        assert (desk.open_rules, dict(desk.paged)) == (["missing"], {missing.key: 1})
    desk.evaluate(41, healthy(missing, 4, 41), ranking)
    desk.evaluate(41.1, healthy(missing, 4, 41), ranking)
    assert (desk.open_rules, desk.paged[ranking.key]) == (["ranking"], 1), "unhealthy again"
    calm = Desk()
    calm.evaluate(2, missing, ranking)
    calm.evaluate(16, healthy(missing, 4, 16), unproven)
    calm.evaluate(42, healthy(missing, 4, 42), healthy(ranking, 40, 42))
    assert (len(calm.issues), calm.open_rules) == (1, []), "it closes with its leader"


def test_a_group_that_was_not_judged_proves_nothing() -> None:
    desk = Desk()
    missing, ranking = firing("missing"), firing("ranking", 3, model="scoring")
    desk.evaluate(4, missing, ranking)
    desk.evaluate(9, healthy(missing, 4, 9))
    assert desk.open_rules == ["missing"], "the source of the other model failed"
    removed = Desk(Config((FRAUD,), "c1"), dict(desk.issues))
    removed.evaluate(9, healthy(missing, 4, 9))
    assert removed.open_rules == [], "no rule is configured that could ever prove it"


def hide(desk: Desk, how: str, missing: Group) -> Group:
    """Hide the leader, whose issue is #1."""
    match how:
        case "silence of the configuration":
            return replace(missing, mutes=(Mute("silence", "known"),))
        case "github is down":
            desk.down = frozenset({"fraud"})
        case "silence" | "false-positive":
            desk.comment(1, 3, how, "24h known" if how == "silence" else "")
        case "not planned":
            closing = {
                "state": "closed",
                "state_reason": "not_planned",
                "closed_at": T0 + HOUR,
                "closer_may_mute": True,
            }
            desk.issues[1] = replace(desk.issues[1], **closing)  # type: ignore[arg-type]
    return missing


def test_whatever_hides_the_leader_hides_nobody_else() -> None:
    ways = ["silence of the configuration", "github is down", "silence", "false-positive", "not planned"]
    for how in ways:
        desk = Desk()
        missing, ranking = firing("missing", do=PAGES), firing("ranking", 3, model="scoring", do=PAGES)
        desk.evaluate(4, missing, ranking)
        assert desk.paged[ranking.key] == 0
        desk.evaluate(5, hide(desk, how, missing), ranking)
        assert desk.paged[ranking.key] == 1, how
        assert "ranking" in desk.open_rules, how


def test_who_does_not_page_pages_for_nobody() -> None:
    """No routing key, or a mode: the alert that it leads pages itself."""
    for blocked in (replace(FRAUD, pagerduty=PagerDutySpec()), replace(FRAUD, page_mode=Mode.OBSERVE)):
        desk = Desk(Config((blocked, SCORING), "c1"))
        missing, ranking = firing("missing"), firing("ranking", 3, model="scoring", do=PAGES)
        for hours in (4, 5, 6):
            desk.evaluate(hours, missing, ranking)
        assert dict(desk.paged) == {ranking.key: 1}


def slowly(group: Group) -> Group:
    return replace(group, evidence=replace(group.evidence, gradual=GradualChange(T0 - 20 * DAY, -0.0015)))


def test_a_page_waits_for_working_hours_only_where_all_that_share_the_cause_can_wait() -> None:
    opening = 9 * HOUR
    hours = WorkingHours(tuple(range(7)), (T0 + opening) % DAY, (T0 + opening + HOUR) % DAY)
    models = (replace(FRAUD, hours=hours), replace(SCORING, hours=hours))
    for follows, pages_at_four in ((slowly, 0), (lambda group: group, 1)):
        desk = Desk(Config(models, "c1"))
        groups = [slowly(firing("missing", do=PAGES)), follows(firing("ranking", 1, model="scoring", do=PAGES))]
        for at in (4, 5):
            desk.evaluate(at, *groups)
            assert desk.open_rules == ["missing"]
            assert desk.paged[groups[0].key] == pages_at_four
        desk.evaluate(9, *groups)
        assert dict(desk.paged) == {groups[0].key: 1}


def test_an_acknowledgement_covers_what_the_issue_showed_until_that_gets_worse() -> None:
    desk = Desk()
    missing, ranking = firing("missing", do=PAGES), firing("ranking", 1, severity=Severity.WARNING)
    desk.evaluate(2, missing, ranking)
    desk.comment(1, 3, "ack")
    desk.evaluate(4, missing, ranking)
    assert (desk.open_rules, desk.paged.total()) == (["missing"], 1), "who acknowledged it has seen both"
    delay = firing("delay", 4.5, do=PAGES)
    desk.evaluate(5, missing, ranking, delay)
    assert desk.paged[delay.key] == 1, "nobody has seen this one"
    desk.evaluate(6, missing, replace(ranking, severity=Severity.CRITICAL), delay)
    assert desk.paged[missing.key] == 2, "worse than what was acknowledged"


def test_the_workflow_of_one_that_is_led_is_started_once_and_written_on_the_issue() -> None:
    desk = Desk()
    delay, ranking = firing("delay", do=ISSUE), firing("ranking", do=("issue", "retrain"), severity=Severity.WARNING)
    plan = desk.evaluate(1, delay, ranking)
    (change,) = [change for change in plan.changes if change.dispatch]
    assert change.dispatch is not None
    assert (change.group, change.dispatch.reason) == (delay.key, "ranking is warning: 11.0 % below its baseline")
    other = Desk()
    plan = other.evaluate(4, firing("ranking"), firing("ranking", 3, model="scoring", do=("issue", "retrain")))
    assert not any(change.dispatch for change in plan.changes), "another model is not retrained for this one's cause"


severities = st.sampled_from([Severity.WARNING, Severity.ERROR, Severity.CRITICAL])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_leadership_does_not_flip_while_it_fires(data: st.DataObject) -> None:
    """Whatever the severities do and in whatever order the groups come: one issue, led by the same group, and a page
    only where the cause as a whole got worse than ever before."""
    desk = Desk()
    starts = {"missing": 0.0, "ranking": 0.5, "delay": 0.7}
    paged_as: list[Severity] = []
    for hours in range(1, 8):
        groups = [firing(name, start, severity=data.draw(severities), do=PAGES) for name, start in starts.items()]
        desk.evaluate(hours, *data.draw(st.permutations(groups)))
        worst = max(group.severity for group in groups if group.severity is not None)
        if not paged_as or worst > max(paged_as):
            paged_as.append(worst)
        assert desk.open_rules == desk.open_rules[:1]
        assert desk.register().severity is worst
        assert desk.paged.total() == len(paged_as)
        assert len(desk.paged) == 1
