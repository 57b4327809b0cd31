"""The corpus through everything that writes for people and machines: nothing comes alive, nothing is lost silently."""

from __future__ import annotations

import io
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

import modelwatch
from modelwatch.cli.runner import disarm_workflow_commands
from modelwatch.clients.workflow_commands import annotation, append_summary, escape_property, set_output
from modelwatch.errors import TargetError
from modelwatch.inbound import handle
from modelwatch.model.backtest import (
    AlertShift,
    AlertVerdict,
    BacktestComparison,
    BacktestReport,
    IncidentChange,
    IncidentScore,
    MarkedIncident,
    Marks,
    RuleChange,
    RuleScore,
    RuleStatus,
    ScoredAlert,
)
from modelwatch.model.drill import Cleanup, DrillReport, GameDayTimes, Link, LinkResult, LinkState
from modelwatch.model.earned_mode import AttemptOutcome, AutomationAttempt, EarnedMode
from modelwatch.model.experiment import DecisionReason
from modelwatch.model.keys import KeyPattern
from modelwatch.model.ledger import EntryKind, LedgerEntry
from modelwatch.model.money import Estimate, MoneyImpact, ReturnOnInvestment, ReturnPeriod
from modelwatch.model.monitored_model import Config
from modelwatch.model.pagerduty_event import PagerDutyPerson
from modelwatch.model.past_episode import PastEpisodes
from modelwatch.model.plan import ChangeResult, ModelObservation
from modelwatch.model.recent_change import RecentChange, RecentChangeKind, RecentChanges
from modelwatch.model.register import DispatchState
from modelwatch.model.rule import Mode, Rule
from modelwatch.model.series import PulledSeries
from modelwatch.model.setup_plan import (
    FieldChange,
    SetupChange,
    SetupKind,
    SetupPlan,
    SetupReceipt,
    SetupRefusal,
    SetupVerb,
)
from modelwatch.model.severity import Severity
from modelwatch.model.tuning import (
    HeldOutScore,
    IncidentDelay,
    Setting,
    SettingChange,
    SettingScore,
    Suggestion,
    TriedSetting,
)
from modelwatch.report import (
    authority,
    backtest,
    backtest_comparison,
    comments,
    console,
    diagnosis,
    dispatch_command,
    drill,
    earned_modes,
    experiments,
    handover,
    ledger_table,
    markdown,
    money,
    next_steps,
    past_episodes,
    plan_tables,
    recent_changes,
    release,
    release_verdicts,
    return_on_investment,
    review,
    scorecard,
    summary,
    team_links,
    tuning,
)
from modelwatch.report.markdown import code, plain_line, table
from modelwatch.report.recent_changes import recent_change_lines
from modelwatch.runbooks import render as runbooks_render
from modelwatch.targets.base import GroupRun
from modelwatch.targets.incidents import render as incidents_render
from modelwatch.targets.issues import render as issues_render
from modelwatch.targets.messages import render as messages_render
from modelwatch.targets.register import codec
from modelwatch.targets.sessions import TargetSessions
from modelwatch.watchdog import texts as watchdog_texts
from modelwatch.watchdog.condition import ConditionResult, State, quote

from ..report import making
from . import world
from .corpus import CORPUS, EVIL, Sample
from .inert import check_line, check_log, check_markdown, read_outputs

OWN = (world.WANDB, "https://github.com/acme/", "https://example.org/runbooks/")
OWNER = ("@acme/ml",)
RUNBOOK = (Path(__file__).parents[2] / "runbooks/accuracy-drop.md").read_text("utf-8")
every_sample = pytest.mark.parametrize("sample", CORPUS, ids=[sample.name for sample in CORPUS])


def test_the_corpus_is_large_and_each_sample_is_one_of_its_kind() -> None:
    assert len(CORPUS) >= 60
    assert len({sample.text for sample in CORPUS}) == len({sample.name for sample in CORPUS}) == len(CORPUS)


@every_sample
def test_issue_and_its_register(sample: Sample) -> None:
    for group in (world.group(sample.text), world.plain_group(sample.text)):
        register = world.register(sample.text)
        title = comments.issue_title(group, register)
        check_line(title, 200)
        text = issues_render.issue_body(
            group, register, making.NOW, model=making.model(), run_url="https://github.com/acme/x"
        )
        check_markdown(text, OWN, OWNER)
        if sample.name in ("unicode-surrogate", "unicode-long"):
            with pytest.raises(TargetError):  # refused whole, never cut
                codec.encode_register(register)
            continue
        body = codec.render_body("People's words.", text, register, title)
        found = codec.parse_body(body)
        assert found.error == ""
        assert found.register == register
        check_markdown(body, OWN, OWNER)
        again = codec.render_body(body, text, register, title)
        assert again == body


@every_sample
def test_comments(sample: Sample) -> None:
    for note in world.notes(sample.text):
        for group in (world.group(sample.text), None):
            found = comments.comment_text(note, group, world.register(sample.text), making.NOW, making.model())
            check_markdown(found, OWN, OWNER)
    check_markdown(comments.undelivered_text(sample.text, making.model(runbook_base=OWN[2])), OWN, OWNER)


@every_sample
def test_messages(sample: Sample) -> None:
    sessions = TargetSessions(Config((), "c1"), {})
    for group in (world.group(sample.text), None):
        run = GroupRun(sessions, group, making.NOW, making.NOW)
        for note in world.notes(sample.text):
            title, body = messages_render.message_text(run, note, world.register(sample.text))
            for line in (title, *body.splitlines()):
                check_line(line.replace("@\u2060", "@"), 1000)  # the word joiner keeps a name from being pinged
                assert "@channel" not in line
                assert "<!" not in line


@every_sample
def test_what_changed_the_record_and_the_review(sample: Sample) -> None:
    text = sample.text
    url = "" if text.startswith("http") else text  # addresses come from GitHub: a plain one may be a link
    changes = tuple(RecentChange(making.NOW, kind, text, text, url) for kind in RecentChangeKind)
    recent = RecentChanges(changes, (text,))
    check_markdown(recent_changes.recent_changes_section(recent), OWN)
    for line in recent_change_lines(recent):
        check_line(line, 400)
    entries = tuple(LedgerEntry(f"k{kind}", making.NOW, kind, text, "paged", text, url) for kind in EntryKind)
    check_markdown(ledger_table.ledger_table(entries), OWN, ("@\u2060",))
    said = (review.PersonComment(making.NOW, text, text, url),)
    known = review.ReviewInput(world.register(text), entries, text, 1, "https://github.com/acme/x/issues/1", True, said)
    known = replace(known, past_episodes=world.past(text))
    for past in (world.past(text), PastEpisodes(problem=text)):
        check_markdown(past_episodes.past_episodes_section(past), OWN)
        for line in (past_episodes.past_episodes_text(past), *past_episodes.past_episode_lines(past)):
            check_line(line, 600)
    check_markdown(review.review_text(known, making.NOW), OWN)
    links = (("Grafana", f"x {text}"), ("Other", text.replace("http", "x")))
    check_markdown(team_links.links_section(links), OWN)
    check_line(team_links.commands(links), 1100)


@every_sample
def test_job_summary(sample: Sample) -> None:
    text = summary.job_summary(world.judgement(sample.text), world.plan(sample.text), world.receipts(sample.text))
    check_markdown(text, OWN)


@every_sample
def test_backtest_and_its_comparison(sample: Sample) -> None:
    text = sample.text
    incident = MarkedIncident(text, 0.0, 1e6, text, (text,))
    scores = (RuleScore(text, text, text, alerts=1, pages=1, median_duration=60.0, dispatches=((text, 1),)),)
    alert = ScoredAlert(text, text, 0.0, 3600.0, None, Severity.ERROR, AlertVerdict.INCIDENT)
    marks = Marks((incident,), (), (text,), (text,))
    found = IncidentScore(incident, 3600.0, text, 3600.0, ((text, 3600.0),))
    missed = IncidentScore(incident, firing_before=(text,))
    after = BacktestReport(
        "c", 0.0, 1e6, 3600.0, 2, (text, "b"), scores, (found,), (alert,), marks, ((text, text),), (text,)
    )
    before = replace(after, incidents=(missed,), rules=())
    compared = BacktestComparison(
        text,
        after,
        before,
        rules=(RuleChange(text, text, RuleStatus.ADDED, None, scores[0]),),
        incidents=(IncidentChange(missed, found), IncidentChange(found, missed)),
        only_before=(alert,),
        only_after=(alert,),
        shifts=(AlertShift(alert, replace(alert, fired=0.0)),),
    )
    same = replace(compared, only_before=(), only_after=(), shifts=(), incidents=(), rules=())
    for one in (compared, same, replace(compared, before=None, reason=text)):
        check_markdown(backtest_comparison.comparison_markdown(one))
        for line in backtest_comparison.comparison_text(one).splitlines():
            check_line(line, 600)
    check_markdown(backtest.backtest_markdown(after))
    check_markdown(backtest_comparison.failure_markdown([text]))
    for line in backtest.backtest_text(after).splitlines():
        check_line(line, 600)


@every_sample
def test_return_on_investment_and_worth(sample: Sample) -> None:
    text = sample.text
    gained = Estimate(2.0, 1.0, 3.0)
    row = ReturnPeriod("2026-03", 0.0, 1.0, 1, 5.0, 3.0, gained, 1.0, 1, gained, 1.0, 1.0, 1, 1.0, None, None)
    result = ReturnOnInvestment(text, "EUR", 0.0, 1.0, row, (row,), (), (text,), (text,))
    check_markdown(return_on_investment.roi_markdown(result), OWN)
    for line in return_on_investment.roi_text(result).splitlines():
        check_line(line, 2000)
    impact = MoneyImpact(-5.0, "EUR", -7.0, -3.0, text, 0.5)
    check_line(money.impact_sentence(impact), 200)
    group = world.plain_group(text)
    group = replace(group, evidence=replace(group.evidence, money=impact))
    check_markdown(issues_render.issue_body(group, world.register(text), making.NOW, model=making.model()), OWN, OWNER)


@every_sample
def test_modes_that_are_proposed(sample: Sample) -> None:
    text = sample.text
    url = "" if text.startswith("http") else text
    attempts = (AutomationAttempt(making.NOW, text, AttemptOutcome.HELPED, text, url),)
    mode = EarnedMode(
        text, text, Mode.PROPOSE, Mode.ACT, True, 1, 1, 0.5, 1.0, 0, outcomes=((AttemptOutcome.HELPED, 1),)
    )
    modes = (replace(mode, attempts=attempts), replace(mode, step_back=Mode.OBSERVE, step_back_reason="it harms"))
    rows = earned_modes.mode_rows(modes, code)
    points = "\n".join(f"- {point}" for point in earned_modes.mode_points(modes, code))
    check_markdown(f"{table(earned_modes.MODE_COLUMNS, rows)}\n\n{points}", OWN)
    check_markdown(earned_modes.pull_request_body(modes, "", [text]), OWN)
    check_line(earned_modes.pull_request_title(modes[:1]), 200)


@every_sample
def test_gate_and_canary(sample: Sample) -> None:
    for text in (
        release_verdicts.gate_markdown(world.gate(sample.text)),
        release_verdicts.gate_comment(world.gate(sample.text)),
        release_verdicts.canary_markdown(world.canary(sample.text), sample.text),
    ):
        check_markdown(text, OWN)


@every_sample
def test_experiments_and_cohorts(sample: Sample) -> None:
    from rich.console import Console

    shown = io.StringIO()
    for reason in DecisionReason:
        result = world.experiment(sample.text, reason)
        check_markdown(experiments.experiment_markdown(result), OWN)
        check_line(plain_line(experiments.decision_line(result), 800), 800)
        for columns, rows in (
            (experiments.EFFECT_COLUMNS, experiments.effect_rows(result)),
            (experiments.SEGMENT_COLUMNS, experiments.segment_rows(result)),
        ):
            Console(file=shown, width=61, force_terminal=False).print(console.make_table(columns, rows))
    check_markdown(experiments.plan_markdown(world.experiment_plan(sample.text)), OWN)
    check_markdown(experiments.cohort_markdown(world.cohorts(sample.text)), OWN)
    check_log(disarm_workflow_commands(shown.getvalue()))


@every_sample
def test_page(sample: Sample) -> None:
    for group in (world.group(sample.text), world.plain_group(sample.text)):
        check_line(incidents_render.incident_summary(group, making.NOW), 1000)
        details = incidents_render.incident_details(group, world.register(sample.text), making.NOW)
        for value in details.values():
            for text in value if isinstance(value, list) else [value]:
                check_line(text, 10_000)
        json.dumps(details, allow_nan=False).encode()


@every_sample
def test_terminal_and_log(sample: Sample) -> None:
    """In a terminal of every width, so that lines wrap at every place."""
    from rich.console import Console

    shown = io.StringIO()
    for width in (40, 61, 100):
        terminal = Console(file=shown, width=width, highlight=False, force_terminal=False)
        console.show_judgement(terminal, world.judgement(sample.text))
        plan_tables.show_plan(
            terminal, world.plan(sample.text), world.receipts(sample.text), world.judgement(sample.text)
        )
        release_verdicts.show_gate(terminal, world.gate(sample.text))
    registry = world.registry(sample.text)
    rows = [*release.status_rows(registry), *release.history_rows(registry)]
    shown.write("\n".join(cell for row in rows for cell in row))
    known = diagnosis.DiagnosisInput(
        making.model(),
        (world.plain_group(sample.text),),
        PulledSeries("churn", ()),
        ModelObservation("churn"),
        registry,
        (sample.text,),
    )
    shown.write("\n" + diagnosis.diagnosis_text(diagnosis.diagnose(known, making.NOW)))
    check_log(disarm_workflow_commands(shown.getvalue()))


@every_sample
def test_command_by_hand(sample: Sample) -> None:
    """The line that people copy into their shell: as many words as it should have, each of them data."""
    register = world.register(sample.text)
    proposed = next(one for one in register.dispatches if one.state is DispatchState.PROPOSED)
    text = dispatch_command.dispatch_command(register, proposed, making.model())
    assert "\n" not in text
    words = shlex.split(text)
    assert words[:6] == ["gh", "workflow", "run", "rollback.yml", "--repo", "acme/churn-model"]
    assert words[6::2] == ["-f"] * len(words[6::2])
    assert all(
        word.partition("=")[0] in ("key", "model", "version", "target_version", "reason") for word in words[7::2]
    )


@every_sample
def test_outputs_and_annotations(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("runner")
    outputs, page = folder / "outputs", folder / "summary"
    text = sample.text.encode("utf-8", "replace").decode()
    env = {"GITHUB_OUTPUT": str(outputs), "GITHUB_STEP_SUMMARY": str(page)}
    set_output("reason", text, env)
    set_output("firing", "1", env)
    assert read_outputs(outputs.read_bytes().decode()) == {"reason": text, "firing": "1"}
    append_summary(markdown.code(text), env)
    check_markdown(page.read_text("utf-8"))
    told = annotation("error", text, f"{text}.yml")
    assert "\n" not in told
    assert "\r" not in told
    assert told.startswith("::error")
    assert ":" not in escape_property(text)
    assert "," not in escape_property(text)


@every_sample
def test_mermaid_and_links(sample: Sample) -> None:
    assert not set(markdown.mermaid_text(sample.text)) & set("\"'`<>[](){};#&\n\r")
    shown = markdown.link("W&B", sample.text)
    if EVIL not in markdown.safe_url(sample.text):
        check_markdown(shown)


@every_sample
def test_what_was_done_at_pagerduty(sample: Sample) -> None:
    for person in (PagerDutyPerson(sample.text), PagerDutyPerson(unknown_reason=sample.text)):
        check_markdown(handle.acknowledgement_note(person, sample.text), OWN)
        check_markdown(handle.resolution_question(person, sample.text), OWN)


@every_sample
def test_runbook_page_of_an_alert(sample: Sample) -> None:
    group = replace(world.group(sample.text), rule="accuracy")
    known = runbooks_render.alert_context(group, None, ModelObservation("churn"), making.NOW, (), (sample.text,))
    page = runbooks_render.render_page(RUNBOOK, known, "https://example.org/runbooks/")
    ours = page[: page.index("\n## ")]
    check_markdown(ours, OWN, OWN)
    for block in re.findall(r"```(?:console|sh|bash)\n(.*?)```", page, re.DOTALL):
        for command in block.splitlines():
            assert (
                not sample.text or sample.text not in command or runbooks_render._SHELL_SAFE.fullmatch(sample.text)
            ), command


@every_sample
def test_scorecard_and_handover(sample: Sample) -> None:
    """Names of models, rules and people, keys, reasons and what services answered."""
    card, page = world.scorecard(sample.text), world.handover(sample.text)
    check_markdown(scorecard.scorecard_markdown(card, about="https://github.com/acme/page"), OWN)
    check_markdown(handover.handover_markdown(page), OWN)
    for text in (scorecard.scorecard_text(card), handover.handover_text(page)):
        for line in text.splitlines():
            check_line(line, 4000)


@every_sample
def test_tuning(sample: Sample) -> None:
    """Names of the configuration and its patch, which quotes the file."""
    change = SettingChange(("tiers", "warning", "drop"), "2%", "1.3%")
    rule = Rule(sample.text, "accuracy-drop", KeyPattern("eval/accuracy"), ())
    score = SettingScore(0.0, 9e6, 9e6, 1, 1, (IncidentDelay(sample.text, 0.0, 60.0, 3600.0),))
    tried = (
        TriedSetting(Setting(rule, ()), score, within_budget=True),
        TriedSetting(Setting(rule, (change,), 0.65), score, within_budget=True, on_curve=True),
    )
    held_out = HeldOutScore(score, 1e-6)
    found = Suggestion(
        sample.text, sample.text, sample.text, None, tried, "It is.", tried[1].setting, held_out, held_out
    )
    diff = "".join(f"+{line}\n" for line in sample.text.split("\n"))
    check_markdown(tuning.tuning_markdown([found], diff, [sample.text]), OWN)
    for line in (*tuning.tuning_lines(found), tuning.curve_plot(found)):
        check_line(plain_line(line, 4000), 4000)


@every_sample
def test_plan_for_pagerduty(sample: Sample) -> None:
    """Names and texts as they stand at PagerDuty, where anybody may have written them."""
    from rich.console import Console

    fields = (FieldChange(sample.text, sample.text, sample.text), FieldChange("name", sample.text, ""))
    changes = tuple(SetupChange(verb, SetupKind.SERVICE, sample.text, fields, "P1", sample.text) for verb in SetupVerb)
    refusal = SetupRefusal(SetupKind.POLICY, sample.text, sample.text, sample.text)
    plan = SetupPlan("https://api.pagerduty.com", changes, (refusal,), ((SetupKind.SERVICE, sample.text),))
    receipts = [SetupReceipt(change, ChangeResult.FAILED, sample.text) for change in changes]
    shown = io.StringIO()
    for width in (40, 61, 100):
        terminal = Console(file=shown, width=width, highlight=False, force_terminal=False)
        plan_tables.show_setup_plan(terminal, plan, "PagerDuty")
        plan_tables.show_setup_plan(terminal, plan, "W&B", receipts)
    check_log(disarm_workflow_commands(shown.getvalue()))


@every_sample
def test_issue_of_the_watchdog(sample: Sample) -> None:
    """What services answer and what others named is quoted by the conditions."""
    text = quote(sample.text)
    results = [
        ConditionResult("drill", State.BROKEN, f"the drill {text} failed", making.NOW, f"Start {text}."),
        ConditionResult("dashboard", State.UNKNOWN, f"cannot be checked: {text}", None, text, checked=False),
        ConditionResult("schedule", State.OK, text),
    ]
    check_markdown(watchdog_texts.issue_body(results, {}, making.NOW), OWN)
    check_markdown(watchdog_texts.news_comment(results, ["drill"]))
    check_log(disarm_workflow_commands("\n".join(watchdog_texts.console_lines(results))))


@every_sample
def test_drills_and_the_authority_page(sample: Sample) -> None:
    text = sample.text
    links = tuple(LinkResult(one, LinkState.FAILED, text, text, text, 1.0, 2.0) for one in Link)
    cleanup = Cleanup((text,), (text,))
    report = DrillReport(text, "accuracy-drop", text, text, making.NOW, links, (text,), cleanup, cleanup)
    check_markdown(drill.drill_markdown([report]), OWN, OWNER)
    check_line(drill.drill_title(report), 200)
    for row in drill.link_rows(report):
        for cell in row:
            check_line(cell, 400)
    for line in drill.broken_lines(report):
        check_line(line[1], 600)
    model = making.model()
    model = replace(model, pagerduty=replace(model.pagerduty, people=((text, "ada"),)))
    times = GameDayTimes(making.NOW, text, 1.0, 2.0, 3.0, 4.0, 5.0)
    page = authority.authority_page({text: model}, {text: times})
    check_markdown(page, OWN, (*OWNER, "@ada"))
    if sample.name != "unicode-surrogate":
        assert authority.read_times(page) == {text: times}


def test_every_module_that_writes_is_tried_here() -> None:
    """A new one has to be placed: with a test of its own above, or among those that others call."""
    package = Path(modelwatch.__file__).parent
    writers = {f"report.{path.stem}" for path in package.glob("report/[!_]*.py")}
    writers |= {
        f"targets.{path.parent.name}.{path.stem}"
        for path in package.glob("targets/*/*.py")
        if path.stem in ("render", "comments")
    }
    tried = {comments, console, diagnosis, incidents_render, issues_render, markdown, next_steps, release}
    tried |= {
        release_verdicts,
        summary,
        earned_modes,
        experiments,
        messages_render,
        plan_tables,
        past_episodes,
        recent_changes,
        ledger_table,
    }
    tried |= {review, team_links, dispatch_command, return_on_investment, money, scorecard, handover, tuning}
    tried |= {backtest, backtest_comparison}
    tried |= {authority, drill}
    names = {module.__name__.removeprefix("modelwatch.") for module in tried}
    assert writers == names | {
        f"report.{name}"
        for name in (
            *("affected_alerts", "alert_phrase", "chart", "explanation", "facts_table", "formatting", "group_states"),
            *("calibration", "estimates", "heartbeat", "kind_steps", "model_health", "move_effect"),
            *("rollback_choice", "sensitivity"),
        )
    }
