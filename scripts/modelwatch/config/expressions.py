"""Reading expressions: characters to tokens, tokens to the parts of ``model.expression``.

A hand-written parser by recursive descent for a small language. It knows numbers, units, keys in braces, four
operators, powers and a fixed list of functions; anything else is an error with its place. Nothing is ever
evaluated as Python.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isnan

from ..errors import did_you_mean
from ..model.expression import (
    FUNCTIONS,
    MAX_DEPTH,
    Call,
    Expression,
    ExpressionError,
    KeyReference,
    Literal,
    Negation,
    Operation,
    Power,
    keys_of,
    walk,
)
from ..model.expression_values import evaluate_columns
from ..model.measurement_unit import PLAIN, UnitError, parse_unit

MAX_LENGTH = 1000
MAX_PARTS = 100
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3}(?![0-9A-Za-z_]))?)"
    r"|(?P<key>\{[^{}\n]*\})"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*|[%€$£])"
    r"|(?P<sign>\*\*|[-+*/^(),]))",
    re.ASCII,
)
_PER = "per"


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """``number``, ``key``, ``word``, ``sign`` or ``end``."""
    text: str
    column: int


def parse_expression(text: str) -> Expression:
    """Raises ``ExpressionError`` at the first character that does not fit."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(0, f"the expression is longer than {MAX_LENGTH} characters.", _SPLIT)
    parser = _Parser(_tokens(text))
    expression = parser.sum(0)
    parser.expect_end()
    return expression


def check_expression(expression: Expression) -> None:
    """Raises ``ExpressionError`` at the first part that can never have the value that its writer expects."""
    for part in walk(expression):
        match part:
            case Operation("/", _, right) if _constant(right) == 0:
                raise ExpressionError(part.column, "this divides by 0.")
            case Call("clip", (_, low, high)):
                bounds = _constant(low), _constant(high)
                if bounds[0] is not None and bounds[1] is not None and bounds[0] > bounds[1]:
                    message = "the lower bound of `clip` is above the upper one."
                    raise ExpressionError(part.column, message, "Write `clip(x, low, high)`.")
            case Call("default", (replaced, _)) if keys_of(replaced) and set(keys_of(replaced)) == set(
                keys_of(expression)
            ):
                hint = "It fills in at times at which another key of the expression has a value; here is no other key."
                raise ExpressionError(part.column, "this `default` never fills in.", hint)


def _constant(part: Expression) -> float | None:
    """The value in base units of a part without keys; ``None`` where it has keys or no value."""
    if keys_of(part):
        return None
    (value,) = evaluate_columns(part, {}, lambda _: None, 1).values
    return None if isnan(value) else value


_SPLIT = "Split it into several derived metrics: one can use another."


def _tokens(text: str) -> list[_Token]:
    tokens = []
    place = 0
    while text[place:].strip():
        matched = _TOKEN.match(text, place)
        if matched is None:
            place += len(text[place:]) - len(text[place:].lstrip())
            raise _odd_character(text, place)
        kind = matched.lastgroup or ""
        tokens.append(_Token(kind, matched[kind], matched.start(kind)))
        place = matched.end()
    if len(tokens) > 4 * MAX_PARTS:
        raise ExpressionError(0, "the expression has too many parts.", _SPLIT)
    return [*tokens, _Token("end", "", len(text))]


def _odd_character(text: str, place: int) -> ExpressionError:
    character = text[place]
    if character == "{":
        return ExpressionError(place, "this `{` is not closed.", "Write keys in braces: `{business/revenue}`.")
    hints = {
        "}": "Write keys in braces: `{business/revenue}`.",
        "'": "Write keys in braces, without quotes.",
        '"': "Write keys in braces, without quotes.",
        "[": "Use parentheses.",
        "=": "An expression computes a value and assigns none.",
        "<": "Use `min`, `max` or `clip`.",
        ">": "Use `min`, `max` or `clip`.",
        "×": "Multiply with `*`.",
        "÷": "Divide with `/`.",
        "−": "Subtract with `-`.",
    }
    shown = character if character.isprintable() else f"U+{ord(character):04X}"
    return ExpressionError(place, f"`{shown}` has no meaning here.", hints.get(character, ""))


class _Parser:
    """One expression. Each method reads one level of precedence, the loosest first."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._parts = 0

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._token
        self._next += 1
        return token

    def _is(self, *signs: str) -> bool:
        return self._token.kind == "sign" and self._token.text in signs

    def sum(self, depth: int) -> Expression:
        left = self._product(depth)
        while self._is("+", "-"):
            sign = self._take()
            left = self._count(Operation(sign.text, left, self._product(depth), sign.column))
        return left

    def _product(self, depth: int) -> Expression:
        left = self._signed(depth)
        while self._is("*", "/"):
            sign = self._take()
            left = self._count(Operation(sign.text, left, self._signed(depth), sign.column))
        return left

    def _signed(self, depth: int) -> Expression:
        self._check_depth(depth)
        if self._is("-"):
            sign = self._take()
            return self._count(Negation(self._signed(depth + 1), sign.column))
        if self._is("+"):
            self._take()
            return self._signed(depth + 1)
        return self._power(depth)

    def _power(self, depth: int) -> Expression:
        base = self._single(depth)
        if self._is("^", "**"):
            sign = self._take()
            exponent = self._take()
            if exponent.kind != "number" or not re.fullmatch("[0-9]", exponent.text):
                message = "a power is a whole number from 0 to 9."
                raise ExpressionError(exponent.column, message, "There is also `sqrt(...)`.")
            return self._count(Power(base, int(exponent.text), sign.column))
        return base

    def _single(self, depth: int) -> Expression:
        token = self._take()
        match token.kind:
            case "number":
                return self._count(self._literal(token))
            case "key":
                return self._count(_key(token))
            case "word":
                return self._count(self._call(token, depth))
            case "sign" if token.text == "(":
                inner = self.sum(depth + 1)
                self._close(token)
                return inner
            case "end":
                raise ExpressionError(
                    token.column, "the expression ends too early.", "A key, a number or `(` is missing."
                )
        hint = "Powers are written `^`." if token.text == "**" else ""
        raise ExpressionError(token.column, f"`{token.text}` has no meaning here.", hint)

    def _literal(self, token: _Token) -> Literal:
        value = float(token.text)
        if value > 1e100:
            raise ExpressionError(token.column, "this number is too large.")
        start = self._next
        words = self._unit_words()
        if not words:
            return Literal(value, PLAIN, token.column)
        try:
            unit = parse_unit("/".join(words))
        except UnitError as error:
            raise ExpressionError(self._tokens[start].column, error.message, error.hint) from None
        return Literal(value, unit, token.column)

    def _unit_words(self) -> list[str]:
        """The words of a unit: ``EUR``, ``EUR / order`` or ``EUR per order``; no word but a unit is on its own."""
        words: list[str] = []
        while self._token.kind == "word" and not self._is_call(self._next):
            words.append(self._take().text)
            power = self._unit_power()
            words[-1] += power
            joined = self._is("/") or (self._token.kind == "word" and self._token.text == _PER)
            following = self._tokens[self._next + 1] if joined else self._token
            if not joined or following.kind != "word" or self._is_call(self._next + 1):
                break
            self._take()
        return words

    def _unit_power(self) -> str:
        """``^2`` of a unit, which binds closer than that of the number: ``2 s^2``."""
        if not self._is("^"):
            return ""
        following = self._tokens[self._next + 1]
        if following.kind != "number" or not re.fullmatch("[0-9]", following.text):
            return ""
        self._take()
        return f"^{self._take().text}"

    def _is_call(self, place: int) -> bool:
        word, following = self._tokens[place], self._tokens[place + 1]
        return word.text in FUNCTIONS and following.kind == "sign" and following.text == "("

    def _call(self, token: _Token, depth: int) -> Expression:
        name = token.text
        if not self._is("("):
            hint = f"Write keys in braces: `{{{name}}}`." if name not in FUNCTIONS else f"Write `{name}(...)`."
            raise ExpressionError(token.column, f"`{name[:40]}` has no meaning here.", hint)
        if name not in FUNCTIONS:
            known = ", ".join(f"`{known}`" for known in FUNCTIONS)
            hint = did_you_mean(name, FUNCTIONS, f"Functions are {known}.")
            raise ExpressionError(token.column, f"there is no function `{name[:40]}`.", hint)
        opening = self._take()
        arguments = [self.sum(depth + 1)]
        while self._is(","):
            self._take()
            arguments.append(self.sum(depth + 1))
        self._close(opening)
        function = FUNCTIONS[name]
        if not function.least <= len(arguments) <= function.most:
            wanted = str(function.least) if function.least == function.most else f"{function.least} or more"
            message = f"`{name}` takes {wanted} arguments, not {len(arguments)}."
            raise ExpressionError(
                token.column, message, f"{function.description[:1].upper()}{function.description[1:]}."
            )
        return Call(name, tuple(arguments), token.column)

    def _close(self, opening: _Token) -> None:
        if self._is(")"):
            self._take()
        elif self._token.kind == "end":
            raise ExpressionError(opening.column, "this `(` is not closed.")
        else:
            raise self._unexpected()

    def expect_end(self) -> None:
        if self._token.kind != "end":
            raise self._unexpected()

    def _unexpected(self) -> ExpressionError:
        token = self._token
        if token.text == ")":
            return ExpressionError(token.column, "this `)` was not opened.")
        if token.text == ",":
            return ExpressionError(token.column, "`,` separates the arguments of a function.", "Write 1290, not 1,290.")
        return ExpressionError(token.column, f"an operator such as `*` is missing before `{token.text[:40]}`.")

    def _check_depth(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ExpressionError(self._token.column, f"the expression is nested more than {MAX_DEPTH} deep.", _SPLIT)

    def _count(self, part: Expression) -> Expression:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise ExpressionError(part.column, f"the expression has more than {MAX_PARTS} parts.", _SPLIT)
        return part


def _key(token: _Token) -> KeyReference:
    key = token.text[1:-1].strip()
    if not key or key.startswith("/") or key.endswith("/") or "//" in key:
        raise ExpressionError(
            token.column, "between the braces stands the key of a metric.", "Such as `{eval/accuracy}`."
        )
    if "*" in key:
        message = "an expression names single keys, without `*`."
        raise ExpressionError(token.column, message, "Segments of the keys are computed by themselves.")
    return KeyReference(key, token.column)
