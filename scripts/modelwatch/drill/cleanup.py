"""Takes away what drills have left: this one's, and that of one which was killed. Then it looks whether anything stays.

Leftovers are found by their mark, never by memory: the tag of W&B runs, and ``[DRILL]`` in titles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ..errors import UserError, shorten
from ..model.drill import Cleanup
from ..model.plan import ObservedRun
from ..targets.register.client import IssueView
from .probes import Probes
from .rows import WANDB_TAG
from .site import DrillSite

DONE_LABEL = "modelwatch-drill"
"""Of the issues of drills that are over; it is not the label by which modelwatch finds its issues."""
SETTLED_WITHIN = 30.0
"""Seconds until a service shows that something is gone."""
_MARKER = re.compile(r"<!-- modelwatch:[^>]*-->\n?")


def clean_up(site: DrillSite, service: str) -> Cleanup:
    """Close issues, resolve incidents, cancel workflow runs, delete W&B runs; and verify it. What cannot be done is in
    the result. ``service``: id of the drill's service at PagerDuty."""
    probes = Probes(site)
    removed: list[str] = []
    left: list[str] = []
    steps: tuple[tuple[str, Callable[[], Iterator[str]]], ...] = (
        ("workflow runs", lambda: _cancel_runs(probes)),
        ("incidents", lambda: _resolve_incidents(probes, service)),
        ("issues", lambda: _close_issues(probes)),
        ("W&B runs", lambda: _delete_wandb_runs(probes)),
    )
    for name, step in steps:
        try:
            removed += step()
        except UserError as error:
            left.append(f"{name}: {shorten(str(error), 300)}")
    site.wait(lambda: not any(_verify(probes, service)), SETTLED_WITHIN)
    left += _verify(probes, service)
    return Cleanup(tuple(removed), tuple(dict.fromkeys(left)))


def find_leftovers(site: DrillSite, service: str) -> tuple[str, ...]:
    """What is there now, or cannot be looked at, a sentence each."""
    return tuple(_verify(Probes(site), service))


def forget_runs(site: DrillSite) -> None:
    """Delete the ended workflow runs of earlier drills: a dispatch of the same name would count as made already. They
    stay until the next drill, for their logs. Raises ServiceError."""
    probes = Probes(site)
    for run in probes.workflow_runs():
        if run.status == "completed":
            probes.delete_run(run)


def _cancel_runs(probes: Probes) -> Iterator[str]:
    for run in _running(probes):
        probes.cancel_run(run)
        yield f"workflow run {run.id} ({run.verb}) cancelled"


def _running(probes: Probes) -> list[ObservedRun]:
    return [run for run in probes.workflow_runs() if run.status != "completed"]


def _resolve_incidents(probes: Probes, service: str) -> Iterator[str]:
    api = probes.incidents_api()
    for incident in probes.open_incidents(service):
        key = api.alert_key(str(incident.get("id")))
        probes.sessions().events(probes.model.name).resolve(key)
        yield f"incident {incident.get('incident_number')} resolved"


def _close_issues(probes: Probes) -> Iterator[str]:
    client, issues = probes.issues()
    for issue in issues:
        # Without its register it is no episode any more: the next drill starts afresh, and counts as no flapping.
        fields = {
            "state": "closed",
            "state_reason": "completed" if issue.state == "closed" else "not_planned",
            "body": _MARKER.sub("", issue.body),
            "labels": sorted({DONE_LABEL, *_other_labels(issue)}),
        }
        client.update(issue.number, fields)
        if issue.state == "open":
            yield f"issue #{issue.number} closed"


def _other_labels(issue: IssueView) -> Iterator[str]:
    return (label for label in issue.labels if not label.startswith("modelwatch"))


def _delete_wandb_runs(probes: Probes) -> Iterator[str]:
    if count := probes.delete_wandb_runs():
        yield f"{count} W&B {'run' if count == 1 else 'runs'} deleted"


def _verify(probes: Probes, service: str) -> Iterator[str]:
    """What is still there, or cannot be looked at."""
    looks: tuple[tuple[str, Callable[[], list[str]]], ...] = (
        ("workflow runs", lambda: [f"workflow run {run.id} is {run.status}: {run.url}" for run in _running(probes)]),
        (
            "incidents",
            lambda: [f"incident {row.get('incident_number')} is open" for row in probes.open_incidents(service)],
        ),
        ("issues", lambda: [f"issue #{issue.number} is {issue.state}: {issue.url}" for issue in probes.issues()[1]]),
        ("W&B runs", lambda: [f"W&B run {run.id}, tagged {WANDB_TAG}" for run in probes.wandb_runs()]),
    )
    for name, look in looks:
        try:
            yield from look()
        except UserError as error:
            yield f"{name}: whether any is left cannot be seen: {shorten(str(error), 200)}"
