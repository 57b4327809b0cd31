"""``business:`` of a model: units of keys, derived metrics, value and costs."""

from __future__ import annotations

from ..model.business import BusinessSpec
from ..model.measurement_unit import CURRENCIES, MeasurementUnit, UnitError, parse_unit
from .field_types import MapOf, ScalarType, Schema
from .reader import Reader
from .sections import Field, ParsedSection, Section
from .yaml_nodes import ScalarNode

KEY_PATTERN = r"[^\s/{}](?:[^\n{}]*[^\s/{}])?"
"""A W&B key that an expression can name."""


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


BUSINESS = Section(
    "the business section",
    {
        "currency": Field(CurrencyCode(), "The currency of everything here; amounts in another one are an error."),
        "units": Field(
            MapOf(UnitText(), KEY_PATTERN, "a W&B key", max_key_length=500),
            "Units of keys that are logged: `business/revenue: EUR`, `serving/latency: ms`, `business/orders: orders`. "
            "A key without one is a plain number.",
        ),
    },
    "What the model is worth, and what it costs.",
    dataclass=BusinessSpec,
)


def read_business(section: ParsedSection | None) -> BusinessSpec | None:
    if section is None:
        return None
    business: BusinessSpec = section.build()
    return business
