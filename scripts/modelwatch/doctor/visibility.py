"""What each rule can see at the volume that is logged."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from ..model.monitored_model import Model
from ..model.sensitivity import ModelSensitivity, Sensitivity
from ..report.sensitivity import advice_lines, blind_series, visible_changes
from .setup_check import SetupCheck, report_ok, report_warning


def check_visibility(model: Model, found: ModelSensitivity, faulty: Collection[str]) -> Iterator[SetupCheck]:
    """One check for each rule that has data. ``found``: what its rules can see; ``faulty``: rules that lack a key."""
    found = replace(found, units=tuple(item for item in found.units if item[0] not in faulty))
    units, blind = dict(found.units), set[str]()
    for rule in units:
        series = [sensitivity for sensitivity in found.series if sensitivity.rule == rule]
        if blind_series(series):
            blind.add(rule)
    for text in advice_lines(found):
        problem, _, advice = text.partition(". ")
        yield report_warning("sensitivity", f"{problem}.", advice, model=model.name)
    for rule, unit in units.items():
        if rule not in blind and (seen := _whole(found, rule)):
            yield report_ok("sensitivity", f"{rule} sees {visible_changes(seen, unit)}", model=model.name)
    for name, reason in found.others:
        configured = next((rule for rule in model.rules if rule.name == name), None)
        if configured is not None and name not in faulty and configured.compares and configured.sampling_model is None:
            yield report_warning(
                "sensitivity", f"{name}: it is not known what it sees.", f"{reason}.", model=model.name
            )


def _whole(found: ModelSensitivity, rule: str) -> Sensitivity | None:
    return next((sensitivity for sensitivity in found.series if sensitivity.rule == rule), None)
