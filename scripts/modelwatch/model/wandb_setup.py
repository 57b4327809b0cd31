"""What is made inside W&B for a model: a view, a report, and automations that start an evaluation.

``config/wandb_setup.py`` documents each key; here is what it does not say.
"""

from __future__ import annotations

from dataclasses import dataclass

EVENT_TYPE = "modelwatch-evaluate"
"""The ``event_type`` of the repository_dispatch that starts an evaluation."""


@dataclass(frozen=True, slots=True)
class WandbSetupSpec:
    view: bool = True
    report: bool = True
    automations: bool = True
    webhook: str = ""
    """Empty: the team's webhook whose address is that of the repository's dispatches."""
    managed_as: str = ""
