"""A group in which every place that outside text can reach holds the same text."""

from __future__ import annotations

from dataclasses import replace

from modelwatch.model.alert import Evidence, Group, Judgement, Mute, SourceFailure, TrendPoint
from modelwatch.model.drift import DistributionChange, FeatureDrift, ReferenceDrift, ShareChange
from modelwatch.model.experiment import (
    ArmCounts,
    ArmVerdict,
    CohortCurve,
    CohortValues,
    DecisionReason,
    ExperimentDecision,
    ExperimentLook,
    ExperimentMetric,
    ExperimentPlan,
    ExperimentResult,
    ExperimentSpec,
    GuardrailEffect,
    GuardrailState,
    MetricEffect,
    PlannedEffect,
    SegmentEffect,
)
from modelwatch.model.explanation import DriftedInput, Explanation, SegmentContribution
from modelwatch.model.finding import Outcome
from modelwatch.model.gate import GateCheck, GateDecision, GateReport, GateRow, GateVerdict
from modelwatch.model.handover import (
    ConfiguredSilence,
    Handover,
    HandoverAlert,
    HandoverChange,
    LearnedAlert,
    WaitingProposal,
)
from modelwatch.model.past_episode import Ending, PastEpisode, PastEpisodes
from modelwatch.model.plan import ChangeResult, Note, Plan, Receipt, Receipts, Skip
from modelwatch.model.register import DispatchRecord, DispatchState, Register
from modelwatch.model.release import CanaryCheck as CanaryCheck
from modelwatch.model.release import CanaryDecision, CanaryVerdict, Move, MoveState, MoveVerb, Registry, Version
from modelwatch.model.rule import BaselineKind
from modelwatch.model.scorecard import (
    Cost,
    Coverage,
    DurationFigure,
    LabelDelay,
    Period,
    PeriodFigures,
    RuleFigures,
    Scorecard,
    ShareFigure,
    WorkflowCost,
    WorkflowFigures,
)
from modelwatch.model.severity import Severity
from modelwatch.report.markdown import safe_url
from modelwatch.timeutil import DAY

from ..report import making

WANDB = "https://wandb.example/acme/churn-prod/runs/"
NOW = making.NOW


def address(text: str) -> str:
    """Where an address stands, services put it: a text that is a good one is not hostile there."""
    return "" if safe_url(text) else text


def why(text: str) -> Explanation:
    labels = (("region", text),)
    part = SegmentContribution(labels, 0.3, 0.4, 0.9, 0.7, -0.02, -0.05, 0.001)
    moved = DriftedInput(text, text, 0.4, Severity.ERROR, 0.5)
    return Explanation(
        NOW, -0.07, -0.02, -0.05, (part,), 3, part, 3, NOW - 3600, labels, text, NOW - 7200, (moved,)
    )  # fmt: skip


def evidence(text: str) -> Evidence:
    segment = making.finding(labels=((text, text),))
    against = (
        ReferenceDrift(BaselineKind.FILE, text, 0.0, 0.4, True, 0.001, 0.01),
        ReferenceDrift(BaselineKind.VERSION, text, 0.0, 0.3, True),
    )
    change = DistributionChange(shares=(ShareChange(text, 0.7, 0.55),))
    return Evidence(
        segments=(segment, replace(segment, outcome=Outcome.UNDECIDED, severity=None)),
        segments_seen=2,
        version=text,
        version_since=NOW - 7200,
        previous=(text, text),
        links=((text, f"{WANDB}abc"), (text, address(text))),
        notes=(text,),
        why=why(text),
        drifted=(FeatureDrift(text, "psi", 0.4, against, change=change),),
        features=3,
    )


def group(text: str, rule: str = "accuracy") -> Group:
    newest = making.finding(labels=(("region", text),), version=text)
    loud = making.alert(newest, mutes=(Mute("silence", text),))
    return replace(making.group(loud, rule=rule), evidence=evidence(text), mutes=(Mute("silence", text),))


def plain_group(text: str) -> Group:
    """Without drift, so that the segments are shown; and with a chart."""
    points = tuple(TrendPoint(NOW - 3600 * (5 - place), 0.9 - place / 100, 0.92) for place in range(5))
    return replace(group(text), mutes=(), evidence=replace(evidence(text), drifted=(), features=0, trend=points))


def register(text: str) -> Register:
    key = making.group().key
    records = tuple(
        DispatchRecord(
            f"{key}.1.{verb}.1", verb, state, NOW - 600, url=url, conclusion=text, version=text, target_version=text,
            by=text, ended=NOW if state is DispatchState.FINISHED else None,
        )
        for verb, state, url in (
            ("rollback", DispatchState.PROPOSED, ""),
            ("retrain", DispatchState.FINISHED, "https://github.com/acme/churn-model/actions/runs/1"),
            ("degrade", DispatchState.REJECTED, address(text)),
        )
    )  # fmt: skip
    return making.register(
        dispatches=records,
        silence_reason=text,
        silence_by=text,
        silence_until=NOW + 3600,
        troubles=(text,),
        verdict=text,
    )


def past(text: str) -> PastEpisodes:
    """One episode of each ending, of this rule and of another one."""
    endings = tuple(Ending)
    episodes = tuple(
        PastEpisode(NOW - 9e5, ending, NOW - 8e5, f"rollback to {text}", NOW - 8e5, address(text), rule)
        for ending in endings
        for rule in ("", text)
    )
    return PastEpisodes(len(episodes), NOW - 9e5, episodes)


def notes(text: str) -> list[Note]:
    """One of every topic."""
    key = making.group().key
    topics = ("opened", "worse", "better", "recovered", "reopened", "workflow", "escalated", "proposal", "command")
    return [Note(f"{key}.1.{topic}.rollback.1", topic, text) for topic in topics]


def judgement(text: str) -> Judgement:
    return Judgement(
        NOW,
        "digest",
        (plain_group(text), group(text, "other")),
        (SourceFailure("churn", text),),
        (text,),
        watchdog=plain_group(text),
    )


def plan(text: str) -> Plan:
    change = making.change(reason=text)
    skip = Skip("rollback", "churn", making.group().key, text, "cooldown")
    return Plan(NOW, "digest", (change,), (skip,), (plain_group(text),), (("churn", text),), heartbeat=change)


def receipts(text: str) -> Receipts:
    change = making.change(reason=text)
    receipt = Receipt(change.id, change.kind, "churn", change.group, ChangeResult.FAILED, NOW, text, address(text))
    return Receipts(NOW, "digest", (receipt,), receipt)


def canary(text: str) -> CanaryVerdict:
    check = CanaryCheck("accuracy", (("region", text),), "undecided", "", 0.8, 0.9, 0.7, 0.85, 10.0, 20.0, text)
    return CanaryVerdict(CanaryDecision.PROPOSE, text, NOW - 7200, NOW, (text,), (check,))


def gate(text: str) -> GateReport:
    row = GateRow(GateCheck.SEGMENT, "holdout", text, GateVerdict.WORSE, text, segment=f"region={text}")
    return GateReport(
        NOW, "churn", text, text, "accuracy", "higher", 0.05, 0.01, GateDecision.REJECT, (text,), (row,), (text,)
    )


def registry(text: str) -> Registry:
    version = Version(
        "v3", ("production", text), text, NOW, number=text, commit=text, data=text, by=text, run=text,
        metrics=((text, 0.9),), parameters=((text, text),),
    )  # fmt: skip
    older = Version(text, ("previous",), text, NOW, available=False)
    move = Move(
        "k", MoveVerb.PROMOTE, "churn", text, "v3", text, text, NOW, (), (("production", "v3"),), MoveState.FAILED, NOW
    )
    return Registry("churn", text, (version, older), (replace(move, detail=text), replace(move, key="l")))


def experiment(text: str, reason: DecisionReason) -> ExperimentResult:
    metric = ExperimentMetric(text, text)
    spec = ExperimentSpec(text, NOW - 86400, text, ((text, 1.0), ("other", 1.0)), "other", (metric,), (metric,))
    effect = MetricEffect(text, text, 1.0, 2.0, 1.0, 0.5, 1.5, 1.0, 0.4, 1.6)
    guardrails = tuple(GuardrailEffect(effect, 0.1, 0.2, state) for state in GuardrailState)
    return ExperimentResult(
        spec,
        NOW,
        86400.0,
        (ArmCounts(text, 0.5, 10, 9, 8),),
        3,
        1e-5,
        1e-5,
        (ExperimentLook(NOW, 10, 1e-5, (effect,), guardrails),),
        (SegmentEffect(text, text, 10, effect, True),),
        None,
        ExperimentDecision.SHIP,
        reason,
        (ArmVerdict(text, ExperimentDecision.SHIP, reason),),
        text,
        (text,),
    )


def experiment_plan(text: str) -> ExperimentPlan:
    spec = experiment(text, DecisionReason.BETTER).spec
    return ExperimentPlan(spec, NOW, 0.0, 1.0, 10.0, 0.1, (PlannedEffect(0.1, 0.1, 100, None),))


def cohorts(text: str) -> CohortValues:
    curve = CohortCurve(NOW - 86400, NOW, 10, (3600.0,), (1.0,), False, 0.9)
    return CohortValues(text, 86400.0, True, (curve, replace(curve, is_mature=True)), 1.0, 10, (text,))


def scorecard(text: str) -> Scorecard:
    """With this text as every name and reason."""
    times, share = DurationFigure(2, 60.0, 90.0, 1), ShareFigure(1, 4, 0.05, 0.4)
    rule = RuleFigures(text, text, 4, 0.3, 1, share, 2, times, 0.5, over_budget=True)
    flow = WorkflowFigures(text, text, 4, 2, 1, share, share, 3)
    figures = PeriodFigures(
        Period(NOW - 7 * DAY, NOW), 4, 1, 1, 2, times, times, times, times, share, share, share, (rule,), (flow,), 1
    )
    pair = ((text, text),)
    coverage = Coverage(1, 1, (text,), pair, pair, ((text, (text,)),), 2, pair)
    cost = Cost((WorkflowCost(text, text, 1, 2),), 3, 4, (text,))
    delays = (LabelDelay(text, 1.0, None, text),)
    return Scorecard(NOW, figures.period, figures, figures, coverage, delays, cost, cost, (text,))


def handover(text: str) -> Handover:
    """With this text as every name, reason and address that a service does not check."""
    url = address(text)
    alert = HandoverAlert(text, text, 1, url, Severity.ERROR, NOW - DAY, text, text, text, 2)
    learned = LearnedAlert(text, text, 1, url, NOW - DAY, DAY, text)
    return Handover(
        NOW,
        (alert,),
        (WaitingProposal(text, text, 1, url, text, text, NOW - DAY),),
        (ConfiguredSilence(text, NOW + DAY, text, text),),
        (HandoverChange(NOW - DAY, text, text, text, text, url),),
        (learned, replace(learned, false_reason=text), replace(learned, helped="")),
        (text,),
    )
