"""The target that writes the GitHub issue of a group: its evidence, answers to commands, and the register."""

from __future__ import annotations

from collections.abc import Sequence

from ...model.plan import Change, Command, Target
from ..base import ChangeOutcome, GroupRun, ObservationBuilder, TargetPort
from ..draft import GroupPlan
from ..sessions import TargetSessions
from .apply import apply_issue_change
from .commands import answer_command
from .observe import observe_issues
from .plan import assess_group, detect_manual_changes


class IssueTarget(TargetPort):
    """Decides the situation before the others plan; ``write_draft`` runs after all of them have planned."""

    name = Target.ISSUE

    def observe(self, sessions: TargetSessions, models: Sequence[ObservationBuilder], now: float | None) -> None:
        observe_issues(sessions, models, now)

    def sync(self, draft: GroupPlan) -> None:
        detect_manual_changes(draft)

    def answer(self, draft: GroupPlan, command: Command) -> str:
        return answer_command(draft, command)

    def prepare(self, draft: GroupPlan) -> None:
        assess_group(draft)

    def apply(self, change: Change, run: GroupRun) -> ChangeOutcome:
        return apply_issue_change(change, run)
