"""The chain itself: the rows of a degradation are logged, and every link after them is verified in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from ..model.alert import MONITORING_SILENT, SOURCE_OUTAGE, AlertState, group_key
from ..model.drill import DRILL_PREFIX, Link
from ..model.finding import Outcome
from ..model.plan import ChangeKind, ObservedRun
from ..model.register import DispatchRecord, DispatchState, Register, alert_keys
from ..model.rule import BaselineKind, Mode, Rule, Tier
from ..model.severity import Severity
from ..report.formatting import duration, number, utc_time
from ..report.markdown import plain_line
from ..timeutil import MINUTE
from .drilled_rule import Timeline, is_wanted_verb, levels_of
from .evaluation import DrillEvaluation, evaluate
from .links import LinkObservation, LinkRecord
from .probes import Probes, is_marked, time_of
from .rows import BAD_VERSION, EARLIER_VERSION, GOOD_VERSION, RowLogger, healthy_times, make_rows, phase_times
from .scenarios import Degradation, Scenario, Service
from .site import DrillSite

NOTIFIED_WITHIN = MINUTE
RECEIVED_WITHIN = 5 * MINUTE
APPROVED_WITHIN = 20 * MINUTE
"""A proposal that waits longer has not been answered by anybody."""
VISIBLE_WITHIN = MINUTE
"""What was written to a service is read back from it within this time (seconds): PagerDuty and W&B work off queues."""
LISTED_WITHIN = 2 * MINUTE
"""GitHub's lists show a new workflow run within this time (seconds)."""
ENDED_WITHIN = 20 * MINUTE
"""The drill's workflows are copies that do little; and the job of a monthly drill ends after an hour."""
LOOK_AGAIN = MINUTE
"""Event time between two evaluations where nothing has to be logged."""
MAX_CLOSING_EVALUATIONS = 4
_ISSUE = (ChangeKind.OPEN_ISSUE, ChangeKind.UPDATE_ISSUE, ChangeKind.REOPEN_ISSUE)


@dataclass(slots=True)
class Chain:
    """One drill while it runs."""

    site: DrillSite
    scenario: Scenario
    rule: Rule
    tier: Tier
    companions: Sequence[tuple[Rule, Tier]]
    """Rules that get worse with it, and the tier that each reaches."""
    timeline: Timeline
    logger: RowLogger
    record: LinkRecord
    started: float
    """When the drill began (seconds, UTC)."""
    evaluations: int = 0
    moments: dict[str, float] = field(default_factory=dict)
    """When what happened, for a game day: ``fired``, ``decided``, ``approved``, ``dispatched``, ``moved``."""

    @property
    def watched_rule(self) -> str:
        """Whose group is expected to fire."""
        if self.scenario.away is Service.WANDB:
            return SOURCE_OUTAGE
        return MONITORING_SILENT if self.scenario.degradation is Degradation.SILENT else self.rule.name

    @property
    def key(self) -> str:
        return group_key(self.site.model.name, self.watched_rule)

    @property
    def probes(self) -> Probes:
        return Probes(self.site)

    def run(self) -> None:
        """Verify every link. Raises BrokenLinkError at the first that is broken."""
        self._log()
        self.site.advance(self.timeline.alert)
        if self.scenario.away is Service.WANDB:
            self._run_outage()
        else:
            self._run_alert()
        self._recover()

    def _run_alert(self) -> None:
        seen = self._evaluate(self.scenario.away)
        self.record.verify(Link.PULLED, "modelwatch reads every row that was logged", lambda: self._look_pulled(seen))
        if reason := self.scenario.must_not.get(Link.FOUND):
            self.record.verify_absent(Link.FOUND, lambda: self._breach(seen), reason, "no breach")
        else:
            expected = f"the rule `{self.rule.name}` finds a breach ({self.tier.severity})"
            self.record.verify(Link.FOUND, expected, lambda: self._look_found(seen))
        promised = self.timeline.detection
        self.record.verify(
            Link.FIRED,
            f"its alert fires, as {self._severity} or worse, and nothing mutes it",
            lambda: self._look_fired(seen),
            promised=promised,
            is_event_time=True,
        )
        if self.scenario.away is Service.GITHUB:
            self._verify_incident(seen)
            self._evaluate_again()
            self._verify_issue(self._last)
        else:
            self._verify_issue(seen)
            if self.scenario.away is Service.PAGERDUTY:
                self._evaluate_again()
            self._verify_incident(self._last)
        self._verify_people()
        self._verify_workflow()

    def _run_outage(self) -> None:
        """W&B is away: an issue at once, and a page when it is away for longer than ``outage.after``."""
        seen = self._evaluate(Service.WANDB)
        failed = seen.pulls[self.site.model.name].error
        self.record.verify(
            Link.PULLED,
            "the pull fails, and says that W&B is down",
            lambda: LinkObservation(bool(failed), failed or "no error"),
        )
        self.record.verify_absent(
            Link.FOUND, lambda: self._breach(seen), self.scenario.must_not[Link.FOUND], "nothing was judged"
        )
        self.record.verify(Link.FIRED, "the outage is an alert", lambda: self._look_fired(seen), is_event_time=True)
        self._verify_issue(seen)
        self.site.advance(self.site.now + self.site.model.outage.after + LOOK_AGAIN)
        self._verify_incident(self._evaluate(Service.WANDB))
        self._verify_people()
        self._verify_workflow()

    def _log(self) -> None:
        """Log the history, and the degradation."""
        levels = [levels_of(rule, tier) for rule, tier in ((self.rule, self.tier), *self.companions)]
        times, version = self.timeline, BAD_VERSION if self.scenario.new_version else GOOD_VERSION
        bad_times = phase_times(times.degraded, times.alert, times.step)
        healthy = make_rows(levels, healthy_times(times), degraded=False)
        has_earlier = self.rule.baseline.kind is BaselineKind.VERSION
        early, late = (healthy[: len(healthy) // 2], healthy[len(healthy) // 2 :]) if has_earlier else ([], healthy)

        def log() -> LinkObservation:
            self.logger.log(early, EARLIER_VERSION)
            self.logger.log(late, GOOD_VERSION)
            if self.scenario.degradation is Degradation.NONE:
                self.logger.log(make_rows(levels, bad_times, degraded=False), version)
            elif self.scenario.degradation is not Degradation.SILENT:
                self.logger.log(make_rows(levels, bad_times, degraded=True), version)
            return self._count_rows()

        self.record.verify(Link.LOGGED, "the rows of the serving job are in W&B", log)

    def _count_rows(self) -> LinkObservation:
        sent = sum(self.logger.counts.values())
        self.site.wait(lambda: self.probes.logged_rows(self.logger.counts) == sent, VISIBLE_WITHIN)
        there = self.probes.logged_rows(self.logger.counts)
        return LinkObservation(sent == there, f"{there} of {sent} rows are in W&B")

    def _evaluate(self, away: Service | None = None) -> DrillEvaluation:
        self.evaluations += 1
        self._last = evaluate(self.site, self.evaluations, away)
        return self._last

    _last: DrillEvaluation = field(init=False, repr=False)

    def _evaluate_again(self) -> None:
        self.site.advance(self.site.now + LOOK_AGAIN)
        self._evaluate()

    def _look_pulled(self, seen: DrillEvaluation) -> LinkObservation:
        pulled = seen.pulls[self.site.model.name]
        if pulled.error:
            return LinkObservation(ok=False, text=pulled.error)
        is_silent = self.scenario.degradation is Degradation.SILENT
        until = self.timeline.degraded if is_silent else self.timeline.alert
        times = [some.times[-1] for some in pulled.series if len(some.times)]
        times += [some.times[-1] for some in pulled.histograms if len(some.times)]
        newest = max(times, default=None)
        if newest is None or newest < until:
            missing = f"the newest row read is of {utc_time(newest)}" if newest else "no row was read"
            return LinkObservation(
                ok=False, text="; ".join((f"{missing}, not of {utc_time(until)}", *pulled.notes[:2]))
            )
        return LinkObservation(ok=True, text=f"read up to {utc_time(newest)}")

    def _look_found(self, seen: DrillEvaluation) -> LinkObservation:
        finding = seen.newest_finding(self.rule.name)
        if finding is None:
            return LinkObservation(ok=False, text="the rule found nothing, not even that data is missing")
        value = "no value" if finding.value is None else f"value {number(finding.value)}"
        against = "" if finding.baseline is None else f", baseline {number(finding.baseline)}"
        reason = f": {finding.reason}" if finding.reason else ""
        return LinkObservation(finding.outcome is Outcome.BREACH, f"{finding.outcome}, {value}{against}{reason}")

    def _breach(self, seen: DrillEvaluation) -> str:
        finding = seen.newest_finding(self.rule.name)
        is_breach = finding is not None and finding.outcome is Outcome.BREACH
        return f"`{self.rule.name}` finds a breach" if is_breach else ""

    @property
    def _severity(self) -> Severity:
        model = self.site.model
        if self.watched_rule == SOURCE_OUTAGE:
            return Severity.WARNING
        return model.silent.severity if self.watched_rule == MONITORING_SILENT else self.tier.severity

    def _look_fired(self, seen: DrillEvaluation) -> LinkObservation:
        group = seen.group(self.site.model.name, self.watched_rule)
        if group is None or group.state is not AlertState.FIRING or group.severity is None:
            return LinkObservation(ok=False, text=f"the alert is {group.state if group else 'not there'}")
        if group.mutes:
            return LinkObservation(
                ok=False, text=f"it fires ({group.severity}), muted: {plain_line(group.mutes[0].reason, 200)}"
            )
        if group.severity < self._severity:
            return LinkObservation(ok=False, text=f"it fires, but only as {group.severity}")
        times = [
            step.time
            for alert in group.alerts
            for step in alert.steps
            if step.severity is not None and step.severity >= self._severity
        ]
        took = None if self.watched_rule == SOURCE_OUTAGE else min(times, default=seen.at) - self.timeline.degraded
        self.moments["fired"] = seen.at
        return LinkObservation(ok=True, text=f"firing as {group.severity}", took=took)

    def _verify_issue(self, seen: DrillEvaluation) -> None:
        away = self.scenario.away is Service.PAGERDUTY and self._pages  # else nobody was to be paged

        def look() -> LinkObservation:
            refusal = seen.refusal(self.key, *_ISSUE)
            if not refusal:
                self.site.wait(lambda: self.probes.issue_of(self.key) is not None, LISTED_WITHIN)
            issue = self.probes.issue_of(self.key)
            if issue is None or issue.state != "open":
                return LinkObservation(ok=False, text=refusal or "there is no open issue")
            register = issue.register_block.register
            if not is_marked(issue.title) or register is None:
                return LinkObservation(
                    ok=False, text=f"#{issue.number} has no {DRILL_PREFIX} in its title, or no register"
                )
            if away and not register.troubles and not register.undelivered:
                return LinkObservation(
                    ok=False, text=f"#{issue.number} does not say that PagerDuty could not be reached"
                )
            said = ", and says that nobody could be paged" if away else ""
            return LinkObservation(ok=True, text=f"#{issue.number} is open{said}")

        expected = f"an open issue, with {DRILL_PREFIX} in its title"
        self.record.verify(Link.ISSUE, expected, look)

    def _verify_incident(self, seen: DrillEvaluation) -> None:
        def look() -> LinkObservation:
            reason = seen.refusal(self.key, ChangeKind.TRIGGER_INCIDENT, "page")
            if not reason:
                self.site.wait(lambda: self.probes.incident_of(self.key) is not None, VISIBLE_WITHIN)
            incident = self.probes.incident_of(self.key)
            if incident is None or incident.get("status") == "resolved":
                return LinkObservation(ok=False, text=reason or "PagerDuty has no open incident")
            title = str(incident.get("title") or incident.get("summary") or "")
            if not is_marked(title):
                return LinkObservation(
                    ok=False, text=f"the incident has no {DRILL_PREFIX} in its title: {plain_line(title, 100)}"
                )
            return LinkObservation(
                ok=True, text=f"incident {incident.get('incident_number')} is {incident.get('status')}"
            )

        self.record.verify(
            Link.INCIDENT, f"an open incident of the drill service, with {DRILL_PREFIX} in its title", look
        )

    def _verify_people(self) -> None:
        self.record.verify(
            Link.NOTIFIED, "PagerDuty notifies the person on call", self._look_notified, promised=NOTIFIED_WITHIN
        )
        self.record.verify(
            Link.RECEIVED,
            "the webhook comes back through the relay, and its workflow run succeeds",
            self._look_received,
            promised=RECEIVED_WITHIN,
        )

    def _look_notified(self) -> LinkObservation:
        incident = self.probes.incident_of(self.key) or {}
        api, name = self.probes.incidents_api(), str(incident.get("id") or "")
        self.site.wait(lambda: bool(api.notification_times(name)), NOTIFIED_WITHIN)
        times = api.notification_times(name)
        if not times:
            return LinkObservation(ok=False, text="the log of the incident has no notification")
        took = time_of({"at": times[-1]}, "at") - time_of(incident, "created_at")
        return LinkObservation(ok=True, text="the log of the incident has a notification", took=took)

    def _look_received(self) -> LinkObservation:
        incident = self.probes.incident_of(self.key) or {}
        since = time_of(incident, "created_at")

        def ended() -> bool:
            return any(run.get("status") == "completed" for run in self.probes.received_runs(since))

        self.site.wait(ended, RECEIVED_WITHIN)
        runs = self.probes.received_runs(since)
        if not runs:
            return LinkObservation(ok=False, text="no workflow run received the incident")
        run = max(runs, key=lambda row: str(row.get("conclusion") or ""))
        if run.get("conclusion") != "success":
            state = run.get("conclusion") or run.get("status")
            return LinkObservation(ok=False, text=f"its workflow run is {state}: {run.get('html_url')}")
        took = time_of(run, "updated_at") - since
        return LinkObservation(ok=True, text="the workflow run of the event succeeded", took=took)

    @property
    def _wanted_verbs(self) -> tuple[str, ...]:
        return tuple(verb for verb in self.tier.do if is_wanted_verb(verb, self.scenario))

    def _runs(self) -> list[ObservedRun]:
        """The workflow runs of the watched group."""
        return [run for run in self.probes.workflow_runs() if run.key.startswith(f"{self.key}.")]

    def _verify_workflow(self) -> None:
        if reason := self.scenario.must_not.get(Link.DISPATCHED):
            self.record.verify_absent(Link.DISPATCHED, self._unwanted_run, reason, self._workflow_refusal())
            return
        if not self.record.is_part(Link.DISPATCHED):
            return
        verb = self._wanted_verbs[0]
        workflow = self.site.model.workflow(verb)
        is_proposal = workflow is not None and workflow.mode is Mode.PROPOSE
        expected = f"{verb} is dispatched" + (", once a person has approved it" if is_proposal else "")
        self.record.verify(Link.DISPATCHED, expected, lambda: self._look_dispatched(verb), promised=APPROVED_WITHIN)
        self.record.verify(
            Link.ENDED,
            "its workflow run succeeds, and the issue says so",
            lambda: self._look_ended(verb),
            promised=ENDED_WITHIN,
        )

    def _unwanted_run(self) -> str:
        runs = [run for run in self.probes.workflow_runs() if run.created_at >= self.started]
        return f"{runs[0].verb} was dispatched: {runs[0].url}" if runs else ""

    def _workflow_refusal(self) -> str:
        verbs = {verb for _, tier in self.companions for verb in tier.do}
        skips = [skip for skip in self._last.plan.skips if skip.what in verbs and skip.guard == "data-quality"]
        return f"{skips[0].what} was refused: {skips[0].reason}" if skips else "nothing was dispatched"

    def _look_dispatched(self, verb: str) -> LinkObservation:
        register = self.probes.register_of(self.key)
        proposal = _find_dispatch(register, verb, DispatchState.PROPOSED)
        took = 0.0
        known = _find_dispatch(register, verb)
        self.moments["decided"] = known.at if known else self.site.now
        if proposal is not None:
            asked = self.site.now
            issue = self.probes.issue_of(self.key)
            self.site.approve(issue.number if issue else 0, f"/modelwatch approve {proposal.name}")
            if not self.site.wait(partial(self._is_dispatched_now, verb), APPROVED_WITHIN):
                return LinkObservation(ok=False, text=f"{proposal.name} waits for approval on the issue")
            took = self.site.now - asked
            self.moments["approved"] = self.site.now
        self.site.wait(lambda: bool(self._runs()), LISTED_WITHIN)
        run = next((run for run in self._runs() if run.verb == verb), None)
        if run is None:
            reason = self._last.refusal(self.key, ChangeKind.DISPATCH_WORKFLOW, verb)
            return LinkObservation(ok=False, text=reason or f"there is no workflow run of {verb}")
        self.moments["dispatched"] = run.created_at
        approved = ", after an approval" if proposal else ""
        return LinkObservation(ok=True, text=f"workflow run {run.id}{approved}", took=took)

    def _is_dispatched_now(self, verb: str) -> bool:
        """Evaluate, as a comment on the issue makes the schedule's workflow do; whether a run is there then."""
        self._evaluate()
        record = _find_dispatch(self.probes.register_of(self.key), verb)
        return record is not None and record.state.is_dispatched

    def _look_ended(self, verb: str) -> LinkObservation:
        self.site.wait(
            lambda: any(run.verb == verb and run.status == "completed" for run in self._runs()), ENDED_WITHIN
        )
        run = next((run for run in self._runs() if run.verb == verb), None)
        if run is None or run.status != "completed":
            return LinkObservation(ok=False, text=f"the workflow run is {run.status if run else 'gone'}", took=None)
        took = (run.ended_at or run.created_at) - run.created_at
        if run.conclusion != "success":
            return LinkObservation(ok=False, text=f"the workflow run ended as {run.conclusion}: {run.url}", took=took)
        self.moments["moved"] = run.ended_at or run.created_at
        self._evaluate_again()
        record = _find_dispatch(self.probes.register_of(self.key), verb)
        if record is None or record.state is not DispatchState.FINISHED:
            return LinkObservation(ok=False, text="the issue does not say that it ended", took=took)
        return LinkObservation(ok=True, text="success, and the issue says so", took=took)

    def _recover(self) -> None:
        """All is healthy again, from the alert on; the rows are logged at once, and event time runs ahead."""
        since, healed = self.timeline.alert, self.timeline.alert
        until = max(self.timeline.recovered, self.site.now)
        if self.scenario.away is Service.WANDB:
            healed = until = self.site.now
        levels = [levels_of(rule, tier) for rule, tier in ((self.rule, self.tier), *self.companions)]
        # So many evaluations until it fires no more, and so many until it is closed, each with rows of its own.
        late = MAX_CLOSING_EVALUATIONS * self._closing_step
        times = phase_times(since, _ceil(until + 2 * late, since, self.timeline.step), self.timeline.step)
        rows = make_rows(levels, times, degraded=False)

        def look() -> LinkObservation:
            self.logger.log(rows, GOOD_VERSION)
            counted = self._count_rows()
            if not counted.ok:
                return counted
            self.site.advance(until)
            for _ in range(MAX_CLOSING_EVALUATIONS):
                group = self._evaluate().group(self.site.model.name, self.watched_rule)
                if group is None or group.state is not AlertState.FIRING:
                    ends = [alert.end for alert in (group.alerts if group else ()) if alert.end is not None]
                    took = max(ends, default=self.site.now) - healed
                    return LinkObservation(ok=True, text="it fires no more", took=took)
                self.site.advance(self.site.now + self._closing_step)
            return LinkObservation(
                ok=False, text=f"it still fires {duration(self.site.now - healed)} after the last bad row"
            )

        promised = until + late - healed
        self.record.verify(
            Link.RECOVERED, "it is proven healthy, and fires no more", look, promised=promised, is_event_time=True
        )
        self.record.verify(Link.CLOSED, "the issue is closed, and the incident resolved", self._look_closed)

    @property
    def _closing_step(self) -> float:
        """Event time between two looks whether it is over: some rules need a window or two more than is usual."""
        return max(self.timeline.step, self.rule.window)

    def _look_closed(self) -> LinkObservation:
        for attempt in range(MAX_CLOSING_EVALUATIONS):
            if attempt:
                self.site.advance(self.site.now + self._closing_step)
                self._evaluate()
            self.site.wait(lambda: not self._open_things(), VISIBLE_WITHIN)
            open_things = self._open_things()
            if not open_things:
                return LinkObservation(
                    ok=True, text="issue closed, incident resolved" if self._pages else "issue closed"
                )
        kinds = (ChangeKind.CLOSE_ISSUE, ChangeKind.RESOLVE_INCIDENT)
        reason = self._last.refusal(self.key, *kinds)
        return LinkObservation(ok=False, text=f"{' and '.join(open_things)}{f': {reason}' if reason else ''}")

    @property
    def _pages(self) -> bool:
        return self.record.is_part(Link.INCIDENT)

    def _open_things(self) -> list[str]:
        issue = self.probes.issue_of(self.key)
        found = [f"#{issue.number} is still open"] if issue and issue.state == "open" else []
        if self._pages:
            register = issue.register_block.register if issue else None
            count = register.page.alerts if register and register.page else 1
            incidents = [self.probes.incident_of(key) for key in alert_keys(self.key, count)]
            found += [
                f"incident {one.get('incident_number')} is still {one.get('status')}"
                for one in incidents
                if one and one.get("status") != "resolved"
            ]
        return found


def _ceil(time: float, start: float, step: float) -> float:
    """The first multiple of ``step`` after ``start`` that is not before ``time``."""
    return start + -(-(time - start) // step) * step


def _find_dispatch(register: Register | None, verb: str, state: DispatchState | None = None) -> DispatchRecord | None:
    """The newest dispatch of ``verb``, in ``state`` where one is named."""
    records = register.dispatches if register else ()
    return next((one for one in reversed(records) if one.verb == verb and state in (None, one.state)), None)
