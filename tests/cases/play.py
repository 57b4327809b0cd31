"""One case, evaluated at a fixed time and planned against an empty world, or against its ``observed.json``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import chdir
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path

import msgspec

from modelwatch import pipeline
from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.model.alert import Group, Judgement
from modelwatch.model.monitored_model import Config
from modelwatch.model.plan import Change, ChangeKind, ModelObservation, Plan
from modelwatch.report.console import open_console, show_judgement
from modelwatch.report.plan_tables import show_plan
from modelwatch.report.summary import job_summary
from modelwatch.step_files import encode_file
from modelwatch.targets.base import GroupRun
from modelwatch.targets.incidents.render import incident_fields
from modelwatch.targets.issues.render import issue_text, note_text
from modelwatch.targets.plan import make_plan
from modelwatch.targets.register.client import IssueView, parse_issue
from modelwatch.targets.register.codec import render_body
from modelwatch.targets.sessions import TargetSessions

HERE = Path(__file__).parent
NOW = 1_795_176_300.0
"""2026-11-20 12:05 UTC, a Friday."""
ENV = {"PAGERDUTY_ROUTING_KEY": "R0" + "0123456789abcdef" * 2}
RUN_URL = "https://github.com/acme/churn-model/actions/runs/4711"
ISSUE_URL = "https://github.com/acme/churn-model/issues/17"
COLUMNS = 110
CASES = sorted(path.parent for path in HERE.glob("*/modelwatch.yml"))


@dataclass(frozen=True)
class Case:
    """A folder with ``modelwatch.yml`` and ``series.csv``."""

    folder: Path
    now: float = NOW

    @cached_property
    def config(self) -> Config:
        with chdir(self.folder):
            return load_config(Path("modelwatch.yml"), ENV)

    @cached_property
    def judgement(self) -> Judgement:
        with chdir(self.folder):
            return pipeline.evaluate(make_context(self.config, self.now)).judgement

    @property
    def observed(self) -> Mapping[str, ModelObservation]:
        path = self.folder / "observed.json"
        if path.exists():
            found = msgspec.json.decode(path.read_bytes(), type=list[ModelObservation])
            return {one.model: one for one in found}
        return {model.name: ModelObservation(model.name) for model in self.config.models}

    @cached_property
    def plan(self) -> Plan:
        return make_plan(self.judgement, self.config, self.observed, self.now)

    def plan_json(self) -> str:
        return encode_file(self.plan) + "\n"

    def report(self) -> str:
        """Everything that a person reads, one after another."""
        return "\n\n".join(part.strip() for part in self._parts()) + "\n"

    def _parts(self) -> Iterator[str]:
        yield "# On the terminal"
        yield f"```text\n{self._terminal()}\n```"
        yield "# The job summary"
        yield job_summary(self.judgement, self.plan)
        for change in self.plan.changes:
            yield from self._texts(change)

    def _terminal(self) -> str:
        console = open_console()
        console.file, console.width = StringIO(), COLUMNS
        show_judgement(console, self.judgement)
        show_plan(console, self.plan, judgement=self.judgement)
        return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())

    def _texts(self, change: Change) -> Iterator[str]:
        group = self._group(change)
        groups = {group.key: group for group in self.plan.groups}
        run = GroupRun(TargetSessions(self.config, {}), group, self.now, self.now, RUN_URL, groups)
        if change.register is not None:
            title, body = issue_text(run, change.register)
            yield f"# The issue ({change.kind})\n\n**Title:** {title}"
            yield body
            for note in change.notes:
                yield f"# A comment on it\n\n{note_text(run, note, change.register)}"
        if change.kind is ChangeKind.TRIGGER_INCIDENT and group is not None:
            run.issue = self._issue(change)
            page = incident_fields(change, run)
            yield f"# The incident\n\n**{page['summary']}**"
            yield "\n".join(f"- {name}: {value}" for name, value in page["details"].items())
            yield "\n".join(f"- {text}: <{url}>" for text, url in page["links"])
        if change.dispatch is not None:
            yield f"# The dispatched workflow's reason\n\n{change.dispatch.reason}"

    def _issue(self, change: Change) -> IssueView | None:
        """The issue as it is when its group is paged."""
        register = next((one.register for one in self.plan.changes if one.group == change.group), None)
        if register is None:
            return None
        body, created = render_body("", "", register), "2026-01-01T00:00:00Z"
        row = {"number": 1, "html_url": ISSUE_URL, "title": "", "body": body, "state": "open", "created_at": created}
        return parse_issue(row)

    def _group(self, change: Change) -> Group | None:
        return next((group for group in self.plan.groups if group.key == change.group), None)
