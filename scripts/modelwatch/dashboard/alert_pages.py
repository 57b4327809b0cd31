"""The permalink of an alert: what fires, the evidence as it was, and what to do.

Issue and page link to it. As long as the alert fires it is written with the present evidence; when it has ended, once
more with the evidence of the last time it fired, and never again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from ..model.alert import BUILT_IN_RULES, AlertState, Group
from ..model.plan import ObservedIssue
from ..model.register import Register
from ..model.site_paths import alert_path
from ..report.alert_phrase import at_worst, describe_alert
from ..report.formatting import bare_value, quantity, utc_time
from ..report.markdown import plain_line, safe_url
from ..report.model_health import Health, severity_health
from ..report.move_effect import runbook_url
from ..report.next_steps import first_step
from ..targets.incidents.render import incident_details
from .alert_records import encode_page, end_page, record_path
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
UNREAD_TARGETS = (
    "GitHub or PagerDuty could not be read, or was not asked: issue, incident and next step are those of an "
    "earlier build."
)
ReadPage = Callable[[AlertLink], AlertPage | None]
"""What an earlier build has kept of the page of an alert."""


@dataclass(frozen=True, slots=True)
class EarlierAlerts:
    """What earlier builds of the site know of a model's alerts."""

    links: tuple[AlertLink, ...]
    """Those that have a page, newest first."""
    read: ReadPage


def picture_path(link: AlertLink) -> str:
    """Of the chart of an alert, relative to the root of the site."""
    return f"{link.page.removesuffix('.html')}.png"


def merge_links(
    current: Iterable[AlertLink], before: Iterable[AlertLink], *, is_unread: bool = False
) -> tuple[AlertLink, ...]:
    """Every alert that has a page, newest first. Those of ``before`` that are no longer there have ended; when is
    known where their end was seen. ``is_unread``: the source of the model cannot be read, so nothing has ended."""
    links = {link.page: link if is_unread else replace(link, health=Health.GREEN) for link in before}
    links |= {link.page: link for link in current if link.page}
    return tuple(sorted(links.values(), key=lambda link: (link.health is not Health.GREEN, link.since or 0.0))[::-1])


def remember_links(
    snapshot: ModelSnapshot, current: Iterable[AlertLink], before: tuple[AlertLink, ...]
) -> tuple[AlertLink, ...]:
    """``current`` with what an earlier build knew, and this one could not read."""
    links = [_remember(snapshot, link, before) if link.page else link for link in current]
    if snapshot.pull.error:
        known = {link.page for link in (*links, *before)}
        links += (link for link in _open_links(snapshot) if link.page not in known)
    return tuple(links)


def _open_links(snapshot: ModelSnapshot) -> Iterator[AlertLink]:
    """The alerts that open issues tell, while nothing can be judged."""
    for issue in snapshot.observation.issues if snapshot.observation else ():
        if issue.register is not None and issue.trusted and issue.state == "open":
            yield _recorded_link(snapshot.model.name, issue, issue.register)


def _remember(snapshot: ModelSnapshot, link: AlertLink, before: tuple[AlertLink, ...]) -> AlertLink:
    is_unread = _targets_are_unread(snapshot)
    if is_unread and link.group not in snapshot.registers:
        # Without its issue nobody knows which episode it is: the one that the site has seen last.
        last = max((old for old in before if old.group == link.group), key=lambda old: old.episode, default=None)
        if last is not None:
            episode = last.episode + (last.until is not None and link.until is None)
            link = replace(link, episode=episode, page=alert_path(snapshot.model.name, link.group, episode))
    if snapshot.pull.error and link.until is None and link.health is Health.GREEN:
        register = snapshot.registers.get(link.group)
        link = replace(link, health=severity_health(register.severity) if register else Health.GREY)
    old = next((old for old in before if old.page == link.page), None)
    if old is None:
        return link
    if is_unread:
        link = replace(
            link,
            issue_url=link.issue_url or old.issue_url,
            incident_url=link.incident_url or old.incident_url,
        )
    if link.until is not None:
        return replace(link, title=old.title)
    if snapshot.pull.error and old.until is None:
        return replace(link, title=old.title, health=old.health, severity=old.severity, urgent_since=old.urgent_since)
    return link


def _targets_are_unread(snapshot: ModelSnapshot) -> bool:
    return snapshot.observation is None or bool(snapshot.observation.errors)


def alert_files(
    snapshot: ModelSnapshot, page: ModelPage, earlier: EarlierAlerts, assets: dict[str, str]
) -> Iterator[tuple[str, bytes]]:
    """The page, the record and the picture of each alert that fires, or whose end the site does not show yet."""
    groups = {group.key: group for group in snapshot.groups}
    judged = [link for link in page.alerts if link.page and link.group in groups and groups[link.group].alerts]
    known = {link.page for link in (*judged, *earlier.links)}
    for issue in snapshot.observation.issues if snapshot.observation else ():
        if (made := recorded_page(snapshot, issue)) is not None and made.link.page not in known:
            yield record_path(made.link), encode_page(made)
            yield made.link.page, render_alert(made, assets).encode()
    ended = {link.page for link in earlier.links if _has_ended(link)}
    for link in judged:
        if link.until is not None and link.page in ended:
            continue
        group, kept = groups[link.group], earlier.read(link)
        if snapshot.pull.error or link.until is not None or _has_ended(link):
            made = _closing_page(snapshot, group, link, kept, page.annotations)
        else:
            made, kept = _firing_page(snapshot, group, link, kept, page.annotations), None
        yield link.page, render_alert(made, assets).encode()
        if kept is not None:
            continue
        yield record_path(link), encode_page(made)
        if made.charts and isinstance(chart := made.charts[0], TimeChart):
            yield picture_path(link), chart_png(chart, f"{made.model}: {chart.title}", page.annotations)
    current = {link.page for link in judged}
    for link in earlier.links:
        if link.page not in current and not _has_ended(link) and (kept := earlier.read(link)) is not None:
            yield link.page, render_alert(_gone_page(snapshot, link, kept), assets).encode()


def unwatched_page(link: AlertLink, model: str, kept: AlertPage | None, now: float) -> AlertPage:
    """The page of an alert whose model is no longer in the configuration. ``kept``: what was known of it."""
    made = kept or AlertPage(link, model, link.title, now, link.title, (), (), ())
    fired = "" if _has_ended(link) else " The alert fired when it was judged last."
    notice = f"{model} is no longer watched: at {utc_time(now)} it was not in the configuration.{fired}"
    health = link.health if _has_ended(link) else Health.GREY
    return replace(end_page(made, replace(link, health=health), notice), is_watched=False)


def _has_ended(link: AlertLink) -> bool:
    return link.until is not None or link.health is Health.GREEN


def _firing_page(
    snapshot: ModelSnapshot,
    group: Group,
    link: AlertLink,
    kept: AlertPage | None,
    annotations: tuple[Annotation, ...],
) -> AlertPage:
    made = alert_page(snapshot, group, link, annotations)
    if kept is None or not _targets_are_unread(snapshot) or not (kept.link.issue_url or kept.link.incident_url):
        return made
    return replace(
        made, notice=UNREAD_TARGETS, next_step=kept.next_step, next_url=kept.next_url, runbook_url=kept.runbook_url
    )


def _closing_page(
    snapshot: ModelSnapshot,
    group: Group,
    link: AlertLink,
    kept: AlertPage | None,
    annotations: tuple[Annotation, ...],
) -> AlertPage:
    """Of an alert that ended, or that cannot be judged now: what was known of it, else what it was at its worst."""
    made = kept or alert_page(snapshot, at_worst(group), link, annotations)
    if snapshot.pull.error:
        notice = f"At {utc_time(snapshot.now)} the metrics could not be read. This is what was known before."
        return replace(made, link=link, notice=notice)
    peak = max((alert.peak for alert in group.alerts), default=None)
    newest = group.alerts[0].finding.value if group.alerts else None
    is_known = newest is not None and not group.built_in
    value = f" The newest value was {quantity(newest, group.unit)}." if is_known else ""
    when = f" at {utc_time(link.until)}" if link.until is not None else ""
    worst = f" It was {peak} at its worst." if peak else ""
    how = "its series has sent no data" if all(alert.gone for alert in group.alerts) else "it recovered"
    return end_page(made, link, f"This alert ended{when}: {how}.{value}{worst}")


def _gone_page(snapshot: ModelSnapshot, link: AlertLink, kept: AlertPage) -> AlertPage:
    """Of an alert of which this evaluation says nothing."""
    if snapshot.pull.error:
        notice = f"At {utc_time(snapshot.now)} the metrics could not be read. This is what was known before."
        return replace(kept, link=link, notice=notice)
    rules = {rule.name for rule in snapshot.model.rules} | BUILT_IN_RULES
    why = "" if kept.rule in rules else f": the rule {kept.rule} is not in the configuration"
    notice = f"At {utc_time(snapshot.now)} this alert no longer fired{why}."
    return end_page(kept, replace(link, health=Health.GREEN), notice)


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
    link = _recorded_link(model.name, issue, register)
    ended = link.until
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


def _recorded_link(model: str, issue: ObservedIssue, register: Register) -> AlertLink:
    """What the issue knows of the episode; an open one was as its register says when it was judged last."""
    ended = register.closed if register.closed is not None else issue.closed_at
    is_open = issue.state == "open" and ended is None
    return AlertLink(
        group=register.group,
        episode=register.episode,
        title=f"{model} {register.rule}",
        health=severity_health(register.severity) if is_open else Health.GREEN,
        severity=register.severity if is_open else register.peak,
        since=register.start,
        until=ended,
        page=alert_path(model, register.group, register.episode),
        issue_url=issue.url,
        incident_url=register.page.url if register.page else "",
    )


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
