"""The eight questions that a model's page answers above the fold: four of its team, four at three in the morning."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..model.drift import drift_spec
from ..model.finding import Outcome, Track
from ..model.unit import unit_of
from ..report.diagnosis import DRIFT_KINDS, NO_HEALTHY_VERSION, Diagnosis
from ..report.formatting import bare_value, duration, is_clause, percent, quantity, utc_time
from ..report.markdown import safe_url
from ..report.model_health import Health
from ..timeutil import DAY, WEEK
from .health import ModelHealth, ranked_groups
from .page import Answer
from .sentences import series_title
from .snapshot import ModelSnapshot

QUESTIONS = {
    "health": "Is it healthy?",
    "trend": "Where is it heading?",
    "inputs": "Are its inputs sound?",
    "business": "What does it cost?",
    "problem": "What is wrong?",
    "change": "What changed?",
    "doing": "What is being done?",
    "next": "What do I do next?",
}
_COMMAND = re.compile(r"`([^`]+)`")
_URL = re.compile(r"https?://\S+")
_ADDRESS = re.compile(r":?\s*https?://\S+")
"""An address at the end of a step, which becomes a link of the words before it."""
DOWN_STEP = (
    "Nothing closes or starts while the metrics cannot be read. Fix what the headline names, or wait until the source "
    "is back, and make this page again."
)
KINDS_THAT_MATTER = (
    "accuracy-drop",
    "business-metric",
    "segment-drop",
    "concept-drift",
    "calibration",
    "error-rate",
    "latency",
)
"""Of rules, those first whose metric stands for the model while nothing fires."""


def answers(snapshot: ModelSnapshot, health: ModelHealth, said: Diagnosis, business: str = "") -> tuple[Answer, ...]:
    """All eight, in the order of ``QUESTIONS``. ``business``: what the view of that name answers; empty: nothing."""
    step, url = split_address(said.next.replace("`", ""))
    command = _COMMAND.search(said.next)
    texts = {
        "health": _health_text(health),
        "trend": trend_text(snapshot),
        "inputs": inputs_text(snapshot),
        "business": business or "No business metric is configured.",
        "problem": "Nothing fires." if health.health is Health.GREEN else health.headline,
        "change": _change_text(snapshot, said),
        "doing": health.doing or "Nothing has to be done.",
        "next": DOWN_STEP if said.down else step or "Nothing.",
    }
    return tuple(
        Answer(
            question,
            name,
            texts[name],
            url if name == "next" else "",
            command[1] if command and name == "next" else "",
        )
        for name, question in QUESTIONS.items()
    )


def split_address(step: str) -> tuple[str, str]:
    """A step without the address that it ends with, and the address: it becomes a link of the words."""
    found = _URL.search(step)
    if found is None:
        return step, ""
    return _ADDRESS.sub("", re.sub(r"\b(on|in) https?://\S+", r"\1 the issue", step)), safe_url(found[0].rstrip(".,;)"))


def _health_text(health: ModelHealth) -> str:
    alerts = f"{health.firing} alerts fire" if health.firing > 1 else "an alert fires"
    worst = f"{alerts} (at worst {health.severity})" if health.firing > 1 else f"{alerts} ({health.severity})"
    match health.health:
        case Health.RED:
            text = f"No: {worst}."
        case Health.YELLOW:
            text = f"Not quite: {worst}." if health.firing else "Not quite: an alert is pending."
        case Health.GREEN:
            text = "Yes: no alert fires."
        case Health.GREY:
            text = "Unknown: nothing could be judged."
    return text if health.since is None else f"{text} Since {utc_time(health.since)}."


def leading_track(snapshot: ModelSnapshot) -> Track | None:
    """The series that stands for the model: that of the worst alert, else of the kind of rule that matters most."""
    tracks = [track for track in snapshot.findings.tracks if any(map(_is_number, track.value))]
    for group in ranked_groups(snapshot):
        labels = group.alerts[0].labels if group.alerts else ()
        own = [track for track in tracks if track.rule.name == group.rule]
        if own:
            return next((track for track in own if track.labels == labels), own[0])

    def order(track: Track) -> tuple[int, bool]:
        kinds = KINDS_THAT_MATTER
        return kinds.index(track.rule.kind) if track.rule.kind in kinds else len(kinds), bool(track.labels)

    return min(tracks, key=order, default=None)


def _is_number(value: float) -> bool:
    return value == value


def trend_text(snapshot: ModelSnapshot) -> str:
    """The newest value of the leading metric against a week earlier, or as far back as there is a value."""
    track = leading_track(snapshot)
    if track is None:
        return "Unknown: no rule has a value."
    rows = [row for row in range(track.grid.count) if _is_number(track.value[row])]
    last = rows[-1]
    earlier = max((row for row in rows if track.grid.time(row) <= track.grid.time(last) - WEEK), default=rows[0])
    now, before, unit = track.value[last], track.value[earlier], unit_of(track.rule)
    title = series_title(track.rule.name, track.labels)
    where = f"{title}{':' if is_clause(unit) else ' is'} {quantity(now, unit)}"
    ago = track.grid.time(last) - track.grid.time(earlier)
    if ago < DAY:
        return f"{where}; its history is shorter than a day."
    change = f" ({percent((now - before) / abs(before))})" if before and not is_clause(unit) else ""
    return f"{where}; {duration(ago)} earlier it was {bare_value(before, unit)}{change}."


def inputs_text(snapshot: ModelSnapshot) -> str:
    """Whether rules about drift and data quality fire, and how many do not."""
    kinds = (*DRIFT_KINDS, "data-quality")
    about_drift = {rule.name for rule in snapshot.model.rules if drift_spec(rule.metric)}
    groups = [
        group for group in snapshot.groups if not group.built_in and (group.kind in kinds or group.rule in about_drift)
    ]
    if not groups:
        return "Unknown: no rule looks at them."
    firing = [group.rule for group in ranked_groups(snapshot) if group in groups]
    if firing:
        drifted = [feature.feature for group in groups if group.rule in firing for feature in group.evidence.drifted]
        features = f" ({_names(drifted)})" if drifted else ""
        return f"No: {_names(firing)} {'fires' if len(firing) == 1 else 'fire'}{features}."
    decided = [group for group in groups if group.latest and group.latest.outcome in (Outcome.OK, Outcome.BREACH)]
    if not decided:
        return "Unknown: no rule about them could be decided."
    return f"Yes: {len(decided)} of {len(groups)} rules about them are within limits, none fires."


def _names(names: Iterable[str]) -> str:
    unique = list(dict.fromkeys(names))
    return ", ".join(unique[:3]) + (f" and {len(unique) - 3} more" if len(unique) > 3 else "")


def _change_text(snapshot: ModelSnapshot, said: Diagnosis) -> str:
    """What changed before it began: a version, drifted inputs, or what else ``diagnose`` found."""
    for title in ("Changed", "Why", "Drifted", "Before"):
        lines = said.sections.get(title, ())
        if said.down and title == "Before" and not said.firing:
            return "Unknown: the metrics cannot be read, and no open issue reports an alert."
        if lines and not lines[0].startswith(NO_HEALTHY_VERSION):
            return lines[0]
    newest = max(snapshot.pull.deployments, key=lambda deployment: deployment.since, default=None)
    if newest is None:
        return "No version is logged."
    start = snapshot.pull.start_of(newest)
    return f"Last: version {newest.version}, since {utc_time(start.began)}."
