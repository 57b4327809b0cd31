"""The secrets of the environment: handed to the clients, and masked in all output."""

from __future__ import annotations

import os

from ..clients.redaction import Redactor
from ..config.secrets import BUNDLE_VARIABLE, find_secrets, parse_dotenv


def export_bundle() -> None:
    """Give every NAME=value of MODELWATCH_SECRETS to the clients too; a variable that is set already stays."""
    for name, value in parse_dotenv(os.environ.get(BUNDLE_VARIABLE, ""))[0].items():
        os.environ.setdefault(name, value)


def make_redactor() -> Redactor:
    """A redactor of every secret of the environment."""
    return Redactor(find_secrets(os.environ).values())
