"""GitHub Actions' expressions, as far as ``run-name`` needs them: contexts, literals, operators, ``format``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|(?P<op>\|\||&&|==|!=|[!().,\[\]]))"
)
_PLACEHOLDER = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_LITERALS: Mapping[str, Any] = {"true": True, "false": False, "null": None}


class ExpressionError(Exception):
    """The expression is not one that GitHub would take (or goes beyond what the stand-in knows)."""


def interpolate(text: str, contexts: Mapping[str, Any]) -> str:
    """Replace every ``${{ ... }}`` in ``text``."""
    return _PLACEHOLDER.sub(lambda match: to_text(evaluate(match.group(1), contexts)), text)


def to_text(value: Any) -> str:
    """How a value is written into a string: null is empty, booleans are lower-case, 2.0 is 2."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Mapping):
        return "Object"
    return "Array" if isinstance(value, list) else str(value)


def evaluate(expression: str, contexts: Mapping[str, Any]) -> Any:
    """The value of one expression without its ``${{ }}``."""
    parser = _Parser(_tokens(expression), contexts)
    value = parser.parse_or()
    if parser.peek():
        raise ExpressionError(f"unexpected {parser.peek()!r} in {expression!r}")
    return value


def _tokens(expression: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    text = expression.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(f"cannot read {text[at:]!r}")
        tokens.append(match.group().strip())
        at = match.end()
    return tokens


def _lookup(value: Any, name: Any) -> Any:
    if isinstance(value, list) and isinstance(name, float):
        return value[int(name)] if 0 <= int(name) < len(value) else None
    if not isinstance(value, Mapping):
        return None
    wanted = to_text(name).lower()
    return next((item for key, item in value.items() if str(key).lower() == wanted), None)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower()
    return bool(left == right)


class _Parser:
    """Recursive descent; one method for every level of precedence."""

    def __init__(self, tokens: list[str], contexts: Mapping[str, Any]) -> None:
        self.tokens = tokens
        self.contexts = contexts

    def peek(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def take(self, wanted: str = "") -> str:
        if not self.tokens or (wanted and self.tokens[0] != wanted):
            raise ExpressionError(f"expected {wanted or 'more'}, found {self.peek() or 'the end'!r}")
        return self.tokens.pop(0)

    def parse_or(self) -> Any:
        value = self.parse_and()
        while self.peek() == "||":
            self.take()
            other = self.parse_and()
            value = value or other
        return value

    def parse_and(self) -> Any:
        value = self.parse_equality()
        while self.peek() == "&&":
            self.take()
            other = self.parse_equality()
            value = value and other
        return value

    def parse_equality(self) -> Any:
        value = self.parse_unary()
        while self.peek() in ("==", "!="):
            negate = self.take() == "!="
            value = _equal(value, self.parse_unary()) != negate
        return value

    def parse_unary(self) -> Any:
        if self.peek() == "!":
            self.take()
            return not self.parse_unary()
        value = self.parse_primary()
        while self.peek() in (".", "["):
            if self.take() == ".":
                value = _lookup(value, self.take())
            else:
                value = _lookup(value, self.parse_or())
                self.take("]")
        return value

    def parse_primary(self) -> Any:
        word = self.take()
        if word == "(":
            value = self.parse_or()
            self.take(")")
            return value
        if word.startswith("'"):
            return word[1:-1].replace("''", "'")
        if word.lstrip("-")[0].isdigit():
            return float(word)
        if word.lower() in _LITERALS:
            return _LITERALS[word.lower()]
        if self.peek() == "(":
            return self.parse_call(word)
        if word.lower() not in self.contexts:
            raise ExpressionError(f"Unrecognized named-value: '{word}'")
        return self.contexts[word.lower()]

    def parse_call(self, name: str) -> Any:
        self.take("(")
        arguments: list[Any] = []
        while self.peek() != ")":
            arguments.append(self.parse_or())
            if self.peek() == ",":
                self.take()
        self.take(")")
        return _call_function(name, arguments)


def _call_function(name: str, arguments: list[Any]) -> Any:
    match name.lower():
        case "format":
            texts = [to_text(argument) for argument in arguments]
            return re.sub(r"\{(\d+)\}", lambda hole: texts[int(hole.group(1)) + 1], texts[0])
        case "contains":
            return to_text(arguments[1]).lower() in to_text(arguments[0]).lower()
        case "startswith":
            return to_text(arguments[0]).lower().startswith(to_text(arguments[1]).lower())
        case _:
            raise ExpressionError(f"Unrecognized function: '{name}'")
