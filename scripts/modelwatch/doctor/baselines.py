"""Baseline files: where their values come from, how old they are, and which segments they lack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..config.baselines import MAX_BASELINE_BYTES, PROFILE_SUFFIX, capture_command, read_profile_header
from ..evaluate.baseline_capture import origin_of
from ..model.baseline_origin import foreign_origin
from ..model.monitored_model import Model
from ..model.rule import BaselineKind, BaselineSpec, Rule
from ..model.series import PulledSeries, format_labels
from ..regular_file import read_regular_file
from ..timeutil import DAY, format_utc
from .setup_check import SetupCheck, report_ok, report_warning

MAX_AGE = 180 * DAY
"""Seconds after which a captured baseline is reported as old."""
MAX_NAMES = 5
SUBJECT = "baseline"


def check_baselines(model: Model, pulled: PulledSeries | None, now: float) -> Iterator[SetupCheck]:
    """One check for each file and rule; a file that is missing or lacks the metric is a problem of the configuration.
    ``pulled``: ``None`` where the source could not be read."""
    for rule in model.rules:
        for spec in (rule.baseline, *rule.also):
            if spec.kind is BaselineKind.FILE and spec.entries:
                yield _check_file(model, rule, spec, pulled, now)
            elif spec.kind is BaselineKind.FILE and spec.profile and Path(spec.place).is_file():
                yield _check_profile(model, rule, spec, now)


def _check_file(model: Model, rule: Rule, spec: BaselineSpec, pulled: PulledSeries | None, now: float) -> SetupCheck:
    name, hint = (
        f"{spec.path} of {rule.name}",
        f"`{capture_command(model.name, spec.path, is_profile=spec.path.endswith(PROFILE_SUFFIX))}`",
    )
    foreign = (
        foreign_origin(model.name, origin_of(model), entry.model, entry.source)
        for entry in spec.entries
        if not entry.shared
    )
    if text := next(filter(None, foreign), ""):
        return report_warning(SUBJECT, f"{name} {text}.", f"Capture it again: {hint}.", model=model.name)
    if rule.weight and any(entry.n is None for entry in spec.entries):
        text = f"{name} has no count, so its values are taken as exact."
        return report_warning(SUBJECT, text, f"Log `{rule.weight}` and capture it again: {hint}.", model=model.name)
    captured = min((entry.captured for entry in spec.entries if entry.captured), default=None)
    if found := _check_age(model, name, captured, hint, now):
        return found
    if missing := _missing_segments(rule, spec, pulled):
        more = f" and {len(missing) - MAX_NAMES} more" if len(missing) > MAX_NAMES else ""
        text = f"{name} has no value for {'; '.join(missing[:MAX_NAMES])}{more}, so these are not judged."
        return report_warning(SUBJECT, text, f"Capture it again: {hint}.", model=model.name)
    return report_ok(SUBJECT, f"{name}: {spec.entries[0].source or 'of unknown origin'}", model=model.name)


def _check_profile(model: Model, rule: Rule, spec: BaselineSpec, now: float) -> SetupCheck:
    """A profile of a training set."""
    name, hint = f"{spec.path} of {rule.name}", f"`{capture_command(model.name, spec.path, is_profile=True)}`"
    header = read_profile_header(read_regular_file(Path(spec.place), MAX_BASELINE_BYTES))
    if isinstance(header, str):
        return report_warning(SUBJECT, f"{name} {header}.", f"Capture it again: {hint}.", model=model.name)
    return _check_age(model, name, header.captured or None, hint, now) or report_ok(
        SUBJECT, f"{name}: {header.source or 'of unknown origin'}", model=model.name
    )


def _check_age(model: Model, name: str, captured: float | None, hint: str, now: float) -> SetupCheck | None:
    if captured is not None and captured > now:
        text = f"{name} was captured at {format_utc(captured)}, in the future."
        return report_warning(SUBJECT, text, "Is the clock right?", model=model.name)
    if captured is not None and now - captured > MAX_AGE:
        text = f"{name} is {(now - captured) / DAY:.0f} days old."
        return report_warning(SUBJECT, text, f"If the model has changed, capture it again: {hint}.", model=model.name)
    return None


def _missing_segments(rule: Rule, spec: BaselineSpec, pulled: PulledSeries | None) -> list[str]:
    known = {(entry.name, entry.labels) for entry in spec.entries}
    series = pulled.series if pulled is not None else ()
    return [
        format_labels(found.labels)
        for found in series
        if found.labels
        and any(pattern.name == found.name and pattern.allows(found.labels) for pattern in rule.segments)
        and (found.name, found.labels) not in known
    ]
