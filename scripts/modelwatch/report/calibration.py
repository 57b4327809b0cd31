"""Confidence and calibration beside an alert: a sentence, and the reliability curve as a table."""

from __future__ import annotations

from ..model.calibration import CalibrationBin, CalibrationChange, CalibrationVerdict
from .formatting import count, whole_percent
from .markdown import table

_SENTENCES = {
    CalibrationVerdict.LESS_CONFIDENT: (
        "The model is less confident{confidence}, and right to be: its probabilities still hold{error}. "
        "The inputs are harder; the scores are not wrong."
    ),
    CalibrationVerdict.MORE_CONFIDENT: (
        "The model is more confident{confidence}, and its probabilities still hold{error}."
    ),
    CalibrationVerdict.WORSE: (
        "The model is as confident as before{confidence}, but its probabilities no longer hold{error}: "
        "it got worse, and its scores do not show it."
    ),
    CalibrationVerdict.LESS_CONFIDENT_AND_WORSE: (
        "The model is less confident{confidence}, and its probabilities no longer hold{error}."
    ),
    CalibrationVerdict.OVERCONFIDENT: (
        "The model is more confident{confidence}, and not right to be: its probabilities no longer hold{error}."
    ),
    CalibrationVerdict.UNCHANGED: "Confidence{confidence} and calibration{error} are as before.",
}


def calibration_sentence(change: CalibrationChange | None) -> str:
    """Whether the model is less confident, or worse; empty where nothing is known."""
    if change is None:
        return ""
    confidence = _values("", change.confidence_before, change.confidence)
    # An estimate of few rows can lie below 0, where no error can.
    before, now = (None if value is None else max(0.0, value) for value in (change.error_before, change.error))
    error = _values("calibration error ", before, now)
    if change.verdict is CalibrationVerdict.UNKNOWN:
        return _partial_sentence(change, confidence, error)
    return _SENTENCES[change.verdict].format(confidence=confidence, error=error)


def _partial_sentence(change: CalibrationChange, confidence: str, error: str) -> str:
    if change.confidence is not None and change.error is None:
        return f"Mean confidence{confidence}. Whether its probabilities hold is not known before labels arrive."
    if change.error is not None and not change.bins:
        return f"No earlier windows to compare{error}."
    return ""


def _values(what: str, before: float | None, now: float | None) -> str:
    if now is None:
        return ""
    shown = f"{before:.3f} → {now:.3f}" if before is not None else f"{now:.3f}"
    return f" ({what}{shown})"


def calibration_section(change: CalibrationChange | None) -> str:
    """The issue's paragraph and table; empty where nothing is known."""
    if change is None:
        return ""
    parts = [calibration_sentence(change)]
    if change.bins:
        rows = [(whole_percent(part.predicted), _observed(part), count(part.n)) for part in change.bins]
        parts.append(table(("Predicted", "Happened (95 %)", "Rows"), rows))
    return "\n\n".join(filter(None, parts))


def _observed(part: CalibrationBin) -> str:
    """Bold where what was predicted lies outside of the interval."""
    shown = whole_percent(part.observed)
    marked = shown if part.low <= part.predicted <= part.high else f"**{shown}**"
    return f"{marked} ({whole_percent(part.low)} to {whole_percent(part.high)})"
