"""``business:`` of a model: units of keys, derived metrics, value and costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

from ..model.business import Amount, BeforeSpec, BusinessSpec, CostSpec, DerivedMetric, PredictedSpec
from ..model.expression import Expression, ExpressionError, KeyReference, Operation, keys_of, unit_of_expression
from ..model.measurement_unit import CURRENCIES, MeasurementUnit, UnitError, parse_unit
from ..model.prediction_log import MeasureSpec
from ..model.rule import Aggregate, Rule
from ..timeutil import DAY, parse_iso
from .calendars import Date
from .experiments import (
    BUSINESS_OUTCOMES,
    COHORTS,
    EXPERIMENT,
    LAG,
    check_business_times,
    read_experiments,
    read_outcomes,
)
from .expressions import MAX_LENGTH, check_expression, parse_expression
from .field_types import AnyOf, ListOf, MapOf, ScalarType, Schema, Text
from .reader import Reader
from .sections import Field, ParsedSection, Section
from .yaml_nodes import Node, ScalarNode

KEY_PATTERN = r"[^\s/{}*](?:[^\n{}*]*[^\s/{}*])?"
"""A W&B key that an expression can name."""
DERIVED_NAME = r"[A-Za-z][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_.-]+)*"


@dataclass(frozen=True, slots=True, eq=False)
class StatedExpression:
    """An expression, and where it is written."""

    expression: Expression
    node: ScalarNode


class CurrencyCode(ScalarType[str]):
    """The code of a currency."""

    description = "the code of a currency such as EUR"

    def read_scalar(self, node: ScalarNode, reader: Reader) -> str | None:
        return node.text if node.text in CURRENCIES else self._reject(node, reader, "Codes are those of ISO 4217.")

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": "^[A-Z]{3}$"}


class UnitText(ScalarType[MeasurementUnit]):
    """A unit of measurement."""

    description = "a unit such as EUR, ms, %, orders or EUR/order"

    def read_scalar(self, node: ScalarNode, reader: Reader) -> MeasurementUnit | None:
        try:
            return parse_unit(node.text)
        except UnitError as error:
            reader.add_problem(node, error.message, error.hint)
            return None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "minLength": 1, "maxLength": 100}


class ExpressionText(ScalarType[StatedExpression]):
    """An expression over metrics."""

    def __init__(self, example: str) -> None:
        self.description = f"an expression such as `{example}`"

    def read_scalar(self, node: ScalarNode, reader: Reader) -> StatedExpression | None:
        try:
            expression = parse_expression(node.text)
            check_expression(expression)
            return StatedExpression(expression, node)
        except ExpressionError as error:
            add_expression_problem(node, error, reader)
            return None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": ["string", "number"], "minLength": 1, "maxLength": MAX_LENGTH}


def add_expression_problem(node: ScalarNode, error: ExpressionError, reader: Reader) -> None:
    """Report ``error`` at its character; where the file's own characters are others, the message counts them."""
    place = node.character(error.column)
    message = error.message if place else f"at character {error.column + 1} of the expression: {error.message}"
    reader.add_problem(place or node, message, error.hint)


_KEY = Text("a W&B key such as business/orders", KEY_PATTERN, max_length=500)
_MONEY = ExpressionText("0.002 EUR/prediction")
COSTS = Section(
    "the costs",
    {
        "serving": Field(_MONEY, "Of serving: by prediction, by key (`{serving/cost}`), or in a time (`120 EUR/day`)."),
        "retraining": Field(_MONEY, "Of each retraining (`85 EUR`), or as above."),
        "labelling": Field(_MONEY, "Of labels: `0.12 EUR/label * {labels/rows}`, or in a time."),
    },
    dataclass=CostSpec,
)
BEFORE = Section(
    "the baseline of value",
    {
        "from": Field(Date(), "The first day of a period in which the model before served."),
        "to": Field(Date(), "The last day of it, included."),
        "value": Field(_MONEY, "A constant such as `2400 EUR/day`, or an expression over keys."),
        "holdout": Field(
            Text("a label such as arm=holdout", r"[^\s=/*]+=[^=/*]*[^\s=/*]"),
            "The arm that the model before still serves, by its label in the keys: its value per prediction counts. "
            "Needs `predictions`.",
        ),
    },
    "What the value is compared with: a period, a constant or a holdout.",
    dataclass=BeforeSpec,
)
PREDICTED = Section(
    "the predicted impact",
    {
        "amount": Field(_MONEY, "How much more value: `3000 EUR/day`.", required=True),
        "from": Field(Date(), "From which day on.", required=True),
    },
    dataclass=PredictedSpec,
)
BUSINESS = Section(
    "the business section",
    {
        "currency": Field(CurrencyCode(), "The currency of everything here; amounts in another one are an error."),
        "units": Field(
            MapOf(UnitText(), KEY_PATTERN, "a W&B key", max_key_length=500),
            "Units of keys that are logged: `business/revenue: EUR`, `serving/latency: ms`, `business/orders: orders`. "
            "A key without one is a plain number, or a time if its name ends so (`latency_ms`).",
        ),
        "derived": Field(
            MapOf(
                ExpressionText("({business/revenue} - {business/cost}) / {business/orders}"),
                DERIVED_NAME,
                "the name of a derived metric",
                max_key_length=200,
            ),
            "Metrics that are computed from others at the same times. Rules name them as they name keys that are "
            "logged, segments included.",
        ),
        "predictions": Field(_KEY, "The key of the number of predictions behind each point."),
        "value": Field(
            ExpressionText("{business/revenue} - {business/cost}"),
            "What the model earns at each point, by prediction (`0.40 EUR/prediction`, with `predictions`), or in a "
            "time.",
        ),
        "costs": Field(COSTS, "What the model costs."),
        "worth": Field(
            MapOf(ExpressionText("1290 EUR/day per point"), KEY_PATTERN, "a W&B key", max_key_length=500),
            "What technical metrics are worth: an amount by unit of the metric, or an expression with the metric in it "
            "(`{eval/accuracy} * {business/orders} * 12.90 EUR/order`). Alerts show their cost by it.",
        ),
        "before": Field(
            AnyOf(scalar=_MONEY, mapping=BEFORE),
            "The value without this model: a constant, an expression, or as below.",
        ),
        "predicted": Field(PREDICTED, "The impact that was promised."),
        "since": Field(Date(), "The day on which the model began to earn; by default that of `predicted`."),
        "outcomes": Field(BUSINESS_OUTCOMES, "A table with what predictions brought."),
        "lag": Field(
            LAG,
            "The age by which the outcome of a prediction is complete: younger ones are in no total. `auto`: by which "
            "95 % of the outcomes that come have come.",
        ),
        "cohorts": Field(COHORTS, "The value of a prediction by age, for each cohort."),
        "experiments": Field(ListOf(EXPERIMENT), "A/B experiments and holdouts."),
    },
    "What the model is worth, and what it costs. [Business metrics](BUSINESS.md) has examples.",
    dataclass=BusinessSpec,
)


def read_business(section: ParsedSection | None, measure: MeasureSpec | None) -> BusinessSpec | None:
    """The section as written, with problems where units do not fit."""
    if section is None:
        return None
    units = {name: unit for name, (_, unit) in section.get("units", {}).items()}
    spec = BusinessSpec(currency=section.get("currency", ""), units=tuple(sorted(units.items())))
    reading = _BusinessReader(section, spec)
    reading.check_units()
    spec = reading.spec = replace(spec, derived=reading.read_derived(), predictions=section.get("predictions", ""))
    predicted = reading.read_predicted()
    outcomes = read_outcomes(section.get("outcomes"), measure)
    business: BusinessSpec = section.build(
        outcomes=outcomes,
        experiments=read_experiments(section.get("experiments", []), measure, outcomes),
        units=spec.units,
        derived=spec.derived,
        value=reading.read_amount(section, "value"),
        costs=reading.read_costs(),
        worth=reading.read_worth(),
        before=reading.read_before(),
        predicted=predicted,
        since=_seconds(section.get("since")) or (predicted.since if predicted else None),
    )
    check_business_times(section, business, measure)
    return business


def _seconds(day: str | None, *, after: float = 0.0) -> float | None:
    return None if day is None else parse_iso(day) + after


def stated_unit(rule: Rule, business: BusinessSpec | None) -> str:
    """How the values of a rule's metric are written, where that is stated: money, times and what is counted."""
    unit = business.unit_of(rule.metric.name) if business and rule.aggregate is not Aggregate.RATIO else None
    return unit.text if unit and not unit.is_plain else ""


class _BusinessReader:
    """Checks the expressions of one section; ``spec`` knows the units."""

    def __init__(self, section: ParsedSection, spec: BusinessSpec) -> None:
        self._section, self.spec, self._reader = section, spec, section.reader

    def check_units(self) -> None:
        """Money in the section needs its currency."""
        for name, (key, unit) in self._section.get("units", {}).items():
            self._check_currency(key, unit, f"`{name}`")

    def _check_currency(self, node: Node, unit: MeasurementUnit, what: str) -> bool:
        if not unit.currency or unit.currency == self.spec.currency:
            return True
        if not self.spec.currency:
            message, hint = f"{what} is about money, and there is no `currency`.", f"Give `currency: {unit.currency}`."
        else:
            message = f"{what} is in {unit.currency}, and the currency is {self.spec.currency}."
            hint = "modelwatch knows no exchange rates: log the amounts in one currency."
        self._reader.add_problem(node, message, hint)
        return False

    def read_derived(self) -> tuple[DerivedMetric, ...]:
        """Each after those that it uses."""
        stated: dict[str, tuple[ScalarNode, StatedExpression]] = self._section.get("derived", {})
        order = self._order(stated)
        metrics: list[DerivedMetric] = []
        for name in order:
            key, each = stated[name]
            if not keys_of(each.expression):
                self._reader.add_problem(each.node, "this expression names no key.", "Such as `{business/revenue}`.")
                continue
            unit = self._unit(each, replace(self.spec, derived=tuple(metrics)))
            if unit is not None and self._check_currency(key, unit, f"`{name}`"):
                metrics.append(DerivedMetric(name, each.expression, unit.shown))
        return tuple(metrics)

    def _order(self, stated: dict[str, tuple[ScalarNode, StatedExpression]]) -> list[str]:
        """The names, each after those that it uses; without those that use each other in a circle."""
        left = dict(stated)
        while True:
            uses = {name: [key for key in keys_of(each.expression) if key in left] for name, (_, each) in left.items()}
            try:
                return list(TopologicalSorter(uses).static_order())
            except CycleError as error:
                circle: list[str] = error.args[1]
                shown = " -> ".join(f"`{name}`" for name in circle)
                self._reader.add_problem(left[circle[0]][0], f"derived metrics use each other in a circle: {shown}.")
                left = {name: each for name, each in left.items() if name not in circle}

    def _unit(self, stated: StatedExpression, spec: BusinessSpec) -> MeasurementUnit | None:
        """The unit; ``None`` after a problem."""
        try:
            return unit_of_expression(stated.expression, spec.unit_of)
        except ExpressionError as error:
            add_expression_problem(stated.node, error, self._reader)
            return None

    def read_amount(self, section: ParsedSection, name: str) -> Amount | None:
        stated: StatedExpression | None = section.get(name)
        return self._amount(stated) if stated is not None else None

    def _amount(self, stated: StatedExpression) -> Amount | None:
        """Money, or money in a time; an amount by prediction is multiplied by ``predictions``."""
        unit = self._unit(stated, self.spec)
        if unit is None:
            return None
        expression, counted = stated.expression, self.spec.predictions
        if counted and not (unit.is_money or unit.is_money_rate):
            by_prediction = unit * (self.spec.unit_of(counted) or parse_unit("predictions"))
            if by_prediction.is_money:
                expression, unit = Operation("*", expression, KeyReference(counted)), by_prediction
        if not (unit.is_money or unit.is_money_rate):
            example = self.spec.currency or "EUR"
            message = f"this is no amount of money: its unit is {unit.text or 'a plain number'}."
            hint = f"Money at each point ({example}), or in a time ({example}/day)"
            hint += ", or by prediction, which needs `predictions`." if not counted else ", or by prediction."
            self._reader.add_problem(stated.node, message, f"{hint} State units of keys under `units`.")
            return None
        if not self._check_currency(stated.node, unit, "this amount"):
            return None
        return Amount(expression, unit.shown)

    def read_costs(self) -> CostSpec:
        costs: ParsedSection | None = self._section.get("costs")
        if costs is None:
            return CostSpec()
        for name in ("serving", "labelling"):
            stated: StatedExpression | None = costs.get(name)
            amount = self.read_amount(costs, name)
            if stated and amount and not amount.is_rate and not keys_of(amount.expression):
                message = "an amount of what? It is neither of each prediction nor in a time."
                self._reader.add_problem(stated.node, message, "Such as `0.002 EUR/prediction` or `120 EUR/day`.")
        return CostSpec(**{name: self.read_amount(costs, name) for name in ("serving", "retraining", "labelling")})

    def read_worth(self) -> tuple[tuple[str, Amount], ...]:
        """Each as an expression over its metric."""
        found = []
        for name, (_, stated) in self._section.get("worth", {}).items():
            expression = stated.expression
            if name not in keys_of(expression):
                expression = Operation("*", expression, KeyReference(name))
            amount = self._worth_amount(name, replace(stated, expression=expression))
            if amount is not None:
                found.append((name, amount))
        return tuple(sorted(found, key=lambda pair: pair[0]))

    def _worth_amount(self, name: str, stated: StatedExpression) -> Amount | None:
        unit = self._unit(stated, self.spec)
        if unit is None:
            return None
        if unit.is_money_rate or (unit.is_money and len(keys_of(stated.expression)) > 1):
            return Amount(stated.expression, unit.shown) if self._check_currency(stated.node, unit, "this") else None
        currency, own = self.spec.currency or "EUR", self.spec.unit_of(name)
        each = own.text if own and own.text else "point"
        message = f"this gives `{name}` no worth in a time: its unit is {unit.text or 'a plain number'}."
        hint = f"Such as `100 {currency}/day per {each}`, where a point is 0.01; or an expression with the metric."
        self._reader.add_problem(stated.node, message, hint)
        return None

    def read_before(self) -> BeforeSpec | None:
        stated = self._section.get("before")
        if stated is None:
            return None
        if isinstance(stated, StatedExpression):
            return BeforeSpec(amount=self._rate(stated))
        ways = [way for way in ("from", "value", "holdout") if way in stated]
        if len(ways) != 1 or ("to" in stated) != ("from" in stated):
            stated.add_problem("`before` takes one of: `from` and `to`, `value`, `holdout`.")
            return None
        since, until = _seconds(stated.get("from")), _seconds(stated.get("to"), after=DAY)
        if since is not None and until is not None and until <= since:
            stated.add_problem("the period ends before it begins.", value="to")
        if "holdout" in stated and not self.spec.predictions:
            hint = "Give `predictions`: the value of an arm counts by prediction."
            stated.add_problem("`holdout` needs the number of predictions.", hint, key="holdout")
        label, _, value = stated.get("holdout", "").partition("=")
        amount = stated.get("value")
        return BeforeSpec(since, until, self._rate(amount) if amount else None, ((label, value),) if label else ())

    def _rate(self, stated: StatedExpression) -> Amount | None:
        """A constant has to be a rate: nothing says how often it is earned."""
        amount = self._amount(stated)
        if amount and not amount.is_rate and not keys_of(amount.expression):
            message = "an amount in what time?"
            self._reader.add_problem(stated.node, message, f"Such as `2400 {amount.unit.currency}/day`.")
        return amount

    def read_predicted(self) -> PredictedSpec | None:
        section: ParsedSection | None = self._section.get("predicted")
        if section is None:
            return None
        stated, since = section.get("amount"), _seconds(section.get("from"))
        amount = self._rate(stated) if stated else None
        if stated and amount and keys_of(amount.expression):
            message = "a promise is a constant amount in a time, not one of each prediction or by a key."
            self._reader.add_problem(stated.node, message, f"Such as `3000 {self.spec.currency or 'EUR'}/day`.")
            return None
        return PredictedSpec(amount, since) if amount and since is not None else None
