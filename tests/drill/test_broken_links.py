"""Each of the twelve links, broken on purpose by a fault of a server or of the configuration: the drill names it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelwatch.drill.rows import ROW_KEY
from modelwatch.model.drill import Link, LinkState
from modelwatch.testing.drill_site import REPOSITORY, WORKFLOW, StandInSite
from modelwatch.testing.standins.faults import Fault
from tests.drill.making import CONFIG, drill, read_model

ROWS_BEFORE = 176
"""Rows that are logged up to the alert."""


def _nothing(_: StandInSite) -> None:
    """The configuration is broken already."""


def _refuse_rows(site: StandInSite) -> None:
    site.wandb.inject(Fault("status", path="/file_stream$", status=403, times=-1))


def _hide_history(site: StandInSite) -> None:
    site.wandb.inject(Fault("status", text="query HistoryPage", status=500, times=-1))


def _switch_issues_off(site: StandInSite) -> None:
    site.github.inject(Fault("status", method="POST", path="/issues$", status=410, times=-1))


def _refuse_events(site: StandInSite) -> None:
    body = '{"status": "invalid event", "message": "Event object is invalid", "errors": ["Invalid routing key"]}'
    site.pagerduty.inject(Fault("status", path="/v2/enqueue", status=400, body=body, times=-1))


def _leave_nobody_on_call(site: StandInSite) -> None:
    site.pagerduty.standin.state.on_call_is_reachable = False


def _rotate_the_webhook_secret(site: StandInSite) -> None:
    site.announcer.courier.secrets = ["another secret of PagerDuty's, which the relay has not"]


def _refuse_dispatches(site: StandInSite) -> None:
    site.github.inject(Fault("status", method="POST", path="/workflows/.*/dispatches$", status=403, times=-1))


def _wait_for_a_reviewer(site: StandInSite) -> None:
    state = site.github.standin.state
    repo = state.repo(REPOSITORY)
    text = WORKFLOW.format(verb="retrain", more="").replace("{runs-on:", "{environment: production, runs-on:")
    state.add_file(repo, ".github/workflows/retrain.yml", text)
    repo.environments["production"] = ("nobody",)


def _lose_the_rows_after_the_alert(site: StandInSite) -> None:
    site.wandb.inject(
        Fault("status", path="/file_stream$", text=f'\\"{ROW_KEY}\\":{ROWS_BEFORE}', status=403, times=-1)
    )


def _refuse_to_close(site: StandInSite) -> None:
    site.github.inject(Fault("status", method="PATCH", path="/issues/1$", text='"closed"', status=403, times=4))


SILENCE = "    silences: [{rule: accuracy, until: 2100-01-01, owner: ada, reason: we know}]\n"


@dataclass(frozen=True)
class Break:
    link: Link
    found: str
    """Part of what the drill says that it found."""
    break_it: Callable[[StandInSite], None] = _nothing
    config: str = CONFIG
    more: str = ""


BREAKS = [
    Break(Link.LOGGED, "0 of 176 rows", _refuse_rows),
    Break(Link.PULLED, "W&B", _hide_history),
    Break(Link.FOUND, "no baseline", config=CONFIG.replace("{value: 0.92, n: 100000}", "{version: v0}")),
    Break(Link.FIRED, "muted: we know", more=SILENCE),
    Break(Link.ISSUE, "410", _switch_issues_off),
    Break(Link.INCIDENT, "Invalid routing key", _refuse_events),
    Break(Link.NOTIFIED, "no notification", _leave_nobody_on_call),
    Break(Link.RECEIVED, "no workflow run received", _rotate_the_webhook_secret),
    Break(Link.DISPATCHED, "403", _refuse_dispatches),
    Break(Link.ENDED, "waiting", _wait_for_a_reviewer),
    Break(Link.RECOVERED, "rows are in W&B", _lose_the_rows_after_the_alert),
    Break(Link.CLOSED, "#1 is still open", _refuse_to_close),
]


def test_every_link_is_broken_here() -> None:
    assert [one.link for one in BREAKS] == list(Link)


@pytest.mark.parametrize("broken", BREAKS, ids=lambda one: one.link.name.lower())
def test_the_drill_names_the_broken_link(broken: Break, tmp_path: Path) -> None:
    result, left = drill(read_model(tmp_path, broken.config, broken.more), break_it=broken.break_it)
    report = result.report
    assert report.broken is not None, [(one.link, one.state, one.found) for one in report.links]
    assert report.broken.link is broken.link, report.broken
    assert broken.found in report.broken.found, report.broken.found
    assert report.broken.expected
    assert report.broken.look_at
    place = list(Link).index(broken.link)
    assert {one.state for one in report.links[:place]} <= {LinkState.PASSED}
    assert {one.state for one in report.links[place + 1 :]} <= {LinkState.NOT_REACHED}
    assert left == []
    assert report.cleanup.left == ()
    assert not report.passed


def test_what_cannot_be_removed_is_said(tmp_path: Path) -> None:
    """PagerDuty accepts no resolve any more: the drill does not pass in silence."""
    fault = Fault("status", path="/v2/enqueue", text='"resolve"', status=400, times=-1)
    result, left = drill(read_model(tmp_path), break_it=lambda site: site.pagerduty.inject(fault))
    assert left == ["incident 1"]
    assert result.report.broken is not None
    assert result.report.broken.link is Link.CLOSED
    assert "incident 1 is open" in result.report.cleanup.left
