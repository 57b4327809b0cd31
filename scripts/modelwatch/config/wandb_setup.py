"""The section ``wandb_setup:`` of a model."""

from __future__ import annotations

from ..model.wandb_setup import EVENT_TYPE, WandbSetupSpec
from .field_types import Enumeration, Text
from .sections import Field, Section
from .vocabulary import SWITCH, TEXT

_switch = Enumeration("`on` or `off`", SWITCH)

WANDB_SETUP = Section(
    "the W&B setup",
    {
        "view": Field(_switch, "A saved view of the project with the charts of the model's rules."),
        "report": Field(_switch, "A report with the same charts, and what each section answers."),
        "automations": Field(
            _switch,
            "Automations (W&B Pro or Enterprise) that start an evaluation when a metric passes a limit, or the alias "
            f"`production` moves. Their webhook sends the event `{EVENT_TYPE}` to the repository.",
        ),
        "webhook": Field(
            TEXT,
            "The name of the team's webhook in W&B; by default the one whose address is "
            "`https://api.github.com/repos/OWNER/NAME/dispatches`.",
        ),
        "managed_as": Field(
            Text("an owner such as acme/churn-model (no spaces or brackets)", r"[^\s()]+", max_length=200),
            "The owner in the mark of what is made (`managed by modelwatch: <owner>`); by default the repository.",
        ),
    },
    "What `modelwatch wandb apply` makes inside W&B, with the extra `workspaces`: see [Inside W&B](INSIDE-WANDB.md).",
    dataclass=WandbSetupSpec,
)
