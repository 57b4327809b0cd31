"""The authority page: who may start or approve what, from the configuration, and how fast it went at the last game day.

What was measured is kept in the page itself, as a comment, so that the page can be written again from a changed
configuration. Written again from the same, it is the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields

from ..model.drill import GameDayTimes
from ..model.monitored_model import Model, WorkflowSpec
from ..model.rule import Mode
from .formatting import duration, utc_time
from .markdown import code, mention, table

_MARKER = re.compile(r"^<!-- modelwatch:game-day (\{.*\}) -->$", re.MULTILINE)
_PARTS = {
    "detection": "detection: from the first bad row to the alert, by the times of the rows",
    "decision": "decision: from the alert to the proposal or the dispatch",
    "approval": "approval: from the proposal to a person's word",
    "move": "move: from the dispatch to the end of the workflow run",
    "recovery": "recovery: from then on until it is proven, by the times of the rows",
}
_MODES = {
    Mode.ACT: "starts automatically",
    Mode.PROPOSE: "waits for approval",
    Mode.OBSERVE: "is only reported",
}


def authority_page(models: Mapping[str, Model], times: Mapping[str, GameDayTimes]) -> str:
    """Markdown. ``times``: of the last game day, by model; those of models that are gone are dropped."""
    lines = [
        "# Who may, and how fast",
        "",
        "Written by `modelwatch drill --authority`: change the configuration, not this page.",
    ]
    for name, model in sorted(models.items()):
        lines += ["", f"## {code(name)}", "", *_authority(model)]
        lines += ["", *_measured(name, times.get(name))]
    return "\n".join(lines) + "\n"


def _authority(model: Model) -> Iterator[str]:
    yield f"Owner: {mention(model.owner)}." if model.owner else "No owner is configured."
    if not model.workflows:
        yield "\nNo workflows are configured: nothing is started."
        return
    rows = [(code(one.name), _starts(one), _who(model), _limits(one)) for one in model.workflows]
    yield "\n" + table(("action", "automatic?", "who may approve or start it", "limits"), rows)
    yield "\nHow: comment `/modelwatch approve NAME` or `/modelwatch reject NAME` on the issue." + _buttons(model)


def _starts(workflow: WorkflowSpec) -> str:
    text = _MODES[workflow.mode]
    if workflow.mode is Mode.ACT and workflow.name == "rollback":
        return f"{text} within {duration(workflow.automatic)} of a deployment, else waits for approval"
    return text


def _who(model: Model) -> str:
    people = ", ".join(mention(name if name.startswith("@") else f"@{name}") for name in model.github.people)
    return people or "nobody: `github.people` is empty"


def _limits(workflow: WorkflowSpec) -> str:
    parts = [f"{workflow.budget} in {duration(workflow.budget_period)}"]
    if workflow.cooldown:
        parts.append(f"{duration(workflow.cooldown)} apart")
    if workflow.remind and workflow.mode is not Mode.OBSERVE:
        parts.append(f"reminds after {duration(workflow.remind)}")
    return "; ".join(parts)


def _buttons(model: Model) -> str:
    people = [f"{code(name)} is {mention('@' + login)}" for name, login in model.pagerduty.people]
    return f" With PagerDuty's buttons: {', '.join(people)}." if people else ""


def _measured(name: str, times: GameDayTimes | None) -> Iterator[str]:
    if times is None:
        yield "No game day yet: `modelwatch drill MODEL --game-day --staging CONFIG --authority THIS-PAGE`."
        return
    yield f"Measured at the game day of {utc_time(times.at)} ({code(times.place)}):"
    rows = [
        (_PARTS[part], "not measured" if seconds is None else duration(seconds))
        for part, seconds in times.parts().items()
        if seconds is not None or part != "approval"
    ]
    known = [seconds for seconds in times.parts().values() if seconds is not None]
    if len(known) == len(rows):
        rows.append(("**in all**", f"**{duration(sum(known))}**"))
    yield "\n" + table(("part", "took"), rows)
    data = {"model": name, **{field.name: getattr(times, field.name) for field in fields(times)}}
    yield f"\n<!-- modelwatch:game-day {_safe_json(data)} -->"


def _safe_json(data: Mapping[str, object]) -> str:
    """JSON that cannot end an HTML comment."""
    return json.dumps(data, separators=(",", ":"), sort_keys=True).replace("<", "\\u003c").replace(">", "\\u003e")


def read_times(page: str) -> dict[str, GameDayTimes]:
    """What an earlier page has measured, by model; a comment that was changed by hand is left out."""
    found: dict[str, GameDayTimes] = {}
    for text in _MARKER.findall(page):
        try:
            data = json.loads(text)
            numbers = {part: data[part] for part in _PARTS}
            if all(value is None or isinstance(value, int | float) for value in numbers.values()):
                found[str(data["model"])] = GameDayTimes(float(data["at"]), str(data["place"]), **numbers)
        except (ValueError, KeyError, TypeError):
            continue
    return found
