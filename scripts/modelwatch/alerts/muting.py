"""What mutes an alert: silences of the configuration, and inhibitions by other alerts.

Both stop messages and dispatches, and close nothing. Silences that were requested on an issue are in its register;
the targets apply those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..model.acknowledgement import INHIBITION, SILENCE
from ..model.alert import Alert, AlertState, Mute
from ..model.monitored_model import Inhibition, Matcher, Model, Silence, WeeklyWindow
from ..model.series import format_labels
from ..timeutil import DAY


def apply_mutes(model: Model, alerts: Sequence[Alert], now: float) -> list[Alert]:
    """``alerts`` (all those of one model) with their mutes. Only a firing alert is muted: nothing else sends anything.

    An inhibitor that is itself muted still inhibits: its cause is still there.
    """
    firing = [alert for alert in alerts if alert.state is AlertState.FIRING]
    return [
        replace(
            alert,
            mutes=(*silence_mutes(model.silences, alert, now), *inhibition_mutes(model.inhibitions, alert, firing)),
        )
        if alert.state is AlertState.FIRING
        else alert
        for alert in alerts
    ]


def matches(matcher: Matcher, alert: Alert) -> bool:
    """Every part that is set is equal; the alert can have further labels."""
    return (
        matcher.model in ("", alert.model)
        and matcher.rule in ("", alert.rule)
        and matcher.kind in ("", alert.kind)
        and set(matcher.labels) <= set(alert.labels)
    )


def silence_mutes(silences: Sequence[Silence], alert: Alert, now: float) -> tuple[Mute, ...]:
    mutes = []
    for silence in silences:
        if silence.start <= now < silence.until and matches(silence.match, alert):
            end = silence.until if silence.window is None else window_end(silence.window, now)
            if end is not None:
                reason = f"{silence.reason} (silenced by {silence.owner})"
                mutes.append(Mute(SILENCE, reason, min(end, silence.until)))
    return tuple(mutes)


def window_end(window: WeeklyWindow, now: float) -> float | None:
    """The end (seconds, UTC) of the recurring stretch of the week that ``now`` lies in; ``None`` outside of it."""
    midnight = now - now % DAY
    for began in (midnight, midnight - DAY):
        # 1 January 1970 was a Thursday, day 3.
        if (int(began // DAY) + 3) % 7 not in window.days:
            continue
        end = window.end if window.end > window.start else window.end + DAY
        if began + window.start <= now < began + end:
            return began + end
    return None


def inhibition_mutes(inhibitions: Sequence[Inhibition], alert: Alert, firing: Sequence[Alert]) -> tuple[Mute, ...]:
    """How firing alerts of the same model mute ``alert``. One that matches both sides is muted by none that does, too:
    otherwise two of them would mute each other and both would be hidden."""
    mutes = []
    for inhibition in inhibitions:
        if not matches(inhibition.target, alert):
            continue
        both = matches(inhibition.source, alert)
        for other in firing:
            if other.severity < inhibition.min_severity or other.fingerprint == alert.fingerprint:
                continue
            if matches(inhibition.source, other) and not (both and matches(inhibition.target, other)):
                where = f" ({format_labels(other.labels)})" if other.labels else ""
                mutes.append(Mute(INHIBITION, f"{other.rule}{where} fires, kind {other.kind}"))
                break
    return tuple(mutes)
