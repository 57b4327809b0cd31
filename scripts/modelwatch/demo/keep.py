"""What the story leaves behind, as files to look at."""

from __future__ import annotations

from pathlib import Path

from ..files import write_plan, write_text
from ..report.summary import summary
from ..report.words import when
from .story import Story
from .world import REPOSITORY, World


def keep(story: Story, folder: Path) -> list[Path]:
    """Write into ``folder`` what exists, every plan, and the busiest evaluation's summary; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = [_issues(story.world, folder), _incidents(story.world, folder), _runs(story.world, folder)]
    if story.busiest:
        write_text(folder / "summary.md", summary(story.busiest.judgement, story.busiest.plan, story.busiest.receipts))
        write_plan(folder / "plan.json", story.busiest.plan)
        written += [folder / "summary.md", folder / "plan.json"]
    plans = folder / "plans"
    plans.mkdir(exist_ok=True)
    for plan in story.plans:
        write_plan(plans / f"{when(plan.at)[:16].replace(' ', 'T').replace(':', '')}.json", plan)
    return [*written, plans, story.world.config_path]


def _issues(world: World, folder: Path) -> Path:
    repo = world.github.standin.state.repo(REPOSITORY)
    parts = []
    for issue in sorted(repo.issues.items.values(), key=lambda issue: issue.number):
        parts.append(f"# {issue.title} #{issue.number} ({issue.state})\n\n{issue.body}")
        comments = [comment for comment in repo.comments.items.values() if comment.issue == issue.number]
        parts += [f"---\n\n**Comment at {when(comment.created)}**\n\n{comment.body}" for comment in comments]
    return _write(folder / "issue.md", parts)


def _incidents(world: World, folder: Path) -> Path:
    parts = []
    for incident in world.pagerduty.standin.state.incidents:
        payload = incident.event.get("payload", {})
        details = payload.get("custom_details", {})
        facts = "\n".join(f"- **{name}**: {_shown(value)}" for name, value in details.items())
        links = "\n".join(f"- {one['text']}: {one['href']}" for one in incident.event.get("links", []))
        log = "\n".join(f"- {when(entry.at)}: {entry.what} by {entry.by.name}" for entry in incident.log)
        parts.append(f"# {incident.title} ({incident.status})\n\n{facts}\n\n## Links\n\n{links}\n\n## Log\n\n{log}")
    return _write(folder / "incident.md", parts)


def _shown(value: object) -> str:
    return "".join(f"\n  - {item}" for item in value) if isinstance(value, list) else str(value)


def _runs(world: World, folder: Path) -> Path:
    runs = world.github.standin.state.repo(REPOSITORY).runs.items.values()
    rows = [f"- {when(found.created)}: {found.title}: {found.status}, {found.conclusion}" for found in runs]
    return _write(folder / "workflow-runs.md", ["# Workflow runs", "\n".join(rows)])


def _write(path: Path, parts: list[str]) -> Path:
    write_text(path, "\n\n".join(parts) + "\n")
    return path
