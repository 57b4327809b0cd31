"""One check of a setup: what was checked, how it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ..clients.wandb import WandbDownError
from ..errors import Exit, ServiceError, UserError


class CheckStatus(StrEnum):
    """From harmless to severe."""

    OK = "ok"
    WARNING = "warning"
    """It works, and probably not as intended."""
    UNKNOWN = "unknown"
    """It could not be checked."""
    PROBLEM = "problem"
    """An evaluation fails over it, or judges nothing, or cannot act."""


@dataclass(frozen=True, slots=True)
class SetupCheck:
    """The result of one check."""

    subject: str
    status: CheckStatus
    message: str
    hint: str = ""
    """What to do."""
    model: str = ""
    """Empty for what models share."""
    exit_code: Exit = Exit.OK
    """Of a check that failed because a service is down: that service's."""


def report_ok(subject: str, message: str, *, model: str = "") -> SetupCheck:
    return SetupCheck(subject, CheckStatus.OK, message, model=model)


def report_warning(subject: str, message: str, hint: str = "", *, model: str = "") -> SetupCheck:
    return SetupCheck(subject, CheckStatus.WARNING, message, hint, model)


def report_problem(subject: str, message: str, hint: str = "", *, model: str = "") -> SetupCheck:
    return SetupCheck(subject, CheckStatus.PROBLEM, message, hint, model)


def report_error(subject: str, error: UserError, *, model: str = "") -> SetupCheck:
    """The check that ended with ``error``: unknown where a service is down, else a problem."""
    text = f"{error.where}: {error.message}" if error.where else error.message
    if is_outage(error):
        return SetupCheck(subject, CheckStatus.UNKNOWN, text, error.hint, model, error.exit_code)
    return report_problem(subject, text, error.hint, model=model)


def is_outage(error: UserError) -> bool:
    """Whether a service gave no answer, or one of a server in trouble."""
    if isinstance(error, ServiceError):
        return error.status in (0, 429) or error.status >= 500
    return isinstance(error, WandbDownError)


def exit_code(checks: Iterable[SetupCheck]) -> Exit:
    """2 where there is a problem, else 3 or 4 where a service is down."""
    found = list(checks)
    if any(check.status is CheckStatus.PROBLEM for check in found):
        return Exit.USAGE
    codes = {check.exit_code for check in found if check.status is CheckStatus.UNKNOWN} - {Exit.OK}
    return min(codes, default=Exit.OK)
