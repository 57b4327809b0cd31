"""Experiments and cohorts in plain words: what was found, and what to do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ..model.experiment import (
    ArmVerdict,
    CohortCurve,
    CohortValues,
    DecisionReason,
    ExperimentPlan,
    ExperimentResult,
    GuardrailEffect,
    GuardrailState,
    MetricEffect,
)
from .formatting import ValueFormatter, count, duration, number, p_value, percent, utc_time, whole_percent
from .markdown import code, plain_line, table

EFFECT_COLUMNS = ("metric", "arm", "control", "arm's value", "difference", "interval", "lift", "its interval")
GUARDRAIL_COLUMNS = ("guardrail", "arm", "worse by at most", "margin", "state")
ARM_COLUMNS = ("arm", "planned", "entered", "share", "followed", "with a value")
SEGMENT_COLUMNS = ("segment", "units", "arm", "difference", "interval", "")
COHORT_COLUMNS = ("cohort", "predictions", "age", "value", "")
PLAN_COLUMNS = ("lift", "difference", "units", "days")
SHOWN_COHORTS = 12


def decision_line(result: ExperimentResult) -> str:
    """``ship new: conversion is +4.1 % [+1.2 %, +7.0 %], and its guardrails hold.`` Names are as configured."""
    word = f"{result.decision} {result.chosen}".strip()
    harmed = _harmed(result, result.chosen) if result.chosen else ""
    return f"{word}: {_reason(result)}" + (
        f" But it harms {harmed}: find out why before you ship it there." if harmed else ""
    )


def _reason(result: ExperimentResult) -> str:
    metric = result.spec.metrics[0].name
    match result.reason:
        case DecisionReason.SAMPLE_RATIO:
            return (
                f"units were not shared out as planned ({p_value(result.srm_p)}), so that arms cannot be compared. "
                "Find what assigns or logs them unevenly, and begin again."
            )
        case DecisionReason.ATTRITION:
            return (
                f"{metric} is missing more often in one arm than in another ({p_value(result.attrition_p)}), so that "
                "arms cannot be compared. If no row means nothing happened, write `outcomes: {missing: zero}`."
            )
        case DecisionReason.MIXED:
            return f"{count(result.mixed_units)} units were in several arms: the assignment is broken."
        case DecisionReason.TOO_EARLY:
            return "there are too few units for an interval, or single ones outweigh all others (see `cap`)."
        case _:
            verdicts = [verdict for verdict in result.verdicts if verdict.arm == result.chosen] or result.verdicts
            return " ".join(verdict_sentence(result, verdict) for verdict in verdicts)


def verdict_sentence(result: ExperimentResult, verdict: ArmVerdict) -> str:
    """Of one treatment."""
    effect = _first(result, verdict.arm)
    shown = f"{effect.metric} of {verdict.arm} is {_change(effect)}"
    guardrails = [one for one in result.newest.guardrails if one.effect.arm == verdict.arm]
    match verdict.reason:
        case DecisionReason.BETTER:
            return f"{shown}, better than the control" + (", and its guardrails hold." if guardrails else ".")
        case DecisionReason.BETTER_UNGUARDED:
            names = _names(guardrails, GuardrailState.OPEN)
            return f"{shown}, better than the control; not proven to be harmless yet: {names}."
        case DecisionReason.WORSE:
            return f"{shown}, worse than the control."
        case DecisionReason.GUARDRAIL:
            return f"{verdict.arm} harms {_names(guardrails, GuardrailState.BREACHED)} by more than the margin."
        case DecisionReason.ENDED:
            return f"{shown}: the time is over, and nothing is proven."
        case DecisionReason.TOO_EARLY:
            return f"{verdict.arm} has too few units for an interval."
        case _:
            return f"{shown}: no difference is proven yet."


def effect_rows(result: ExperimentResult) -> list[tuple[str, ...]]:
    """A row for each metric and treatment, by ``EFFECT_COLUMNS``."""
    return [
        (
            plain_line(effect.metric, 60),
            plain_line(effect.arm, 60),
            number(effect.control),
            number(effect.treatment),
            number(effect.difference),
            _bounds(effect.low, effect.high, number),
            percent(effect.lift),
            _bounds(effect.lift_low, effect.lift_high, percent),
        )
        for effect in (*result.newest.effects, *(one.effect for one in result.newest.guardrails))
    ]


def guardrail_rows(result: ExperimentResult) -> list[tuple[str, ...]]:
    """By ``GUARDRAIL_COLUMNS``."""
    return [
        (
            plain_line(one.effect.metric, 60),
            plain_line(one.effect.arm, 60),
            percent(one.worst).lstrip("+"),
            f"{number(100 * one.margin)} %",
            one.state,
        )
        for one in result.newest.guardrails
    ]


def arm_rows(result: ExperimentResult) -> list[tuple[str, ...]]:
    """By ``ARM_COLUMNS``."""
    total = sum(arm.entered for arm in result.arms)
    return [
        (
            plain_line(arm.name, 60),
            f"{arm.share:.1%}",
            count(arm.entered),
            f"{arm.entered / total:.1%}" if total else "—",
            count(arm.followed),
            count(arm.analysed),
        )
        for arm in result.arms
    ]


def segment_rows(result: ExperimentResult) -> list[tuple[str, ...]]:
    """By ``SEGMENT_COLUMNS``, harmed ones first."""
    ordered = sorted(result.segments, key=lambda one: (not one.is_harmed, -one.units))
    return [
        (
            plain_line(f"{one.column}={one.value}", 60),
            count(one.units),
            plain_line(one.effect.arm, 60),
            number(one.effect.difference),
            _bounds(one.effect.low, one.effect.high, number),
            "harmed" if one.is_harmed else "",
        )
        for one in ordered
    ]


def fact_lines(result: ExperimentResult) -> Iterator[str]:
    """What holds for the whole experiment."""
    yield f"Since {utc_time(result.spec.start)}, as of {utc_time(result.as_of)}."
    if 0 < result.follow_up < math.inf:
        yield f"A unit counts once it was followed for {duration(result.follow_up)}; younger ones are in no figure."
    shared = "as planned" if result.reason is not DecisionReason.SAMPLE_RATIO else "not as planned"
    yield f"Units were shared out {shared} ({p_value(result.srm_p)}, over all looks)."
    for arm in result.spec.treatments:
        if harmed := _harmed(result, arm):
            yield f"{arm} harms {harmed}, corrected for all {len(result.segments)} segments and arms."
    if result.segments and not any(one.is_harmed for one in result.segments):
        yield f"No segment is proven to be harmed; the intervals of all {len(result.segments)} hold together."
    reduction = max((effect.reduction for effect in result.newest.effects), default=0.0)
    if result.spec.covariates:
        yield f"Covariates took off {whole_percent(max(reduction, 0.0))} of the variance."
    if (required := result.required) is not None:
        smallest = number(float(f"{required.minimal_effect:.2g}"))
        days = "more than ten years" if required.days_for_half is None else f"{required.days_for_half:,.0f} days more"
        yield (
            f"With {count(required.units)} units a difference of {smallest} is found with 80 % probability; half of it "
            f"takes {days}, at {count(required.daily)} units a day."
        )
    if result.mixed_units:
        yield f"{count(result.mixed_units)} units were in several arms, and are left out."


def plan_rows(plan: ExperimentPlan) -> list[tuple[str, ...]]:
    """By ``PLAN_COLUMNS``."""
    return [
        (percent(effect.lift), number(effect.difference), count(effect.units), count(effect.days))
        for effect in plan.effects
    ]


def plan_line(plan: ExperimentPlan) -> str:
    """What is known before an experiment begins."""
    metric = plan.spec.metrics[0].name
    covariates = (
        f" Covariates take off {whole_percent(plan.reduction)} of the variance." if plan.spec.covariates else ""
    )
    return (
        f"begins at {utc_time(plan.spec.start)}. By the last four weeks {metric} is {number(plan.value)}, of "
        f"{count(plan.daily)} units a day.{covariates} How long it takes at most to find a difference, with a "
        "probability of 80 %:"
    )


def plan_markdown(plan: ExperimentPlan) -> str:
    """A section, in which names are code."""
    head = f"### Experiment {code(plan.spec.name)}\n\n{code(plan_line(plan), 600)}"
    return f"{head}\n\n{table(PLAN_COLUMNS, plan_rows(plan))}\n"


def experiment_markdown(result: ExperimentResult) -> str:
    """A section, in which names and values are code."""
    parts = [f"### Experiment {code(result.spec.name)}", f"**{result.decision}** {code(decision_line(result), 600)}"]
    parts.append("\n".join(f"- {code(line, 400)}" for line in (*fact_lines(result), *result.notes)))
    for columns, rows in (
        (ARM_COLUMNS, arm_rows(result)),
        (EFFECT_COLUMNS, effect_rows(result)),
        (GUARDRAIL_COLUMNS, guardrail_rows(result)),
        (SEGMENT_COLUMNS, segment_rows(result)),
    ):
        if rows:
            parts.append(table(columns, _escaped(rows)))
    return "\n\n".join(parts) + "\n"


def cohort_rows(values: CohortValues) -> list[tuple[str, ...]]:
    """The newest cohorts, by ``COHORT_COLUMNS``."""
    return [
        (
            utc_time(curve.begin)[:10],
            count(curve.predictions),
            duration(curve.end_of_ages) if curve.ages else "—",
            number(curve.values[-1] if curve.values else None),
            _cohort_state(curve),
        )
        for curve in values.curves[-SHOWN_COHORTS:]
    ]


def cohort_line(values: CohortValues) -> str:
    """The total of mature cohorts."""
    if values.total is None:
        return f"{values.value} by cohort: no cohort is mature yet."
    how = "stated" if values.is_lag_stated else "measured"
    return (
        f"{values.value} a prediction: {number(values.total)} after {duration(values.lag)} ({how}), of "
        f"{count(values.predictions)} predictions in mature cohorts."
    )


def cohort_markdown(values: CohortValues) -> str:
    """A section, in which names are code."""
    lines = "\n".join(f"- {code(line, 400)}" for line in (cohort_line(values), *values.notes))
    return f"### Cohorts\n\n{lines}\n\n{table(COHORT_COLUMNS, _escaped(cohort_rows(values)))}\n"


def _cohort_state(curve: CohortCurve) -> str:
    if curve.is_mature:
        return "mature"
    if curve.as_usual is None:
        return "young"
    return f"young: {percent(curve.as_usual - 1)} against mature ones at its age"


def _harmed(result: ExperimentResult, arm: str) -> str:
    return ", ".join(f"{one.column}={one.value}" for one in result.segments if one.is_harmed and one.effect.arm == arm)


def _escaped(rows: Sequence[tuple[str, ...]]) -> list[list[str]]:
    return [[code(cell) if cell else "" for cell in row] for row in rows]


def _first(result: ExperimentResult, arm: str) -> MetricEffect:
    return next(effect for effect in result.newest.effects if effect.arm == arm)


def _change(effect: MetricEffect) -> str:
    if effect.lift is not None and effect.lift_low is not None and effect.lift_high is not None:
        return f"{percent(effect.lift)} {_bounds(effect.lift_low, effect.lift_high, percent)}"
    return f"{number(effect.difference)} {_bounds(effect.low, effect.high, number)}"


def _names(guardrails: Sequence[GuardrailEffect], state: GuardrailState) -> str:
    return ", ".join(one.effect.metric for one in guardrails if one.state is state)


def _bounds(low: float | None, high: float | None, write: ValueFormatter) -> str:
    if low is None or high is None:
        return "not known yet"
    return f"[{write(low)}, {write(high)}]"
