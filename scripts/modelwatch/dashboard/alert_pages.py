"""The permalink of an alert: what fires, the evidence as it was, and what to do.

Issue and page link to it. It is written as long as the alert fires, once more when it has ended, and never again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..model.alert import AlertState, Group
from ..model.plan import ObservedIssue
from ..model.site_paths import alert_path
from ..report.alert_phrase import describe_alert
from ..report.formatting import bare_value, utc_time
from ..report.markdown import plain_line, safe_url
from ..report.model_health import Health
from ..report.move_effect import runbook_url
from ..report.next_steps import first_step
from ..targets.incidents.render import incident_details
from .answers import split_address
from .bars import drift_bars, segment_bars
from .distributions import feature_charts
from .html import render_alert
from .images import chart_png
from .page import AlertLink, AlertPage, Annotation, ModelPage, Panel, Table, TimeChart
from .rule_views import RuleTracks
from .snapshot import ModelSnapshot
from .time_charts import track_chart

MAX_FEATURES = 4
"""Of the features that drifted, whose distributions are shown."""
_SHOWN_ELSEWHERE = frozenset({"next", "next_as_of", "model", "rule", "since"})


def picture_path(link: AlertLink) -> str:
    """Of the chart of an alert, relative to the root of the site."""
    return f"{link.page.removesuffix('.html')}.png"


def merge_links(current: Iterable[AlertLink], before: Iterable[AlertLink]) -> tuple[AlertLink, ...]:
    """Every alert that has a page, newest first. Those of ``before`` that are no longer there have ended; when is
    known where their end was seen."""
    links = {link.page: replace(link, health=Health.GREEN) for link in before}
    links |= {link.page: link for link in current if link.page}
    return tuple(sorted(links.values(), key=lambda link: (link.health is not Health.GREEN, link.since or 0.0))[::-1])


def alert_files(
    snapshot: ModelSnapshot, page: ModelPage, before: tuple[AlertLink, ...], assets: dict[str, str]
) -> Iterator[tuple[str, bytes]]:
    """The page and the picture of each alert that fires, or whose end the alerts of ``before`` do not know yet."""
    ended = {link.page for link in before if link.until is not None}
    groups = {group.key: group for group in snapshot.groups}
    known = {link.page for link in (*page.alerts, *before)}
    for issue in snapshot.observation.issues if snapshot.observation else ():
        if (made := recorded_page(snapshot, issue)) is not None and made.link.page not in known:
            yield made.link.page, render_alert(made, assets).encode()
    for link in page.alerts:
        if not link.page or (link.until is not None and link.page in ended):
            continue
        made = alert_page(snapshot, groups[link.group], link, page.annotations)
        yield link.page, render_alert(made, assets).encode()
        if made.charts and isinstance(chart := made.charts[0], TimeChart):
            yield picture_path(link), chart_png(chart, f"{made.model}: {chart.title}", page.annotations)


def alert_page(
    snapshot: ModelSnapshot, group: Group, link: AlertLink, annotations: tuple[Annotation, ...]
) -> AlertPage:
    """The page of a group that fires, is pending, or ended lately."""
    register, model = snapshot.registers.get(group.key), snapshot.model
    rule = next((rule for rule in model.rules if rule.name == group.rule), None)
    details = incident_details(group, register, snapshot.now, rule=rule, model=model)
    step = first_step(group, register, model, snapshot.now) if group.state is AlertState.FIRING else ""
    step, url = split_address(step.replace("`", ""))
    return AlertPage(
        link,
        model.name,
        group.rule,
        snapshot.now,
        f"{model.name} {describe_alert(group).sentence}",
        tuple(_panels(snapshot, group)),
        tuple(
            (name.replace("_", " ").capitalize(), plain_line(str(text), 600))
            for name, text in details.items()
            if name not in _SHOWN_ELSEWHERE
        ),
        annotations,
        step,
        url,
        runbook_url=safe_url(runbook_url(group, register, model)),
    )


def recorded_page(snapshot: ModelSnapshot, issue: ObservedIssue) -> AlertPage | None:
    """The page of an earlier episode of which the site knows nothing, such as a new one: from the record on its issue.
    ``None`` where there is no such record, or it is not trusted."""
    register, model = issue.register, snapshot.model
    if register is None or not issue.trusted:
        return None
    ended = register.closed if register.closed is not None else issue.closed_at
    link = AlertLink(
        group=register.group,
        episode=register.episode,
        title=f"{model.name} {register.rule}",
        health=Health.GREEN,
        severity=register.peak,
        since=register.start,
        until=ended,
        page=alert_path(model.name, register.group, register.episode),
        issue_url=issue.url,
        incident_url=register.page.url if register.page else "",
    )
    facts = [("Severity", f"{register.peak} at its worst")]
    if impact := register.impact:
        before = f" instead of {bare_value(impact.baseline, impact.unit)}" if impact.baseline is not None else ""
        where = f" in {impact.where}" if impact.where else ""
        facts.append(("At its worst", plain_line(f"{bare_value(impact.value, impact.unit)}{before}{where}", 300)))
    rows = tuple(
        (utc_time(entry.at), plain_line(entry.what, 200), plain_line(entry.who, 80), plain_line(entry.why, 300))
        for entry in register.ledger.recent
    )
    ledger = Table(
        "record",
        "What happened",
        "The record on the issue; the evidence is there, too.",
        ("When", "What", "Who", "Why"),
        rows,
        tuple(entry.url for entry in register.ledger.recent),
    )
    headline = f"{link.title}: {plain_line(register.title, 300) or 'an alert that has ended'}"
    charts = (ledger,) if rows else ()
    return AlertPage(link, model.name, register.rule, ended or register.start, headline, charts, tuple(facts), ())


def _panels(snapshot: ModelSnapshot, group: Group) -> Iterator[Panel]:
    """The series of the worst alert first: it is the picture, too."""
    tracks = snapshot.findings.by_rule().get(group.rule, [])
    if not tracks or not group.alerts:  # a rule that modelwatch adds has no series of its own
        return
    own = RuleTracks(tracks, group)
    worst = next((track for track in tracks if track.labels == group.alerts[0].labels), tracks[0])
    yield track_chart(worst, group.alerts, snapshot.now)
    for bars in (segment_bars, drift_bars):
        if (panel := bars(own, snapshot.now)) is not None:
            yield panel
    features = [feature.chart for feature in feature_charts(snapshot, [own], ()) if feature.has_drifted]
    yield from features[:MAX_FEATURES]
