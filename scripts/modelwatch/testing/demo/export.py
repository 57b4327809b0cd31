"""What a story leaves behind, as files to look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...dashboard.collect import Collection, ModelSource, collect_evaluation
from ...dashboard.site import INDEX, write_site
from ...pipeline import JudgedPulls
from ...report.formatting import utc_time
from ...report.summary import job_summary
from ...step_files import write_file, write_text
from .story import Story


def export_story(story: Story, folder: Path) -> None:
    """Write into ``folder`` what exists, every plan, and the summary of the evaluation at the worst moment."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, text in story.worst_issues.items():
        write_text(folder / f"issue-{number}-at-its-worst.md", text)
    _write_parts(folder / "issues.md", _render_issues(story))
    _write_parts(folder / "workflow-runs.md", _render_runs(story))
    if pages := list(_render_incidents(story)):
        _write_parts(folder / "incidents.md", pages)
    if worst := story.worst_result:
        write_text(folder / "summary-at-its-worst.md", job_summary(worst.judgement, worst.plan, worst.receipts))
    plans = folder / "plans"
    plans.mkdir(exist_ok=True)
    for plan in story.plans:
        write_file(plans / f"{utc_time(plan.at)[:16].replace(' ', 'T').replace(':', '')}.json", plan)


def export_site(stories: Sequence[Story], folder: Path) -> Path:
    """Write the dashboard of all stories, each at its worst moment; gives the address of its first page."""
    sources: list[ModelSource] = []
    for story in stories:
        context, worst = story.worst_context, story.worst_result
        if context is not None and worst is not None:
            evaluation = JudgedPulls(worst.pulls, worst.judgement)
            sources += collect_evaluation(context, evaluation, story.worst_observations)
    now = max((story.worst_context.now for story in stories if story.worst_context), default=0.0)
    write_site(folder, Collection(tuple(sources), now, ("Each model is shown at the worst moment of its story.",)))
    return folder / INDEX


def model_repository(story: Story) -> Any:
    """The model's repository at the stand-in."""
    return story.environment.github.standin.state.repo(story.demo_model.repository)


def model_incidents(story: Story) -> list[Any]:
    """The model's incidents at the stand-in, and those of the model downstream."""
    services = {f"{home.name}-model" for home in story.demo_model.family}
    return [one for one in story.environment.pagerduty.standin.state.incidents if one.service.name in services]


def _render_issues(story: Story) -> list[str]:
    repo = model_repository(story)
    parts = []
    for issue in sorted(repo.issues.items.values(), key=lambda issue: issue.number):
        parts.append(f"# {issue.title} #{issue.number} ({issue.state})\n\n{issue.body}")
        comments = [comment for comment in repo.comments.items.values() if comment.issue == issue.number]
        parts += [f"---\n\n**Comment at {utc_time(comment.created)}**\n\n{comment.body}" for comment in comments]
    return parts


def _render_incidents(story: Story) -> Iterator[str]:
    for incident in model_incidents(story):
        payload = incident.event.get("payload", {})
        details = payload.get("custom_details", {})
        facts = "\n".join(f"- **{name}**: {_format_value(value)}" for name, value in details.items())
        links = "\n".join(f"- {one['text']}: {one['href']}" for one in incident.event.get("links", []))
        log = "\n".join(f"- {utc_time(entry.at)}: {entry.action} by {entry.by.name}" for entry in incident.log)
        yield f"# {incident.title} ({incident.status})\n\n{facts}\n\n## Links\n\n{links}\n\n## Log\n\n{log}"


def _format_value(value: object) -> str:
    return "".join(f"\n  - {item}" for item in value) if isinstance(value, list) else str(value)


def _render_runs(story: Story) -> list[str]:
    rows = [
        f"- {utc_time(found.created)}: {found.title}: {found.status}, {found.conclusion}"
        for found in model_repository(story).runs.items.values()
    ]
    return ["# Workflow runs", "\n".join(rows) or "None."]


def _write_parts(path: Path, parts: list[str]) -> None:
    write_text(path, "\n\n".join(parts) + "\n")
