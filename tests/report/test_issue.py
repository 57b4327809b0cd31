"""The issue: the answer first, then what to do, then the evidence."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from modelwatch.model.alert import MONITORING_SILENT, SEGMENT_GONE, SUDDEN_IMPROVEMENT, AlertState, DataSpan, Evidence
from modelwatch.model.calibration import CalibrationBin, CalibrationChange, CalibrationVerdict
from modelwatch.model.drift import FeatureDrift, ReferenceDrift
from modelwatch.model.explanation import Explanation, SegmentContribution
from modelwatch.model.finding import Cause
from modelwatch.model.ledger import EntryKind, Ledger, LedgerEntry
from modelwatch.model.monitored_model import GitHubSpec, ReleaseSpec, WorkflowSpec
from modelwatch.model.register import DispatchState, PageRecord
from modelwatch.model.rule import BaselineKind
from modelwatch.model.severity import Severity
from modelwatch.report.comments import issue_title
from modelwatch.report.facts_table import tier_text
from modelwatch.targets.issues.render import headline, issue_body

from .making import HOUR, LATAM, NEWEST, NOW, alert, clear, finding, group, model, record, register

OWN = (("rule", "accuracy"),)


def section(text: str, name: str) -> str:
    return text.split(f"### {name}\n\n")[1].split("\n\n###")[0]


class TestTitle:
    def test_no_value_and_no_recovery_changes_it(self) -> None:
        shown = "[error] churn: accuracy below its baseline (limit 5 %)"
        assert issue_title(group(alert()), register()) == shown
        calm = alert(finding(value=0.91))
        assert issue_title(group(calm, clear=(clear(calm, 2),)), register()) == shown

    def test_while_it_fires(self) -> None:
        shown = issue_title(group(alert(finding(labels=LATAM))), register())
        assert shown == "[error] churn: accuracy (region=latam) below its baseline (limit 5 %)"
        held = register(title="accuracy (every region) below its baseline (limit 5 %)", severity=Severity.CRITICAL)
        assert issue_title(group(alert()), held) == f"[critical] churn: {held.title}", "as it was written first"

    def test_recovering_until_it_is_closed(self) -> None:
        over = group(alert(state=AlertState.RESOLVED), state=AlertState.RESOLVED, severity=None)
        assert issue_title(over, register(peak=Severity.CRITICAL)) == "[recovering] churn: accuracy (was critical)"
        assert issue_title(over, register(closed=NOW)) == "[recovered] churn: accuracy (was error)"
        own = replace(over, rule=MONITORING_SILENT, alerts=(alert(finding(labels=OWN)),))
        assert issue_title(own, register(closed=NOW)) == "[recovered] churn: monitoring-silent accuracy (was error)"

    def test_it_is_one_short_line_whatever_the_labels(self) -> None:
        shown = issue_title(group(alert(finding(labels=(("plan", "x\n" * 300 + "\u202e"),)))), register())
        assert len(shown) <= 200
        assert shown.isprintable()


class TestHeadline:
    def test_severity_subject_value_and_since_when(self) -> None:
        assert headline(group(), register(), NOW) == (
            "**ERROR** · `churn` `accuracy` is **0.85**, 7.6 % below its baseline 0.92, "
            "since 2026-11-20 02:00 UTC (10 h 5 min). As of 2026-11-20 12:00 UTC."
        )

    def test_a_deployment_just_before_is_named(self) -> None:
        known = Evidence(version="v7", version_since=NEWEST - 12 * HOUR, previous=("v6",))
        assert " It began with version `v7`. As of" in headline(group(evidence=known), register(), NOW)
        long_ago = replace(known, version_since=NEWEST - 100 * HOUR)
        assert "began with" not in headline(group(evidence=long_ago), register(), NOW)
        first = replace(known, previous=())
        assert "began with" not in headline(group(evidence=first), register(), NOW), "the first one known is no news"

    def test_how_far_recovery_is(self) -> None:
        one = alert()
        better = group(one, clear=(clear(one, 2),))
        assert "Recovering: 2 of 3 healthy evaluations" in headline(better, register(), NOW)
        assert "2 of 6 healthy" in headline(better, register(reopened=NOW), NOW), "reopened: twice over"

    @pytest.mark.parametrize(
        ("rule", "told"),
        [("accuracy", "is healthy again"), (MONITORING_SILENT, "is judged again"), (SEGMENT_GONE, "sends data again")],
    )
    def test_recovered(self, rule: str, told: str) -> None:
        over = group(alert(finding(labels=OWN)), rule=rule, state=AlertState.RESOLVED, severity=None, end=NEWEST)
        shown = headline(over, register(closed=NOW, peak=Severity.CRITICAL), NOW)
        assert shown.startswith("**RECOVERED**")
        assert f"{told} since 2026-11-20 12:00 UTC, after 10 h (peak: critical)." in shown

    def test_what_is_over_is_over_for_every_part_that_fired(self) -> None:
        over = group(alert(finding(labels=(("region", "eu"),))), state=AlertState.RESOLVED, severity=None, end=NEWEST)
        known = register(closed=NOW, alerts=("a", "b"))
        assert "**RECOVERED** · `churn` `accuracy` is healthy again since" in headline(over, known, NOW)
        assert " in `region=" in headline(over, replace(known, alerts=("a",)), NOW)


class TestNextSteps:
    def test_one_step_is_no_list(self) -> None:
        shown = section(issue_body(group(), register(), NOW), "Next step")
        assert shown.startswith("Follow the runbook: [`accuracy-drop`](https://example.org/")
        own = replace(group(), runbook="https://example.org/blob/main/runbooks/churn.md#night")
        assert "[`churn`](https://example.org/" in section(issue_body(own, register(), NOW), "Next step")

    def test_a_proposal_comes_with_the_command_that_starts_it_under_its_key(self) -> None:
        waiting = register(dispatches=(record(target_version="v6"),))
        commanded = model(github=GitHubSpec(repository="acme/churn-model", people=("ada",)))
        shown = section(issue_body(group(), waiting, NOW, model=commanded), "Next step")
        assert shown.startswith("Decide on the proposed **rollback** to `v6`")
        nobody = section(issue_body(group(), waiting, NOW, model=model()), "Next step")
        assert nobody.startswith("Start the proposed **rollback** to `v6` yourself, since `github.people` names nobody")
        command = next(line.strip() for line in shown.splitlines() if line.strip().startswith("gh "))
        words = shlex.split(command)
        assert words[:6] == ["gh", "workflow", "run", "rollback.yml", "--repo", "acme/churn-model"]
        assert f"key={record().key}" in words
        assert {"model=churn", "version=v7", "target_version=v6"} <= set(words)

    def test_a_hostile_version_stays_one_word_of_the_command(self) -> None:
        version = "v7'; rm -rf / #\n```\n~~~\n<!--"
        waiting = register(dispatches=(record(version=version),))
        shown = section(issue_body(group(), waiting, NOW, model=model()), "Next step")
        command = next(line.strip() for line in shown.splitlines() if line.strip().startswith("gh "))
        assert [word for word in shlex.split(command) if "rm" in word] == ["version=v7'; rm -rf / # ``` ~~~ <!--"]
        fence = next(line.strip() for line in shown.splitlines() if line.strip().endswith("sh")).removesuffix("sh")
        assert all(fence not in part for part in command.split() if part != fence)

    def test_a_dispatch_elsewhere(self) -> None:
        elsewhere = WorkflowSpec("rollback", "", repository="acme/serving", event_type="roll-back")
        waiting = register(dispatches=(record(),))
        shown = issue_body(group(), waiting, NOW, model=model(workflows=(elsewhere,)))
        assert "gh api repos/acme/serving/dispatches -f event_type=roll-back" in shown
        assert f"'client_payload[key]={record().key}'" in shown

    def test_one_step_comes_first_and_the_others_after_it(self) -> None:
        waiting = register(dispatches=(record(target_version="v6"),))
        shown = section(issue_body(group(), waiting, NOW, model=model()), "Next step")
        assert shown.endswith(
            "\n~~~\n\nThen follow the runbook: [`accuracy-drop`](https://example.org/runbooks/accuracy-drop.md)."
        )

    def test_a_drop_that_began_with_a_version_offers_the_one_before(self) -> None:
        known = Evidence(version="v7", version_since=NEWEST - 11 * HOUR, previous=("v6",))
        commanded = model(github=GitHubSpec(repository="acme/churn-model", people=("ada",)))
        told = "If `v7` is the cause, roll back to `v6`, which was healthy: comment `/modelwatch rollback v6` on this "
        began = group(evidence=known)
        assert section(issue_body(began, register(), NOW, model=commanded), "Next step").startswith(told)
        assert "go back" not in issue_body(began, register(), NOW, model=model()), "nobody's command counts"
        rejected = register(dispatches=(record(state=DispatchState.REJECTED),))
        assert "go back" not in issue_body(began, rejected, NOW, model=commanded), "a person has said no"
        long_ago = group(evidence=replace(known, version_since=NEWEST - 40 * HOUR))
        assert "go back" not in issue_body(long_ago, register(), NOW, model=commanded)
        released = model(release=ReleaseSpec("acme/churn/model"))
        assert "`modelwatch release rollback v6 --model churn --reason ...`" in issue_body(
            began, register(), NOW, model=released
        )

    def test_after_a_rollback_the_next_windows_are_waited_for(self) -> None:
        done = record(target_version="v6", state=DispatchState.FINISHED, conclusion="success", ended=NOW - HOUR)
        waiting = register(dispatches=(done,))
        shown = section(issue_body(group(), waiting, NOW, model=model()), "Next step")
        assert shown.startswith("Wait: the rollback to `v6` succeeded at 2026-11-20 11:05 UTC. If the metric has not")
        assert "If that does not help, follow the runbook" in shown
        late = section(issue_body(group(), waiting, NOW + 2 * HOUR, model=model()), "Next step")
        assert late.startswith("Follow the runbook")

    def test_a_workflow_under_way_is_linked(self) -> None:
        sent = register(dispatches=(record(state=DispatchState.SENT, url="https://example.org/runs/7"),))
        assert "Watch the **rollback** [workflow run](https://example.org/runs/7)." in issue_body(group(), sent, NOW)

    @pytest.mark.parametrize(
        ("rule", "told"),
        [
            (MONITORING_SILENT, "the job that logs"),
            (SEGMENT_GONE, "still exists"),
            (SUDDEN_IMPROVEMENT, "more often a label leak"),
        ],
    )
    def test_each_own_kind_has_its_own(self, rule: str, told: str) -> None:
        own = group(alert(finding(labels=OWN, cause=Cause.NO_POINTS)), rule=rule, limits=())
        shown = issue_body(own, register(), NOW)
        assert told in section(shown, "Next step")
        assert "Data to retrain on" not in shown
        assert "Tier" not in shown

    def test_nothing_is_asked_for_once_it_is_over(self) -> None:
        over = group(alert(state=AlertState.RESOLVED), state=AlertState.RESOLVED, severity=None)
        assert section(issue_body(over, register(), NOW), "Next step").startswith("Nothing for now")
        closed = issue_body(over, register(closed=NOW), NOW)
        assert section(closed, "Next step") == "Nothing: the metric has recovered."
        assert "How to silence" not in closed


class TestEvidence:
    def test_the_numbers(self) -> None:
        worst = finding(value=0.8, time=NEWEST - HOUR)
        shown = section(issue_body(group(alert(worst=worst)), register(), NOW), "Evidence")
        assert "| Value | 0.85 |" in shown
        assert "| Confidence | 95 % interval 0.84 to 0.86, 12,000 rows |" in shown
        assert "| Baseline | 0.92 |" in shown
        assert "| Worst so far | 0.8 (−7.6 %) at 2026-11-20 11:00 UTC |" in shown
        assert "| Tier | error (drop 5 %) |" in shown

    def test_hysteresis_is_explained(self) -> None:
        mild = finding(severity=Severity.WARNING)
        shown = issue_body(group(alert(mild, peak=Severity.CRITICAL)), register(), NOW)
        assert "error (drop 5 %); the newest window reaches warning; peak: critical" in shown

    def test_a_tier_that_holds_in_one_segment_is_not_said_of_the_whole(self) -> None:
        mild = finding(severity=Severity.WARNING)
        whole = alert(mild, severity=Severity.WARNING, peak=Severity.WARNING)
        found = tier_text(group(alert(finding(labels=LATAM)), whole), whole, None)
        assert found == "error (drop 5 %) in `region=latam`; the whole is at warning"

    def test_nothing_is_repeated_where_it_says_nothing_new(self) -> None:
        shown = issue_body(group(), register(), NOW)
        assert "Worst so far" not in shown
        assert "Actions taken" not in shown
        assert "### Notes" not in shown

    def test_what_was_done_is_in_order_and_proposals_are_not_done(self) -> None:
        done = register(
            page=PageRecord("triggered", Severity.ERROR, NOW - HOUR),
            dispatches=(record(), record(verb="retrain", state=DispatchState.LOST, at=NOW - 2 * HOUR)),
        )
        rows = section(issue_body(group(), done, NOW, model=model()), "Actions taken").splitlines()
        assert [row.removesuffix(" |").split(" | ")[1] for row in rows[2:4]] == [
            "`retrain` dispatch lost: no workflow run with its key was found",
            "Incident triggered, error",
        ]
        assert "`rollback`" not in "".join(rows)

    def test_every_page_that_the_record_has_is_an_action(self) -> None:
        """The register itself keeps the newest event alone."""
        entries = (
            LedgerEntry("a", NOW - 3 * HOUR, EntryKind.PAGE, "modelwatch", "incident triggered, error"),
            LedgerEntry("b", NOW - 2 * HOUR, EntryKind.PAGE, "ada", "incident acknowledged at PagerDuty"),
            LedgerEntry("c", NOW - HOUR, EntryKind.PAGE, "modelwatch", "the page waits for working hours"),
            LedgerEntry("d", NOW, EntryKind.PAGE, "modelwatch", "incident resolved, error"),
        )
        done = register(page=PageRecord("resolved", Severity.ERROR, NOW), ledger=Ledger(entries))
        shown = issue_body(group(), done, NOW, model=model())
        rows = section(shown, "Actions taken").splitlines()[2:5]
        assert [row.removesuffix(" |").split(" | ")[1] for row in rows] == [
            "Incident triggered, error",
            "Incident acknowledged at PagerDuty by `ada`",
            "Incident resolved, error",
        ]
        assert section(shown, "Actions taken").count("Incident") == 3

    def test_segments_show_only_the_columns_that_say_something(self) -> None:
        bare = finding(labels=LATAM, baseline=None, change=None, n=None)
        shown = issue_body(group(evidence=Evidence(segments=(bare,), segments_seen=12)), register(), NOW)
        table = section(shown, "Worst segments")
        assert table.splitlines()[:3:2] == ["| Segment | Value |", "| `region=latam` **error** | 0.85 |"]
        assert "11 more are not shown." in table

    def test_features_are_called_by_their_names(self) -> None:
        worst, next_one = (
            finding(labels=(("features", name),), baseline=None, change=None, n=None, value=value, kind="data-drift")
            for name, value in (("income", 0.4), ("age", 0.3))
        )
        drift = group(alert(worst), alert(next_one), evidence=Evidence(segments=(worst, next_one), segments_seen=2))
        shown = issue_body(drift, register(), NOW)
        assert "| `income` **error** | 0.4 |" in section(shown, "Worst features")
        assert "in `income` is **0.4**" in headline(drift, register(), NOW)
        assert "Also firing: `age` 0.3." in headline(drift, register(), NOW)
        quiet = replace(drift, alerts=drift.alerts[:1])
        assert "Beside it" not in headline(quiet, register(), NOW)

    def test_what_drifted_stands_there_once(self) -> None:
        income = finding(labels=(("features", "income"),), baseline=None, change=None, value=0.4, kind="data-drift")
        against = ReferenceDrift(BaselineKind.FILE, "train.npz", 0.0, 0.4, True)
        known = Evidence(segments=(income,), drifted=(FeatureDrift("income", "psi", 0.4, (against,)),))
        shown = issue_body(group(alert(income), evidence=known), register(), NOW)
        assert "`income`: PSI 0.4 against the reference `train.npz`" in section(shown, "What drifted")
        assert "Worst features" not in shown

    def test_a_segment_has_its_part_in_the_drop_beside_it(self) -> None:
        latam, eu = finding(labels=LATAM), finding(labels=(("region", "eu"),))
        part = SegmentContribution(LATAM, 0.3, 0.31, 0.91, 0.7, -0.0005, -0.046, 1e-12)
        why = Explanation(NEWEST, -0.05, -0.0015, -0.0485, (part,), 1, part)
        known = Evidence(segments=(latam, eu), segments_seen=2, why=why)
        shown = issue_body(group(alert(latam), evidence=known), register(), NOW)
        head, _, first, second = section(shown, "Worst segments").splitlines()[:4]
        assert head == "| Segment | Value | Of the drop | Rows (share) |"
        assert first == "| `region=latam` **error** | 0.85 (−7.6\u00a0%) | 93\u00a0% | 12,000 (30 → 31 %) |"
        assert second == "| `region=eu` **error** | 0.85 (−7.6\u00a0%) | — | 12,000 |"
        assert "|" not in section(shown, "Why"), "one table of segments is enough"

    def test_on_data_in_doubt_nobody_retrains(self) -> None:
        known = Evidence(data=DataSpan(NOW - HOUR, NOW, 4, 100.0))
        assert "Data to retrain on" in issue_body(group(evidence=known), register(), NOW)
        broken = replace(group(evidence=known), kind="data-quality")
        assert "Data to retrain on" not in issue_body(broken, register(), NOW)
        assert "Fix the data, not the model" in section(issue_body(broken, register(), NOW), "Next step")

    def test_what_waits_for_sound_data_says_so_first(self) -> None:
        waits = register(troubles=("retrain is blocked: data quality is in doubt: nulls fires",))
        assert section(issue_body(group(), waits, NOW), "Next step").startswith("Fix the data first:")

    def test_troubles_are_told(self) -> None:
        shown = issue_body(group(), register(troubles=("notifying PagerDuty failed: @everyone `boom`",)), NOW)
        assert "- `` notifying PagerDuty failed: @everyone `boom` ``" in section(shown, "Not done")


def test_a_rule_about_scores_says_whether_the_model_is_less_confident_or_worse() -> None:
    bins = (CalibrationBin(0.9, 0.7, 0.65, 0.75, 400.0),)
    change = CalibrationChange(CalibrationVerdict.WORSE, 0.82, 0.82, -0.001, 0.2, bins)
    shown = section(issue_body(group(alert(), evidence=Evidence(calibration=change)), register(), NOW), "Calibration")
    assert shown.splitlines() == [
        (
            "The model is as confident as before (0.820 → 0.820), but its probabilities no longer hold "
            "(calibration error 0.000 → 0.200): it got worse, and its scores do not show it."
        ),
        "",
        "| Predicted | Happened (95 %) | Rows |",
        "|---|---|---|",
        "| 90 % | **70 %** (65 % to 75 %) | 400 |",
    ]
    assert "### Calibration" not in issue_body(group(alert()), register(), NOW)
