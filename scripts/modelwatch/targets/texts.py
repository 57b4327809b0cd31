"""The writer that targets ask for texts: issue, comment and incident of a group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..model.alert import Group
from ..model.monitored_model import Config
from ..model.plan import Note
from ..model.register import Register
from ..model.rendered_text import IncidentText, IssueText
from ..report.markdown import safe_url
from .incidents import render as incidents_render
from .issues import comments
from .issues import render as issues_render


@dataclass(frozen=True, slots=True)
class MarkdownWriter:
    """Implements ``targets.writer.Writer``. ``run_url`` is the workflow run that is writing; empty on a terminal.

    ``mask`` takes secrets out of everything that leaves.
    """

    config: Config
    run_url: str = ""
    redact: Callable[[str], str] = str

    def issue(self, group: Group | None, register: Register, now: float) -> IssueText:
        """Title and body, without the register's own block. ``group`` is ``None`` where only the register is known."""
        if group is None:
            return IssueText(title="", body="")
        model = self.config.model(group.model)
        body = issues_render.issue_body(group, register, now, model=model, run_url=self.run_url)
        return IssueText(title=self.redact(issues_render.issue_title(group, register)), body=self.redact(body))

    def comment(self, note: Note, group: Group | None, register: Register, now: float) -> str:
        return self.redact(comments.comment_text(note, group, register, now, self.config.model(register.model)))

    def incident(self, group: Group, register: Register | None, issue_url: str, now: float) -> IncidentText:
        model = self.config.model(group.model)
        rule = next((rule for rule in model.rules if rule.name == group.rule), None) if model else None
        start = register.start if register else group.start if group.start is not None else now
        return IncidentText(
            summary=self.redact(incidents_render.incident_summary(group, start)),
            severity=str(group.severity or "error"),
            source=self.redact(f"modelwatch/{group.model}"),
            component=self.redact(model.pagerduty.service if model else ""),
            group=self.redact(group.model),
            klass=group.kind,
            timestamp=group.newest,
            details=_redact_details(
                incidents_render.incident_details(group, register, now, rule=rule, model=model), self.redact
            ),
            links=self._links(group, issue_url),
        )

    def _links(self, group: Group, issue_url: str) -> tuple[tuple[str, str], ...]:
        found = [("Runbook", group.runbook), ("GitHub issue", issue_url), ("Workflow run", self.run_url)]
        found += [(f"W&B {text}", url) for text, url in group.evidence.links[:3]]
        return tuple((self.redact(text), self.redact(url)) for text, url in found if safe_url(url))


def _redact_details(details: Mapping[str, Any], redact: Callable[[str], str]) -> dict[str, Any]:
    """Values are texts and lists of texts."""
    return {
        name: [redact(item) for item in value] if isinstance(value, list) else redact(value)
        for name, value in details.items()
    }
