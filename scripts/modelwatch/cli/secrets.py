"""Which values of the environment are secrets: what is masked in everything that leaves."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from ..clients.redaction import Redactor

if TYPE_CHECKING:
    from ..model.monitored_model import Config

_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)", re.IGNORECASE)
_BUNDLE_VARIABLE = "MODELWATCH_SECRETS"
_NOT_SECRET = frozenset({_BUNDLE_VARIABLE, "MODELWATCH_KEY", "MW_KEY"})
"""The bundle is taken apart; the key of a move is its name, which people have to read."""
_MIN_LENGTH = 8
"""A shorter value is more likely a word than a key: masking it would spoil every text."""


def find_secrets() -> dict[str, str]:
    """By name the value of every variable whose name says secret, and of those in MODELWATCH_SECRETS."""
    found = {
        name: value.strip()
        for name, value in os.environ.items()
        if _SECRET_NAME.search(name) and name not in _NOT_SECRET
    }
    bundle = os.environ.get(_BUNDLE_VARIABLE, "")
    if bundle:
        from ..config.secrets import parse_dotenv

        found |= parse_dotenv(bundle)[0]
    return {name: value for name, value in found.items() if len(value) >= _MIN_LENGTH}


def export_bundle() -> None:
    """Give every NAME=value of MODELWATCH_SECRETS to the clients too; a variable that is set already stays."""
    bundle = os.environ.get(_BUNDLE_VARIABLE, "")
    if bundle:
        from ..config.secrets import parse_dotenv

        for name, value in parse_dotenv(bundle)[0].items():
            os.environ.setdefault(name, value)


def make_redactor() -> Redactor:
    """Masks them."""
    return Redactor(find_secrets().values())


def with_secrets(config: Config) -> Config:
    """``config`` that knows every secret of the environment, not only those that it names."""
    from dataclasses import replace

    from ..model.secret import Secret

    known = {secret.name for secret in config.secrets}
    more = tuple(Secret(name, value) for name, value in find_secrets().items() if name not in known)
    return replace(config, secrets=(*config.secrets, *more))
