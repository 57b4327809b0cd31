"""``${NAME}``: values from the environment, or from the dotenv text in ``MODELWATCH_SECRETS``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..errors import UserError
from ..model.secret import Secret

BUNDLE_VARIABLE = "MODELWATCH_SECRETS"
"""One multi-line secret (dotenv) that brings the keys of many models."""
PAGERDUTY_READ_TOKEN = "PAGERDUTY_TOKEN"  # noqa: S105 - the name of a variable
"""The REST token with which incidents are looked up, where the configuration names no other."""
PAGERDUTY_WRITE_TOKEN = "PAGERDUTY_WRITE_TOKEN"  # noqa: S105 - the name of a variable
"""The REST token that sets up services."""
VARIABLE_PATTERN = r"[A-Za-z_][A-Za-z0-9_]*"
VARIABLE_REFERENCE = re.compile(r"\$\{(" + VARIABLE_PATTERN + r")\}")
MIN_MASKED_LENGTH = 8
"""A shorter value is more likely a word than a key: masking it would spoil every text."""
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)", re.IGNORECASE)
_NOT_SECRET = frozenset({BUNDLE_VARIABLE, "MODELWATCH_KEY", "MW_KEY"})
"""The bundle is parsed; the key of a move is its name, which people have to read."""

_ASSIGNMENT = re.compile(
    r"[ \t]*(?:export[ \t]+)?(?P<name>" + VARIABLE_PATTERN + r")[ \t]*=[ \t]*"
    r"(?:\"(?P<double>(?:[^\"\\]|\\.)*)\"|'(?P<single>[^']*)'|(?P<bare>[^\"'\n][^\n]*|))"
    r"[ \t]*(?:(?<=[ \t\"'])\#[^\n]*)?(?:\n|\Z)",
    re.DOTALL,
)
_EMPTY = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def parse_dotenv(text: str) -> tuple[dict[str, str], list[int]]:
    """``NAME=value`` lines, and the numbers of the lines that are none. Of two values for one name the last counts."""
    text = text.replace("\r\n", "\n")
    values: dict[str, str] = {}
    invalid_lines: list[int] = []
    at = 0
    while at < len(text):
        empty = _EMPTY.match(text, at)
        if empty:
            at = empty.end()
            continue
        assignment = _ASSIGNMENT.match(text, at)
        if assignment:
            values[assignment["name"]] = _assigned_value(assignment)
            at = assignment.end()
            continue
        invalid_lines.append(text.count("\n", 0, at) + 1)
        end = text.find("\n", at)
        at = len(text) if end < 0 else end + 1
    return values, invalid_lines


def _assigned_value(match: re.Match[str]) -> str:
    if match["double"] is not None:
        return re.sub(r"\\(.)", lambda part: _ESCAPES.get(part[1], part[1]), match["double"], flags=re.DOTALL)
    if match["single"] is not None:
        return match["single"]
    return re.split(r"(?:^|[ \t])#", match["bare"], maxsplit=1)[0].strip()


class Vault:
    """Finds what ``${NAME}`` stands for, and remembers which secrets were read."""

    def __init__(self, env: Mapping[str, str], *, require: bool = True) -> None:
        self._env = env
        self.require = require
        """Whether a missing variable is a problem; where it is not, it is a warning."""
        self._bundle, bad = parse_dotenv(env.get(BUNDLE_VARIABLE, ""))
        self.problems = tuple(
            UserError("not a `NAME=value` line.", hint="Values can be quoted.", where=f"{BUNDLE_VARIABLE}, line {line}")
            for line in bad
        )
        self._read: dict[str, Secret] = {}

    def find(self, name: str) -> str | None:
        """The value; ``None`` where it is missing or empty (GitHub gives an unset secret as an empty string)."""
        return self._env.get(name) or self._bundle.get(name) or None

    def secret(self, name: str) -> Secret | None:
        """A secret, without the line break that so often follows a pasted one."""
        value = (self.find(name) or "").strip()
        if not value:
            return None
        return self._read.setdefault(name, Secret(name, value))

    def all_secrets(self) -> tuple[Secret, ...]:
        """Everything to be masked: the secrets that were read, the bundle, and variables with the name of a secret."""
        variables = {name for name in self._env if _SECRET_NAME.search(name)} - _NOT_SECRET
        values = {name: self._env[name] for name in variables} | self._bundle
        unread = {name: Secret(name, value.strip()) for name, value in values.items()}
        long = {name: secret for name, secret in unread.items() if len(secret.reveal()) >= MIN_MASKED_LENGTH}
        secrets = long | self._read
        return tuple(secrets[name] for name in sorted(secrets))

    def mask(self, text: str) -> str:
        for secret in self.all_secrets():
            text = text.replace(secret.reveal(), "***")
        return text
