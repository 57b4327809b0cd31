"""The addresses of messages: what apprise makes of them, and what is wrong with one, by the name of its variable."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import MissingExtraError, UserError, require_extra
from ...model.monitored_model import Config, Model
from ...model.secret import Secret
from ...model.target import Target
from ..base import ObservationBuilder
from ..sessions import TargetSessions

if TYPE_CHECKING:
    import apprise


class UnsetAddressError(UserError):
    """The variable that holds the address is missing or empty."""


def open_address(address: Secret) -> apprise.NotifyBase:
    """The service behind ``address``; sends nothing. Raises UserError, which names the variable and never its value."""
    if not address.reveal():
        raise UnsetAddressError(f"the environment variable {address.name}, an address of `messages`, is not set")
    with require_extra("messages"):
        import apprise

    # Its warnings can quote a part of the address.
    logging.getLogger("apprise").propagate = False
    service = apprise.Apprise.instantiate(address.reveal())
    if not isinstance(service, apprise.NotifyBase):
        hint = "It has the form slack://, msteams://, mailto:// ...: https://appriseit.com/services/."
        raise UserError(f"{address.name} holds no address that apprise knows", hint=hint)
    return service


def address_problems(model: Model) -> tuple[UserError, ...]:
    """What keeps messages of the model from being sent, each once."""
    problems: dict[str, UserError] = {}
    for address in model.messages.to:
        try:
            open_address(address)
        except UserError as error:
            problems.setdefault(error.message, error)
    return tuple(problems.values())


def address_findings(config: Config) -> tuple[list[UserError], list[UserError]]:
    """Addresses of messages that are wrong, and what keeps others from being checked here. That a variable is not set
    is found when the configuration is read."""
    wrong: list[UserError] = []
    unknown: list[UserError] = []
    for model in config.models:
        for error in address_problems(model):
            found = type(error)(f"messages: {error.message}", hint=error.hint, where=model.where)
            if not isinstance(error, UnsetAddressError):
                (unknown if isinstance(error, MissingExtraError) else wrong).append(found)
    return wrong, unknown


def observe_addresses(_: TargetSessions, builders: Sequence[ObservationBuilder], __: float | None) -> None:
    """Report addresses that cannot be used while the plan is made, not first when a message is due."""
    for builder in builders:
        for problem in address_problems(builder.model):
            builder.add_error(problem, Target.MESSAGE)
