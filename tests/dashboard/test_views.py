"""What holds for every panel of every view, of the demo's stories and of hostile models."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from array import array
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from modelwatch.dashboard.annotations import model_annotations
from modelwatch.dashboard.data_science import data_science_view
from modelwatch.dashboard.ground_truth import ground_truth_view
from modelwatch.dashboard.model_page import model_page
from modelwatch.dashboard.operations import operations_view
from modelwatch.dashboard.page import BarChart, CurveChart, DistributionChart, LineRole, Table, TimeChart, View
from modelwatch.dashboard.snapshot import ModelSnapshot
from modelwatch.dashboard.thinning import MAX_NUMBERS
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.model.series import Deployment, PulledSeries, Series
from modelwatch.report.formatting import bare_value
from modelwatch.timeutil import DAY

from ..alerts.making import NAN, at, rule, track
from .making import NOW, firing_alert, group_of, histograms, numbers_in, panels_of, series, snapshot
from .stories import read_snapshots

VIEWS = (data_science_view, operations_view, ground_truth_view)
HOSTILE = "</script><img src=x onerror=alert(1)> \u202e\u2028 {{7*7}} | `` @team \x00 " + "x" * 300
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelSnapshot]:
    """Each model of the demo at its worst moment."""
    folder = tmp_path_factory.mktemp("stories")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "GITHUB_"))}
    command = [sys.executable, "-m", "tests.dashboard.stories", str(folder)]
    subprocess.run(command, cwd=ROOT, env=env, check=True, timeout=420, capture_output=True)
    return read_snapshots(folder)


def texts_in(thing: object) -> Iterator[str]:
    if isinstance(thing, str):
        yield thing
    elif isinstance(thing, tuple | list):
        for part in thing:
            yield from texts_in(part)
    elif is_dataclass(thing):
        for field in fields(thing):
            yield from texts_in(getattr(thing, field.name))


def check_view(view: View) -> None:
    """What every view keeps to."""
    panels = panels_of(view)
    assert len(view.critical) <= 3
    assert len(view.critical) + len(view.others) <= 12
    assert len(view.folded) <= 40
    assert bool(panels) != bool(view.empty)
    ids = [panel.id for panel in panels]
    assert len({*ids}) == len(ids)
    for panel in panels:
        assert re.fullmatch(r"[a-z0-9-]+", panel.id), panel.id
        assert panel.title.strip()
        assert panel.sentence.strip().endswith("."), panel.sentence
        assert ".." not in panel.sentence
        check_panel(panel)
    for text in texts_in(panels):
        assert "\x00" not in text
        assert "\u202e" not in text
        assert "\n" not in text
        assert "nan" not in text.lower().split(), text
        assert len(text) < 1_200, text


def check_panel(panel: Any) -> None:
    assert all(map(math.isfinite, numbers_in(panel))), panel
    match panel:
        case TimeChart():
            size = len(panel.times)
            assert list(panel.times) == sorted(set(panel.times))
            sides = [band.low for band in panel.bands] + [band.high for band in panel.bands]
            assert all(len(column) == size for column in (*sides, *(line.values for line in panel.lines)))
            assert size * (1 + len(panel.lines) + len(sides)) <= MAX_NUMBERS + 500
            assert all(span.since <= span.until for span in panel.decided)
            assert all((line.severity is not None) == (line.role is LineRole.LIMIT) for line in panel.lines)
            for band in panel.bands:
                for low, high in zip(band.low, band.high, strict=True):
                    assert (low is None) == (high is None)
                    assert low is None or high is None or low <= high
        case DistributionChart():
            for one in (panel.reference, panel.current, *panel.weeks):
                assert sum(one.shares) == pytest.approx(1.0, abs=1e-3)
                assert bool(one.edges) != bool(one.categories)
                assert len(one.shares) == (len(one.edges) - 1 if one.edges else len(one.categories))
                assert list(one.edges) == sorted(set(one.edges))
        case BarChart():
            assert panel.bars
            assert all((bar.low is None) == (bar.high is None) for bar in panel.bars)
        case CurveChart():
            assert all(curve.points for curve in panel.curves)
        case Table():
            assert all(len(row) == len(panel.columns) for row in panel.rows)
            assert len(panel.links) in (0, len(panel.rows))


def test_every_story_has_views_that_hold(stories: dict[str, ModelSnapshot]) -> None:
    assert {*stories} == {"churn", "pricing", "fraud", "location", "eta", "credit"}
    for shown in stories.values():
        for view in VIEWS:
            check_view(view(shown))
        assert model_annotations(shown)


def test_the_same_snapshot_gives_the_same_page(stories: dict[str, ModelSnapshot]) -> None:
    for shown in stories.values():
        assert model_page(shown)[0] == model_page(shown)[0]


def test_numbers_in_sentences_are_those_of_the_charts(stories: dict[str, ModelSnapshot]) -> None:
    """Of each chart of a rule the newest value, as it is written."""
    checked = 0
    for shown in stories.values():
        for view in VIEWS:
            for panel in panels_of(view(shown)):
                if isinstance(panel, TimeChart) and panel.id.startswith("rule") and panel.lines:
                    newest = next(value for value in reversed(panel.lines[0].values) if value is not None)
                    written = bare_value(newest, panel.unit if panel.unit in ("%", "s", "ms") else "")
                    assert written in panel.sentence, (written, panel.sentence)
                    checked += 1
    assert checked > 20


def test_churn_leads_with_the_region_that_a_release_broke(stories: dict[str, ModelSnapshot]) -> None:
    view = data_science_view(stories["churn"])
    assert [panel.id for panel in view.critical] == ["rule--accuracy", "segments--accuracy", "drift--inputs"]
    assert "worst in region=latam" in view.critical[1].sentence
    tenure = next(panel for panel in view.others if isinstance(panel, DistributionChart))
    assert tenure.title == "tenure_months"
    assert "The mean fell from 36" in tenure.sentence or "The mean fell from 35" in tenure.sentence


def test_pricing_shows_inputs_that_moved_before_and_after(stories: dict[str, ModelSnapshot]) -> None:
    view = data_science_view(stories["pricing"])
    charts = [panel for panel in panels_of(view) if isinstance(panel, DistributionChart)]
    assert {"competitor_price", "demand", "channel"} <= {chart.title for chart in charts[:3]}
    channel = next(chart for chart in charts if chart.title == "channel")
    assert {*channel.current.categories} == {"web", "app", "store"}
    assert channel.reference.name == "baselines/pricing.npz"


def test_fraud_leads_with_the_broken_column(stories: dict[str, ModelSnapshot]) -> None:
    view = ground_truth_view(stories["fraud"])
    assert view.critical[0].title == "quality-missing: device_age_days"
    checks = next(panel for panel in panels_of(view) if panel.id == "checks")
    assert "quality-missing" in checks.sentence
    missing = next(panel for panel in panels_of(view) if panel.id == "defects--missing")
    assert missing.bars[0].name == "device_age_days"
    assert missing.bars[0].value > 0.5


def test_credit_shows_its_estimate_beside_labels_that_come_late(stories: dict[str, ModelSnapshot]) -> None:
    science, truth = data_science_view(stories["credit"]), ground_truth_view(stories["credit"])
    estimate = next(panel for panel in panels_of(science) if panel.id == "estimate--accuracy")
    assert estimate.lines[0].name == "estimated"
    assert estimate.bands
    delay = next(panel for panel in panels_of(truth) if panel.id == "delay")
    assert delay.curves[0].points[-1].y > 0.9
    assert "days" in delay.sentence


def test_operators_see_the_rollback(stories: dict[str, ModelSnapshot]) -> None:
    panels = {panel.id: panel for panel in panels_of(operations_view(stories["churn"]))}
    assert panels["deployments"].sentence.startswith("v7 serves since")
    assert any("rollback" in row[1] for row in panels["automation"].rows)
    assert panels["alerts"].sentence.startswith("2 alerts fire, the worst: accuracy")
    assert panels["uptime"].sentence.startswith("Points of eval/accuracy that came: 100 %")


def hostile_snapshot() -> ModelSnapshot:
    own = rule(HOSTILE, metric=KeyPattern(f"eval/{HOSTILE.replace('/', '_')}"), runbook=HOSTILE)
    tracks = tuple(track("..e", own, ((HOSTILE, f"{HOSTILE}{number}"),)) for number in range(3))
    columns = [
        series(name, [0.5, NAN, math.inf, 0.7], {HOSTILE: HOSTILE})
        for name in ("labels/coverage", "labels/class_share", "calibration/observed", "quality/missing_rate")
    ]
    columns += [series(name, [0.2, 0.4]) for name in ("errors/rate", f"latency/{HOSTILE}p95", f"eval/{HOSTILE}")]
    columns += [series("system", [1.0, 2.0], {"system": HOSTILE}), series("labels/missing_share", [2.0], {"days": "7"})]
    spec = MeasureSpec(files="log", score=HOSTILE, label=HOSTILE, prediction=HOSTILE, segments=(HOSTILE,))
    shown = snapshot(
        *columns,
        rules=(own,),
        tracks=tracks,
        groups=(group_of(*(firing_alert(one, "error") for one in tracks)),),
        model={"measure": spec, "links": ((HOSTILE, HOSTILE),)},
        pull={
            "deployments": (Deployment(HOSTILE, NOW - DAY),),
            "histograms": (histograms("features", (0.0, 1.0, 2.0), [(1, 2)] * 35, {"features": HOSTILE}),),
        },
    )
    return replace(shown, now=NOW)


def test_hostile_names_stay_harmless_in_every_view() -> None:
    for view in VIEWS:
        check_view(view(hostile_snapshot()))


@pytest.mark.parametrize("values", [[], [NAN], [NAN] * 3, [math.inf, -math.inf], [0.5], [0.5] * 2, [1e300, -1e300]])
def test_odd_series_make_no_view_fail(values: list[float]) -> None:
    names = (
        *("eval/accuracy", "estimated/accuracy", "estimated/accuracy/low", "estimated/accuracy/high", "errors/rate"),
        *("latency/p50", "latency/p95", "throughput", "cost/mean", "labels/coverage", "young/coverage"),
        *("labels/agreement", "labels/maturity_days", "labels/delay_days/p50", "predictions/confidence"),
        *("calibration/ece", "quality/volume", "agreement/candidate", "predictions/score/p50", "predictions/score/p10"),
    )
    labelled = (
        ("labels/missing_share", "days", "7"),
        ("labels/coverage", "decile", "01"),
        ("labels/class_share", "class", "yes"),
        ("labels/agreement", "annotator", "kim"),
        ("quality/missing_rate", "feature", "age"),
        ("calibration/predicted", "bin", "1"),
        ("calibration/observed", "bin", "1"),
    )
    columns = [series(name, values) for name in names]
    columns += [series(name, values, {label: value}) for name, label, value in labelled]
    for view in VIEWS:
        check_view(view(snapshot(*columns, rules=(rule(),))))


def test_series_without_points_and_models_without_rules_have_empty_views() -> None:
    for view in VIEWS:
        check_view(view(snapshot()))
    failed = ModelSnapshot(Model("churn", ()), NOW, PulledSeries("churn", (), error="down"), snapshot().findings, ())
    for view in VIEWS:
        assert view(failed).empty == "The source cannot be read: down"


def test_what_is_only_shown_is_shown() -> None:
    shown = PulledSeries("churn", (series("errors/rate", [0.1, 0.2]),))
    panels = panels_of(operations_view(snapshot(shown=shown)))
    assert "Error rate" in {panel.title for panel in panels}
    own = Series("errors/rate", (), array("d", [NOW]), array("d", [0.5]), None)
    watched = panels_of(operations_view(snapshot(own, shown=shown)))
    assert "50 %" in watched[0].sentence, "what rules read goes before"


def test_long_histories_stay_small() -> None:
    found = track("." * 9_000, values=[0.9 + place % 7 / 1000 for place in range(9_000)])
    view = data_science_view(snapshot(rules=(found.rule,), tracks=(found,), now=at(9_000)))
    check_view(view)
