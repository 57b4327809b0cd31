"""What a model is worth: the units of its keys, derived metrics, value and costs, and what it is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from .experiment import AUTO_LAG, BusinessOutcomesSpec, CohortsSpec, ExperimentSpec
from .expression import Expression, keys_of
from .keys import KeyPattern
from .measurement_unit import MeasurementUnit, unit_of_word
from .unit import unit_of_time


@dataclass(frozen=True, slots=True)
class DerivedMetric:
    """A metric that is computed from others at the same times."""

    name: str
    """The key that rules use."""
    expression: Expression
    unit: MeasurementUnit
    """Of its values."""


@dataclass(frozen=True, slots=True)
class Amount:
    """Money over time: each point's (``unit`` is money), or a rate (money in a time)."""

    expression: Expression
    unit: MeasurementUnit

    @property
    def is_rate(self) -> bool:
        return self.unit.is_money_rate


@dataclass(frozen=True, slots=True)
class CostSpec:
    """What the model costs; ``None``: not stated."""

    serving: Amount | None = None
    retraining: Amount | None = None
    """Without keys and as plain money: of each retraining."""
    labelling: Amount | None = None


@dataclass(frozen=True, slots=True)
class BeforeSpec:
    """The value without this model. One of its parts is given."""

    since: float | None = None
    """A period (seconds, UTC) in which the model before served."""
    until: float | None = None
    amount: Amount | None = None
    """An amount, or an expression over keys."""
    holdout: tuple[tuple[str, str], ...] = ()
    """Label of the arm that the model before still serves: ``arm=holdout``."""


@dataclass(frozen=True, slots=True)
class PredictedSpec:
    """The impact that somebody promised: more value than before."""

    amount: Amount
    since: float
    """From when (seconds, UTC)."""


@dataclass(frozen=True)
class BusinessSpec:
    """``business:`` of one model."""

    currency: str = ""
    """Code of ISO 4217; empty: nothing is about money."""
    units: tuple[tuple[str, MeasurementUnit], ...] = ()
    """Of keys that are logged, by key."""
    derived: tuple[DerivedMetric, ...] = ()
    """Each after those that it uses."""
    predictions: str = ""
    """The key of the number of predictions behind each point."""
    value: Amount | None = None
    costs: CostSpec = CostSpec()
    worth: tuple[tuple[str, Amount], ...] = ()
    """By technical metric what its value is worth, as an expression over it; only differences have a meaning."""
    before: BeforeSpec | None = None
    predicted: PredictedSpec | None = None
    since: float | None = None
    """When the model began to earn (seconds, UTC)."""
    outcomes: BusinessOutcomesSpec | None = None
    lag: float = AUTO_LAG
    """Seconds after its prediction by which an outcome is complete; ``AUTO_LAG``: measured."""
    cohorts: CohortsSpec | None = None
    experiments: tuple[ExperimentSpec, ...] = ()

    @cached_property
    def _units(self) -> dict[str, MeasurementUnit]:
        return dict(self.units) | {metric.name: metric.unit for metric in self.derived}

    def unit_of(self, key: str) -> MeasurementUnit | None:
        """The unit of a key or of a segment of it: as stated, or the time that its name ends in (``latency_ms``)."""
        name = KeyPattern(key).name
        known = self._units.get(key) or self._units.get(name)
        if known is None and (word := unit_of_time(name)):
            return unit_of_word(word)
        return known

    def derived_metric(self, name: str) -> DerivedMetric | None:
        return next((metric for metric in self.derived if metric.name == name), None)

    @cached_property
    def amounts(self) -> tuple[Amount, ...]:
        """Every amount whose keys have to be read, but for those of ``worth``."""
        before, costs = self.before, self.costs
        stated = [self.value, costs.serving, costs.retraining, costs.labelling, before.amount if before else None]
        return tuple(amount for amount in stated if amount is not None)

    def inputs_of(self, key: str) -> tuple[str, ...]:
        """The logged keys behind a key: itself, or those of a derived metric."""
        metric = self.derived_metric(key)
        if metric is None:
            return (key,)
        found = (own for part in keys_of(metric.expression) for own in self.inputs_of(part))
        return tuple(dict.fromkeys(found))
