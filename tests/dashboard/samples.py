"""Panels and pages with everything in them, and with texts that try to break out."""

from __future__ import annotations

import math

from modelwatch.dashboard.page import (
    Annotation,
    AnnotationKind,
    Band,
    Bar,
    BarChart,
    Curve,
    CurveChart,
    CurvePoint,
    DecidedSpan,
    DistributionChart,
    Histogram,
    Line,
    LineRole,
    Panel,
    StatisticChange,
    Table,
    TimeChart,
)
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY, HOUR

NOW = 1_795_478_400.0
"""2026-11-24 00:00 UTC"""
HOSTILE = (
    "</script><!--<script>alert(1)</script> {{7*7}} ${7} datum.v'\"] \u2028 \u202e"
    " <img src=x onerror=alert(2)> & @value"
)


def time_chart(days: int = 30, name: str = "accuracy", id: str = "accuracy") -> TimeChart:
    """A metric that falls through two limits in its last four days."""
    times = tuple(NOW - days * DAY + hour * HOUR for hour in range(days * 24 + 1))
    onset = NOW - 4 * DAY
    values = tuple(
        None
        if 200 < place < 230
        else 0.9 + 0.006 * math.sin(place / 3.7) + 0.004 * math.cos(place * 1.3) - max(0.0, time - onset) / DAY * 0.018
        for place, time in enumerate(times)
    )
    return TimeChart(
        id=id,
        title=name,
        sentence=f"{name} is 0.829, 8.1 % below its baseline 0.902: an error since 2026-11-22.",
        times=times,
        lines=(
            Line(name, LineRole.VALUE, values),
            Line("baseline", LineRole.BASELINE, tuple(0.902 for _ in times)),
            Line("warning: drop 2 %", LineRole.LIMIT, tuple(0.884 for _ in times), Severity.WARNING),
            Line("error: drop 5 %", LineRole.LIMIT, tuple(0.857 for _ in times), Severity.ERROR),
        ),
        bands=(
            Band(
                "95 %",
                tuple(None if value is None else value - 0.008 for value in values),
                tuple(None if value is None else value + 0.008 for value in values),
            ),
        ),
        decided=(
            DecidedSpan(times[200], times[230], None, "no points in the window"),
            DecidedSpan(NOW - 3 * DAY, NOW - 2 * DAY, Severity.WARNING, "drop 2 % passed"),
            DecidedSpan(NOW - 2 * DAY, NOW, Severity.ERROR, "drop 5 % passed"),
        ),
        note="1,200 points were left out.",
    )


def segment_chart() -> TimeChart:
    chart = time_chart(name="segments", id="segments")
    values = chart.lines[0].values
    lines = tuple(
        Line(
            f"region={region}",
            LineRole.OTHER,
            tuple(None if value is None else value - place * 0.01 for value in values),
        )
        for place, region in enumerate(("eu", "us", "latam", "apac", HOSTILE))
    )
    return TimeChart("segments", "accuracy by region", "latam is worst.", chart.times, lines)


def distribution(weeks: int = 8) -> DistributionChart:
    edges = tuple(float(edge) for edge in range(0, 110, 10))
    reference = tuple(math.exp(-((place - 4) ** 2) / 6) for place in range(10))
    total = sum(reference)

    def shifted(by: float) -> tuple[float, ...]:
        shares = [math.exp(-((place - 4 - by) ** 2) / 6) for place in range(10)]
        return tuple(share / sum(shares) for share in shares)

    return DistributionChart(
        "income",
        "income",
        "income moved up: its mean rose from 45 to 62 (PSI 0.31).",
        Histogram("reference", tuple(share / total for share in reference), edges),
        Histogram("current", shifted(2), edges),
        (StatisticChange("mean", "45", "62"), StatisticChange("p95", "81", "93")),
        tuple(
            Histogram(f"2026-{9 + week // 4:02}-{1 + week % 4 * 7:02}", shifted(week / 4), edges)
            for week in range(weeks)
        ),
    )


def categories() -> DistributionChart:
    names = ("mobile", "desktop", "tablet", HOSTILE)
    return DistributionChart(
        "device",
        "device",
        "device: mobile rose from 40 % to 61 %.",
        Histogram("reference", (0.4, 0.4, 0.15, 0.05), categories=names),
        Histogram("current", (0.61, 0.3, 0.05, 0.04), categories=names),
    )


def bars(*, intervals: bool = True) -> BarChart:
    return BarChart(
        "regions" if intervals else "drift",
        "accuracy by region" if intervals else "drift by feature",
        "latam is worst: 0.81.",
        tuple(
            Bar(
                name,
                0.9 - place * 0.02,
                0.88 - place * 0.02 if intervals else None,
                0.92 - place * 0.02 if intervals else None,
                Severity.ERROR if place == 3 else Severity.WARNING if place == 2 else None,
                "1,200 rows",
            )
            for place, name in enumerate(("region=eu", "region=us", HOSTILE, "region=latam"))
        ),
        reference=0.9,
    )


def curves() -> CurveChart:
    points = tuple(
        CurvePoint(x / 10, (x / 10) ** 1.3, (x / 10) ** 1.3 - 0.03, (x / 10) ** 1.3 + 0.03) for x in range(11)
    )
    return CurveChart(
        "calibration", "Calibration", "The model is too sure of itself.", (Curve("v7", points),), "score", "share", True
    )


def table() -> Table:
    return Table(
        "on-call",
        "On call",
        "Ada is on call until Monday.",
        ("Level", "Who"),
        (("1", "Ada"), ("2", HOSTILE)),
        ("https://acme.pagerduty.com/users/1", "javascript:alert(1)"),
    )


def panels() -> tuple[Panel, ...]:
    return (
        time_chart(),
        segment_chart(),
        distribution(),
        categories(),
        bars(),
        bars(intervals=False),
        curves(),
        table(),
    )


def some_annotations() -> tuple[Annotation, ...]:
    return (
        Annotation(NOW - 20 * DAY, AnnotationKind.DEPLOYMENT, "v6 deployed"),
        Annotation(NOW - 4 * DAY, AnnotationKind.DEPLOYMENT, "v7 deployed", url="https://wandb.ai/acme/churn/v7"),
        Annotation(NOW - 12 * DAY, AnnotationKind.CALENDAR, "Black Friday", NOW - 10 * DAY),
        Annotation(
            NOW - 2 * DAY, AnnotationKind.INCIDENT, "incident 4711", NOW - 1 * DAY, "https://acme.pagerduty.com/4711"
        ),
        Annotation(NOW - 7 * DAY, AnnotationKind.PERSON, HOSTILE, url="javascript:alert(3)"),
    )
