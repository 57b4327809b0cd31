"""Why a metric that was requested, or is usual for the task, is not published, and what to write."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import replace

from ..model.prediction_log import DEFAULT_METRICS, RANKING_METRICS, MeasureSpec
from ..stats.profile.categorical import CategoricalProfile
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import PAIR_SEPARATOR, TableProfile
from .performance import CURVE_METRICS, SCORE_METRICS
from .profile_plan import MAX_CLASSES, score_columns

NUMBER_METRICS = frozenset(("mae", "rmse", "mape", "r2", "bias", "mae_by_value"))
LOSS_METRICS = frozenset(("log_loss", "brier"))
MACRO_AREAS = frozenset(("auc_macro", "pr_auc_macro"))
MAX_SHOWN = 4
"""Classes that are named."""
MAX_CELL = 30
"""Characters of a cell that are shown."""


def unscored_classes(table: TableProfile, spec: MeasureSpec) -> list[str]:
    """The labels, sorted, that have no column of scores, of more than two of which others have one."""
    label = table.columns.get(spec.label)
    known = set(label.counts) if isinstance(label, CategoricalProfile) else set()
    scored = {name.partition(PAIR_SEPARATOR)[0] for name in table.scores}
    return sorted(known - scored) if spec.scores and len(known) > 2 else []


def without_partial_averages(spec: MeasureSpec, table: TableProfile) -> MeasureSpec:
    """The spec without averages over classes where some class has no scores: that of the others is another number."""
    if not unscored_classes(table, spec):
        return spec
    return replace(spec, metrics=tuple(name for name in spec.metrics or DEFAULT_METRICS if name not in MACRO_AREAS))


def missing_metric_notes(table: TableProfile, spec: MeasureSpec, published: Container[str]) -> Iterator[str]:
    """One note a reason. ``table``: of all rows; ``published``: names of the metrics that are known of them."""
    label = table.columns.get(spec.label)
    if label is None or not label.n:
        return
    by_reason: dict[str, list[str]] = {}
    for name in spec.metrics or _usual_metrics(table, spec):
        if name not in published and (reason := _reason(name, table, spec)):
            by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        yield f"there is no {' and no '.join(names)}: {reason}"


def _usual_metrics(table: TableProfile, spec: MeasureSpec) -> tuple[str, ...]:
    """Of the scores of classes, and where nothing is named that labels could be compared with; whatever else a log
    allows is always known."""
    is_number = isinstance(table.columns.get(spec.label), NumericProfile)
    if not spec.prediction and not score_columns(spec):
        return ("mae" if is_number else "accuracy",)
    if spec.ranking or not score_columns(spec) or is_number:
        return ()
    return ("auc_macro" if len(_classes(table, spec)) > 2 else "auc", "log_loss")


def _classes(table: TableProfile, spec: MeasureSpec) -> Sequence[str]:
    label = table.columns.get(spec.label)
    return sorted(label.named_counts) if isinstance(label, CategoricalProfile) else ()


def _reason(name: str, table: TableProfile, spec: MeasureSpec) -> str:
    """Empty where another note says it."""
    is_number = isinstance(table.columns.get(spec.label), NumericProfile)
    classes = _classes(table, spec)
    if name in RANKING_METRICS:
        return "" if spec.ranking else "name the column of the query under `ranking: {query: ...}`."
    if name in NUMBER_METRICS and not is_number:
        return "the labels are classes. If they are numbers, write `task: numbers`."
    if is_number and name not in NUMBER_METRICS:
        return (
            f"the labels are numbers that take many values, which have mae, rmse and bias. If {spec.label!r} holds "
            "classes, write `task: classes`; if it holds probabilities, log 0 or 1 instead."
        )
    if name.endswith("_by_value") and not spec.value:
        return "name the column of the rows' values under `value`."
    if name in SCORE_METRICS | CURVE_METRICS:
        return score_reason(name, table, spec, classes)
    if not spec.prediction:
        return "name the column of the predictions under `prediction`."
    if len(classes) == 2 and name.endswith(("_macro", "_weighted")):
        return f"it is an average over more than two classes. Request `{name.rpartition('_')[0]}`."
    if len(classes) > 2 and name in ("precision", "recall", "f1"):
        return f"the labels are {len(classes)} classes. Request `{name}_macro`, or `class_{name}`."
    return "the labels and predictions of these rows do not give it."


def score_reason(name: str, table: TableProfile, spec: MeasureSpec, classes: Sequence[str]) -> str:
    """Why there is no metric of scores; empty where another note says it."""
    columns = score_columns(spec)
    if not columns:
        return "name the column of the scores under `score`."
    for column in columns:
        if problem := _unusable(column, table):
            return problem
    label = table.columns[spec.label]
    if isinstance(label, CategoricalProfile) and not label.counts:
        return "the reference knows no class. Capture it from a table with labels."
    if len(classes) > MAX_CLASSES:
        return f"the labels are {len(classes)} classes, and scores are counted for at most {MAX_CLASSES}."
    if len(classes) < 2:
        return f"every label is {', '.join(map(repr, classes))}."
    if len(classes) == 2 and (name.startswith("class_") or name.endswith("_macro")):
        return f"the labels are two classes. Request `{name.removeprefix('class_').removesuffix('_macro')}`."
    if len(classes) > 2 and not spec.scores:
        return ""
    if len(classes) > 2 and name in ("auc", "pr_auc"):
        return f"the labels are {len(classes)} classes. Request `{name}_macro`, or `class_{name}`."
    if unscored := unscored_classes(table, spec):
        shown = ", ".join(map(repr, unscored[:MAX_SHOWN])) + (", ..." if len(unscored) > MAX_SHOWN else "")
        return f"no scores of {shown}. Name a column for each class under `scores`."
    if name in LOSS_METRICS:
        for column in columns:
            profile = table.columns[column]
            if isinstance(profile, NumericProfile) and not (profile.low >= 0 and profile.high <= 1):
                return (
                    f"{column!r} goes from {profile.low:.3g} to {profile.high:.3g}, and a probability from 0 to 1. "
                    "Divide a percentage by 100, and log 1 / (1 + exp(-x)) instead of a logit x."
                )
    return ""


def _unusable(column: str, table: TableProfile) -> str:
    """Why a column holds no scores; empty if it does."""
    profile = table.columns.get(column)
    if profile is None or (isinstance(profile, NumericProfile) and profile.n):
        return ""
    shown = ""
    if isinstance(profile, CategoricalProfile) and profile.named_counts:
        cell = max(profile.named_counts, key=lambda name: profile.named_counts[name])
        shown = f", such as {cell if len(cell) <= MAX_CELL else f'{cell[:MAX_CELL]}...'!r}, which is none"
    return f"{column!r} holds no numbers{shown}. Log one number a row, such as 0.532."
