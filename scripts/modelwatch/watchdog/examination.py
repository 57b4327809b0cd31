"""Checks every condition; one that cannot be checked is unknown, and does not stop the others."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import UserError, unforeseen
from .condition import ConditionResult, unknown_result
from .dashboard_age import NAME as DASHBOARD
from .dashboard_age import check_dashboard
from .deliveries import NAME as DELIVERIES
from .deliveries import check_deliveries
from .drill_age import NAME as DRILL
from .drill_age import check_drill
from .evaluations import NAME as EVALUATIONS
from .evaluations import check_evaluations
from .pinned_actions import NAME as PINNED_ACTIONS
from .pinned_actions import check_pinned_actions
from .schedule import NAME as SCHEDULE
from .schedule import check_schedule
from .settings import Access
from .tokens import RATE_LIMITS, TOKEN_EXPIRY, check_rate_limits, check_token_expiry
from .wandb_data import NAME as WANDB_DATA
from .wandb_data import check_wandb_data

Check = Callable[[Access], ConditionResult | None]
"""``None`` where its setting is empty."""

CONDITIONS: dict[str, Check] = {
    EVALUATIONS: check_evaluations,
    SCHEDULE: check_schedule,
    DELIVERIES: check_deliveries,
    WANDB_DATA: check_wandb_data,
    DASHBOARD: check_dashboard,
    TOKEN_EXPIRY: check_token_expiry,
    RATE_LIMITS: check_rate_limits,
    PINNED_ACTIONS: check_pinned_actions,
    DRILL: check_drill,
}
"""By name, the most urgent first."""


def examine(access: Access) -> list[ConditionResult]:
    """The result of every condition that is configured."""
    results = []
    for name, check in CONDITIONS.items():
        if name not in access.settings.left_out and (result := _examine_one(name, check, access)) is not None:
            results.append(result)
    return results


def _examine_one(name: str, check: Check, access: Access) -> ConditionResult | None:
    try:
        return check(access)
    except UserError as error:
        return unknown_result(name, error)
    except Exception as error:  # noqa: BLE001 - the others are checked all the same
        return unknown_result(name, UserError(unforeseen("the check", error)))
