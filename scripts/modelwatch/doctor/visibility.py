"""What each rule can see at the volume that is logged."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from ..model.drift import drift_spec
from ..model.monitored_model import Model
from ..model.rule import Rule
from ..model.sensitivity import ModelSensitivity, Sensitivity
from ..report.sensitivity import advice_lines, blind_series, visible_changes
from .setup_check import SetupCheck, report_ok, report_warning


def check_visibility(model: Model, found: ModelSensitivity, faulty: Collection[str]) -> Iterator[SetupCheck]:
    """One check for each rule that has data. ``found``: what its rules can see; ``faulty``: rules that lack a key."""
    found = replace(found, units=tuple(item for item in found.units if item[0] not in faulty))
    units, blind = dict(found.units), set[str]()
    for name in units:
        series = [sensitivity for sensitivity in found.series if sensitivity.rule == name]
        if blind_series(series):
            blind.add(name)
    for text in advice_lines(found):
        problem, _, advice = text.partition(". ")
        yield report_warning("sensitivity", f"{problem}.", advice, model=model.name)
    for name, unit in units.items():
        if name not in blind and (seen := _whole(found, name)):
            yield report_ok("sensitivity", f"{name} sees {visible_changes(seen, unit)}", model=model.name)
    reasons = dict(found.others)
    for rule in model.rules:
        if rule.name in reasons and rule.name not in faulty and not rule.optional and _is_unproven(rule):
            text = f"{rule.name}: it is not known what it sees."
            yield report_warning("sensitivity", text, f"{reasons[rule.name]}.", model=model.name)


def _is_unproven(rule: Rule) -> bool:
    """Whether nothing says how sure its points are."""
    return rule.compares and rule.anomaly is None and rule.sampling_model is None and drift_spec(rule.metric) is None


def _whole(found: ModelSensitivity, rule: str) -> Sensitivity | None:
    return next((sensitivity for sensitivity in found.series if sensitivity.rule == rule), None)
