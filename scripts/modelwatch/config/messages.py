"""Messages to chat and mail: how they are declared."""

from __future__ import annotations

from ..model.monitored_model import MessageEvent, MessagesSpec
from .field_types import Enumeration, SecretText, one_or_more
from .sections import Field, Section

MESSAGES = Section(
    "the messages section",
    {
        "to": Field(
            one_or_more(SecretText(), min_items=1),
            "Addresses in the notation of [apprise](https://appriseit.com/services/) such as `slack://...`, "
            "`msteams://...` or `mailto://...`, each as `${NAME}`.",
            required=True,
        ),
        "on": Field(
            one_or_more(Enumeration("an event", MessageEvent)),
            "What is sent: `opened` (also fired again), `worse`, `proposal` (one waits for approval), `recovered`.",
        ),
    },
    "Short messages about what changed on an issue; needs the extra `messages`. Each is sent at most once.",
    dataclass=MessagesSpec,
)
