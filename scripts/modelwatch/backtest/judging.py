"""Judges the history of models at each evaluation of a span, as a live evaluation would have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ..alerts.grouping import judge_models
from ..errors import unforeseen
from ..evaluate.evaluator import evaluate_model
from ..evaluate.explanation.explainer import explain
from ..model.alert import Judgement
from ..model.finding import ModelFindings
from ..model.monitored_model import Config
from ..model.series import FailureScope
from .logged_history import LoggedHistory
from .result import Span


def judge_span(config: Config, histories: Mapping[str, LoggedHistory], span: Span) -> Iterator[Judgement]:
    """What each evaluation of ``span`` finds, oldest first."""
    for now in span.times:
        yield judge_at(config, histories, now)


def judge_at(config: Config, histories: Mapping[str, LoggedHistory], now: float) -> Judgement:
    """What an evaluation at ``now`` (seconds, UTC) finds: one live pass over what was known then."""
    models = tuple(model.with_whole_history(now) for model in config.models)
    findings, pulls = {}, {}
    for model in models:
        pulls[model.name] = histories[model.name].as_of(now)
        try:
            findings[model.name] = evaluate_model(model, pulls[model.name], now)
        except Exception as error:  # noqa: BLE001 - the barrier between models
            findings[model.name] = ModelFindings(())
            pulls[model.name] = replace(pulls[model.name], error=unforeseen("judging", error), scope=FailureScope.DATA)
    return judge_models(replace(config, models=models), findings, pulls, now, explain)
