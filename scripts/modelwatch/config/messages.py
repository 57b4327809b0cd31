"""Messages to chat and mail: how they are declared."""

from __future__ import annotations

from ..model.monitored_model import MessageEvent, MessagesSpec
from .field_types import Enumeration, ListOf, SecretText
from .sections import Field, Section

MESSAGES = Section(
    "the messages section",
    {
        "to": Field(
            ListOf(SecretText(), allow_single=True, min_items=1),
            "Addresses in the notation of [apprise](https://appriseit.com/services/) such as `slack://...`, "
            "`msteams://...` or `mailto://...`, each as `${NAME}`.",
            required=True,
        ),
        "on": Field(
            ListOf(Enumeration("an event", MessageEvent), allow_single=True),
            "What is sent: `opened` (also fired again), `worse`, `proposal` (one waits for approval), `recovered`.",
        ),
    },
    "Short messages about what changed on an issue; needs the extra `messages`. Each is sent at most once.",
    dataclass=MessagesSpec,
)
