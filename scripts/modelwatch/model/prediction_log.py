"""What ``modelwatch measure`` reads: a prediction log, and what its columns mean.

``config/measure.py`` documents each key; here is what it does not say. Lengths of time are in seconds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from ..timeutil import DAY, HOUR
from .keys import escape_label

MEASURED_TIME = "measured/time"
"""The W&B key under which ``modelwatch measure`` logs the end of a window: the time of that row for every reader."""
ESTIMATED, ESTIMATE_CHECK = "estimated", "estimate_check"
"""The first parts of W&B keys: of metrics that are estimated without labels, and of how far the estimates were off."""
SUSPICIOUS_SHARE = "labels/suspicious_share"
"""The W&B key of the share of labels that the scores contradict: wrong labels, or a model that is wrong more often."""
PROFILE_ARTIFACT_TYPE = "profile"
"""The type of W&B artifacts that hold a profile, and"""
PROFILE_FILE = "profile.npz"
"""its file there."""
RECORDED_ARTIFACT_TYPE = "recorded-profile"
"""The type of those that a recorder logs: one a day and part of the traffic, which ``measure`` adds up."""

RECORDER_WANDB = "wandb"
"""The source of profiles that recorders send to W&B."""

LABEL_TIME, FIRST_LABEL_TIME = "\x1flabel_time", "\x1ffirst_label_time"
"""The name under which a log whose outcomes were joined has the time of each label."""

AUTO_MATURITY = -1.0
"""Cohorts are mature when they have 95 % of the labels that come, where the time of labels is known."""
LONGEST_WAIT = 60 * DAY
"""The highest age of maturity, unless the configuration states it."""

_PART = r"[^\s/:*?]+"
_ARTIFACT = re.compile(f"{_PART}/{_PART}/{_PART}:{_PART}")


@dataclass(frozen=True, slots=True)
class OutcomesSpec:
    """A second table with the outcomes of the predictions, joined by id."""

    files: str
    id: str
    label: str
    label_time: str = ""
    """Of two outcomes for one id the later one counts; without it the one that is read last."""


@dataclass(frozen=True, slots=True)
class AnnotationsSpec:
    """A table with the judgements of single annotators, one a row."""

    files: str
    id: str
    annotator: str
    label: str
    time: str
    scale: str = "nominal"
    """``nominal``, ``ordinal`` or ``interval``: how much two labels differ."""
    order: tuple[str, ...] = ()
    """Labels from the lowest to the highest; empty: labels are numbers, or have no order."""


@dataclass(frozen=True, slots=True)
class RankingSpec:
    """The score ranks the rows of a query; the label is how relevant each of them was."""

    query: str
    at: int = 10


@dataclass(frozen=True, slots=True)
class CalibrationSpec:
    """What is published of calibration and predictions beyond the overall figures."""

    by: tuple[str, ...] = ()
    """Numeric inputs by whose tenths calibration is published."""


@dataclass(frozen=True, slots=True)
class OperationsSpec:
    """Columns of the log about serving."""

    latency: str = ""
    error: str = ""
    cost: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.latency, self.error, self.cost)))


@dataclass(frozen=True, slots=True)
class HoldoutSpec:
    """A fixed table that versions score again and again."""

    files: str
    predict: str
    """The user's own command; bash runs it."""
    timeout: float = HOUR / 2
    name: str = ""
    """Part of the keys; a holdout with other content needs another one."""


@dataclass(frozen=True, slots=True)
class EstimatesSpec:
    """Performance is estimated where labels are not known yet."""

    metrics: tuple[str, ...] = ()
    """Names out of ``ESTIMABLE_METRICS``; empty: those among the published metrics."""
    history: float = 30 * DAY
    """How far back, before labels are due, labelled rows are used."""
    min_labels: int = 300


_PER_CLASS = ("precision", "recall", "f1")
RANKING_METRICS = ("ndcg", "hit_rate")
GATE_METRICS = (
    *("accuracy", *_PER_CLASS, *(f"{metric}_{how}" for metric in _PER_CLASS for how in ("macro", "weighted"))),
    *("auc", "pr_auc", "log_loss", "brier"),
    *("mae", "rmse", "mape", "r2"),
    *(*RANKING_METRICS, "accuracy_by_value", "mae_by_value"),
)
"""What two versions are compared by, beside metrics of the user's own."""
METRICS = (
    *(*GATE_METRICS, "class_precision", "class_recall", "class_f1", "confusion"),
    *("auc_macro", "pr_auc_macro", "class_auc", "class_pr_auc", "bias"),
)
ESTIMABLE_METRICS = (
    *("accuracy", *_PER_CLASS, *(f"{metric}_{how}" for metric in _PER_CLASS for how in ("macro", "weighted"))),
    *("auc", "auc_macro", "log_loss", "brier", "mae", "rmse"),
)
"""What can be estimated without labels. Not the bias of numbers: if it were known, it could be taken off them."""
DEFAULT_METRICS = (
    *("accuracy", "f1", "f1_macro", "auc", "auc_macro", "log_loss"),
    *("mae", "rmse", "bias"),
    *("accuracy_by_value", "mae_by_value"),
    *("ndcg", "hit_rate"),
)
"""Few, since every segment has them."""


CHECKED_WITHIN = 3 * DAY
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


@dataclass(frozen=True, slots=True)
class MeasureSpec:
    """A prediction log and its mapping. Exactly one of ``files``, ``artifact``, ``query`` and ``recorder`` is set."""

    files: str = ""
    artifact: str = ""
    query: str = ""
    recorder: str = ""
    """``RECORDER_WANDB``, or the folder that recorders write to."""
    id: str = ""
    time: str = ""
    timezone: str = ""
    """Of times that name none; empty: UTC."""
    version: str = ""
    features: tuple[str, ...] = ()
    score: str = ""
    prediction: str = ""
    label: str = ""
    label_time: str = ""
    segments: tuple[str, ...] = ()
    value: str = ""
    outcomes: OutcomesSpec | None = None
    annotations: AnnotationsSpec | None = None
    label_noise: bool = False
    """Whether labels that are probably wrong are counted."""
    task: str = ""
    """``classes`` or ``numbers``; empty: numbers if labels and predictions are, and either take many values."""
    positive: str = ""
    """Of two classes the positive one; empty: the one that is called 1, true or yes."""
    ignore_case: bool = False
    scores: tuple[tuple[str, str], ...] = ()
    """``(class, column)``: a column of probabilities for each of several classes."""
    crossings: tuple[tuple[str, str], ...] = ()
    """Pairs of segment columns (each sorted) whose crossings are segments, too."""
    min_rows: int = 30
    metrics: tuple[str, ...] = ()
    """Names out of ``METRICS``; empty: ``DEFAULT_METRICS``. What a log does not allow is left out."""
    intervals: bool = False
    ranking: RankingSpec | None = None
    custom: tuple[tuple[str, str], ...] = ()
    """``(name, package.module:function)``: metrics of the user's own."""
    window: float = DAY
    reference: str = ""
    late: float = 7 * DAY
    estimates: EstimatesSpec | None = None
    embeddings: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    calibration: CalibrationSpec | None = None
    operations: OperationsSpec | None = None
    holdout: HoldoutSpec | None = None
    agreement: bool = False
    """Whether versions that predicted the same ids are compared."""
    extensions: tuple[str, ...] = ()
    """Of DuckDB, by name; none other is installed or loaded."""
    maturity: float = AUTO_MATURITY
    """Seconds after which a cohort has its labels; 0: no cohort waits for its labels."""
    weighted: bool = False
    """Whether performance is published with inverse-probability weights, too."""

    @property
    def first_label_time_column(self) -> str:
        """The column of the time at which the first label of a row was known: of its delay. Empty without."""
        return FIRST_LABEL_TIME if self.label_time_column == LABEL_TIME else self.label_time_column

    @property
    def label_time_column(self) -> str:
        """The column of the time at which a label was known, once outcomes are joined; empty where it is not known."""
        if self.outcomes is not None:
            return LABEL_TIME if self.outcomes.label_time else ""
        return self.label_time

    @property
    def waits_for_labels(self) -> bool:
        """Whether metrics of cohorts that are not mature are published apart."""
        return bool(self.label_time_column) if self.maturity == AUTO_MATURITY else self.maturity > 0

    @property
    def remeasured(self) -> float:
        """For how long windows are measured again, in seconds: until their labels are due, and then until an estimate
        can have been checked with them, though a run fails."""
        return self.late + (CHECKED_WITHIN if self.estimates else 0.0)

    def key_of_column(self, name: str) -> str:
        """The key of a column's histogram and quantiles in W&B."""
        group = "value" if name == self.value else "labels" if name == self.label else "features"
        return f"{'predictions' if name in (self.score, self.prediction) else group}/{escape_label(name)}"

    @property
    def role_columns(self) -> frozenset[str]:
        """Columns that are no features."""
        single_columns = (
            self.id,
            self.time,
            self.version,
            self.score,
            self.prediction,
            self.label,
            self.label_time,
            self.value,
        )
        query = self.ranking.query if self.ranking else ""
        return frozenset(
            filter(None, (*single_columns, query, *(column for _, column in self.scores), *self.sampled_columns))
        )

    def feature_columns(self, names: Iterable[str]) -> tuple[str, ...]:
        """The features among the columns of a log: those that are named, else all without another role. An index that
        pandas wrote beside the columns is none."""
        taken = self.role_columns | {*self.operation_columns}
        free = (name for name in names if name not in taken and not _PANDAS_INDEX.fullmatch(name))
        return self.features or tuple(free)

    @property
    def operation_columns(self) -> tuple[str, ...]:
        """Columns about serving, which a training set does not have."""
        return self.operations.columns if self.operations else ()

    @property
    def sampled_columns(self) -> tuple[str, ...]:
        """Columns of which a sample of the rows is kept."""
        return (*self.embeddings, *self.texts)


def measured_run_prefix(model: str) -> str:
    """What the ids of a model's measured W&B runs begin with; the UTC day follows, and the version."""
    return f"measured-{_sanitize(model)}-"


def measured_run_id(model: str, day: float, version: str) -> str:
    """The id of the W&B run that holds what was measured of a model on one UTC day (its beginning), in one version."""
    date = datetime.fromtimestamp(day, UTC).strftime("%Y%m%d")
    return "-".join(filter(None, (measured_run_prefix(model) + date, _sanitize(version))))[:120]


def holdout_run_prefix(model: str) -> str:
    """What the ids of the W&B runs begin with that hold scores of a model's holdout."""
    return f"holdout-{_sanitize(model)}-"


def holdout_run_id(model: str, day: float, name: str, version: str) -> str:
    """The id of the W&B run that holds what one version scored on a holdout on one UTC day (its beginning)."""
    date = datetime.fromtimestamp(day, UTC).strftime("%Y%m%d")
    parts = (holdout_run_prefix(model) + date, _sanitize(name), re.sub(r"[^A-Za-z0-9_.-]+", "-", version))
    id = "-".join(filter(None, parts))
    return id if len(id) <= 120 else f"{id[:111]}-{hashlib.sha256(id.encode()).hexdigest()[:8]}"


def recorded_run_prefix(model: str) -> str:
    """What the ids of the W&B runs that a model's recorders write begin with; the UTC day follows, and the part."""
    return f"recorded-{_sanitize(model)}-"


def recorded_run_id(model: str, day: float, part: str) -> str:
    """The id of the W&B run, and of its artifact, with what one spool recorded of a UTC day (its beginning)."""
    date = datetime.fromtimestamp(day, UTC).strftime("%Y%m%d")
    return f"{recorded_run_prefix(model)}{date}-{_sanitize(part)}"


def profile_artifact(run_id: str) -> str:
    """The name of the W&B artifact that a measured W&B run logs its profile as."""
    return f"profile-{run_id}"


def _sanitize(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:50]


def is_artifact(place: str) -> bool:
    """Whether this is ``entity/project/name:alias`` rather than a path or a pattern of paths."""
    return _ARTIFACT.fullmatch(place) is not None
