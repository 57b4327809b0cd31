"""Units of measurement: currencies, time, shares and things that are counted; how they add, multiply and are written.

A unit is a scale times powers of base units: ``ms`` is 0.001 seconds, ``EUR/order`` is euros to the power 1 and orders
to the power -1, and ``%`` is 0.01. Values add only where the base units are the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

TIME = "s"
"""The base unit of time."""
DAY = "day"
_SECONDS = {
    "ms": 0.001,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "day": 86400.0,
    "week": 7 * 86400.0,
    "month": 365.25 / 12 * 86400.0,
    "year": 365.25 * 86400.0,
}
"""Seconds. A month is a twelfth of a year of 365.25 days."""
_TIME_WORDS = {
    **dict.fromkeys(("ms", "millisecond"), "ms"),
    **dict.fromkeys(("s", "sec", "second"), "s"),
    **dict.fromkeys(("min", "minute"), "min"),
    **dict.fromkeys(("h", "hr", "hour"), "h"),
    **dict.fromkeys(("d", "day"), "day"),
    **{word: word for word in ("week", "month", "year")},
}
_SHARES = {"%": 0.01, "percent": 0.01, "point": 0.01, "share": 1.0, "fraction": 1.0}
"""``point``: a percentage point."""
_SYMBOLS = {"€": "EUR", "$": "USD", "£": "GBP"}
_CODES = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP "
    "CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF "
    "IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD "
    "MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB "
    "RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD "
    "UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG"
)
CURRENCIES = frozenset(_CODES.split())
"""Codes of ISO 4217 that are in use."""
MAX_EXPONENT = 9
_WORD = re.compile(r"[A-Za-z][A-Za-z_]{0,39}|[%€$£]")
_FACTOR = re.compile(r"([A-Za-z][A-Za-z_]*|[%€$£])(?:\^(-?[0-9]))?")


class UnitError(ValueError):
    """A unit that cannot be, or two that do not fit; ``hint`` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


@dataclass(frozen=True)
class MeasurementUnit:
    """``powers`` are of base units as written (``EUR``, ``s``, ``order``), sorted, none of them 0."""

    powers: tuple[tuple[str, int], ...] = ()
    scale: float = 1.0
    """How much of the base unit one of it is: 0.001 of ``ms``."""
    stated: str = field(default="", compare=False)
    """How somebody wrote it."""

    def __post_init__(self) -> None:
        if any(abs(power) > MAX_EXPONENT for _, power in self.powers) or not 1e-200 <= self.scale <= 1e200:
            raise UnitError("this unit is multiplied too often.", "Divide by what it was multiplied with.")

    @cached_property
    def text(self) -> str:
        """How people write it; empty for a plain number."""
        return self.stated or _write(self.shown)

    @cached_property
    def shown(self) -> MeasurementUnit:
        """The unit in which values are shown: this one where it has a name, else the nearest with one: money by day,
        other times in seconds, shares as plain numbers."""
        if self.is_plain:
            return PLAIN
        if self.stated or _time_word(self):
            return self
        if self.is_money_rate:
            return MeasurementUnit(self.powers, 1 / _SECONDS[DAY])
        return MeasurementUnit(self.powers, 1.0)

    @property
    def is_plain(self) -> bool:
        """Whether it is a number, such as a share."""
        return not self.powers

    @cached_property
    def currency(self) -> str:
        """The code of the currency in it; empty where it is not about money."""
        return next((name for name, _ in self.powers if name in CURRENCIES), "")

    @property
    def is_money(self) -> bool:
        """Whether it is an amount of money, not one for each of something."""
        return self.powers == ((self.currency, 1),)

    @property
    def is_money_rate(self) -> bool:
        """Whether it is money in a time, such as ``EUR/day``."""
        return bool(self.currency) and self.powers == tuple(sorted(((self.currency, 1), (TIME, -1))))

    @property
    def counted(self) -> str:
        """What is counted, such as ``order``; empty for any other unit."""
        name, power = self.powers[0] if len(self.powers) == 1 else ("", 0)
        return name if power == 1 and name != TIME and name not in CURRENCIES else ""

    def fits(self, other: MeasurementUnit) -> bool:
        """Whether values of both can be added and compared."""
        return self.powers == other.powers

    def __mul__(self, other: MeasurementUnit) -> MeasurementUnit:
        return _combine(self, other, 1)

    def __truediv__(self, other: MeasurementUnit) -> MeasurementUnit:
        return _combine(self, other, -1)

    def __pow__(self, exponent: int) -> MeasurementUnit:
        powers = tuple((name, power * exponent) for name, power in self.powers) if exponent else ()
        return MeasurementUnit(powers, _power(self.scale, exponent))

    def root(self) -> MeasurementUnit:
        """The square root; ``UnitError`` where there is none."""
        if any(power % 2 for _, power in self.powers):
            raise UnitError(f"`{self.text}` has no square root.")
        return MeasurementUnit(tuple((name, power // 2) for name, power in self.powers), math.sqrt(self.scale))

    def __str__(self) -> str:
        return self.text or "plain number"


PLAIN = MeasurementUnit()


def parse_unit(text: str) -> MeasurementUnit:
    """``EUR``, ``ms``, ``%``, ``orders``, ``EUR/order``, ``EUR per day per point``. Raises ``UnitError``."""
    words = re.split(r"\s+per\s+|\s*/\s*", text.strip())
    if not text.strip():
        raise UnitError("a unit is missing.", "Such as `EUR`, `ms`, `%`, `orders` or `EUR/order`.")
    if len(words) > MAX_EXPONENT:
        raise UnitError("this unit has too many parts.")
    result = PLAIN
    for place, word in enumerate(words):
        matched = _FACTOR.fullmatch(word)
        if word == "1" and place == 0 and len(words) > 1:
            continue
        if matched is None:
            raise UnitError(
                f"`{' '.join(word.split())[:40]}` is not a unit.", "Such as `EUR`, `ms`, `%`, `orders` or `EUR/order`."
            )
        factor = unit_of_word(matched[1]) ** int(matched[2] or 1)
        result = result / factor if place else result * factor
    return MeasurementUnit(result.powers, result.scale, _written(words))


def _written(words: Iterable[str]) -> str:
    """The unit as stated, with one way to write ``per``."""
    return "/".join(_SYMBOLS.get(word, word) for word in words)


def unit_of_word(word: str) -> MeasurementUnit:
    """The unit of one word or symbol. Raises ``UnitError``."""
    if not _WORD.fullmatch(word):
        raise UnitError(f"`{word[:40]}` is not a unit.", "Units are words, such as `EUR`, `ms` or `orders`.")
    code = _SYMBOLS.get(word, word)
    if code in CURRENCIES:
        return MeasurementUnit(((code, 1),), 1.0, code)
    single = singular(word)
    for known in (word, single):
        if known in _SHARES:
            return MeasurementUnit((), _SHARES[known], word)
        if known in _TIME_WORDS:
            return MeasurementUnit(((TIME, 1),), _SECONDS[_TIME_WORDS[known]], _TIME_WORDS[known])
    if re.fullmatch("[A-Z]{3}", word):
        close = [known for known in sorted(CURRENCIES) if sum(a == b for a, b in zip(known, word, strict=True)) == 2]
        guess = f"Did you mean `{close[0]}`? " if len(close) == 1 else ""
        raise UnitError(
            f"`{word}` is not the code of a currency (ISO 4217).", f"{guess}Things that are counted are in lower case."
        )
    return MeasurementUnit(((single, 1),), 1.0, word)


def singular(word: str) -> str:
    """``orders`` and ``order`` count the same things."""
    lower = word
    if lower.endswith("ies") and len(lower) > 4:
        return lower[:-3] + "y"
    if lower.endswith(("sses", "xes", "ches", "shes")):
        return lower[:-2]
    return lower[:-1] if lower.endswith("s") and not lower.endswith("ss") and len(lower) > 2 else lower


def plural(word: str) -> str:
    if word.endswith("y") and len(word) > 2 and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("ss", "x", "ch", "sh")) else "s")


def _power(scale: float, exponent: int) -> float:
    try:
        return float(scale**exponent)
    except (OverflowError, ZeroDivisionError):
        raise UnitError("this unit is multiplied too often.") from None


def _combine(one: MeasurementUnit, other: MeasurementUnit, sign: int) -> MeasurementUnit:
    powers = dict(one.powers)
    for name, power in other.powers:
        powers[name] = powers.get(name, 0) + sign * power
    left = tuple(sorted((name, power) for name, power in powers.items() if power))
    currencies = sorted({name for name, _ in (*one.powers, *other.powers) if name in CURRENCIES})
    if len(currencies) > 1:
        raise UnitError(
            f"{currencies[0]} and {currencies[1]} are two currencies, and modelwatch knows no exchange rates.",
            "Log the amounts in one currency.",
        )
    return MeasurementUnit(left, one.scale * _power(other.scale, sign))


def _time_word(unit: MeasurementUnit) -> str:
    """The word of the time in it by its scale; empty where the scale is that of no word."""
    power = dict(unit.powers).get(TIME, 0)
    if not power:
        return "s" if math.isclose(unit.scale, 1.0) else ""
    return next((word for word, seconds in _SECONDS.items() if math.isclose(unit.scale, _power(seconds, power))), "")


def _write(unit: MeasurementUnit) -> str:
    if unit.is_plain:
        return ""
    powers, time = unit.powers, _time_word(unit)

    def factor(name: str, power: int, *, many: bool) -> str:
        word = time if name == TIME else plural(name) if many and name not in CURRENCIES else name
        return word if power == 1 else f"{word}^{power}"

    above = [factor(name, power, many=True) for name, power in powers if power > 0]
    below = [factor(name, -power, many=False) for name, power in powers if power < 0]
    return "/".join([" ".join(above) or "1", *below])
