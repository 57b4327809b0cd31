"""Badges: colour, words, and names that try to break out."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from modelwatch.dashboard.badges import badge, fleet_badge, model_badge
from modelwatch.dashboard.page import FleetRow
from modelwatch.model.severity import Severity
from modelwatch.report.model_health import Health

from .samples import HOSTILE

SVG = "{http://www.w3.org/2000/svg}"


def row(model: str, health: Health, firing: int = 0) -> FleetRow:
    severity = Severity.ERROR if firing else None
    return FleetRow(model, "", health, None, "", "", severity, firing, (), f"models/{model}/", None)


def texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg",
        "title",
        "clipPath",
        "rect",
        "g",
        "text",
    }
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_a_model_and_its_state() -> None:
    assert texts(model_badge(row("churn", Health.RED, 2))) == ["churn", "red, 2 alerts"]
    assert texts(model_badge(row("churn", Health.GREY))) == ["churn", "no data"]


def test_of_all_the_worst_has_the_colour() -> None:
    some = [row("a", Health.GREEN), row("b", Health.YELLOW, 1), row("c", Health.GREEN)]
    assert texts(fleet_badge(some)) == ["models", "1 yellow, 2 green"]
    assert fleet_badge(some).count("#8a6100") == 1
    without_data = fleet_badge([*some, row("d", Health.GREY)])
    assert "#59636e" in without_data
    assert "#1a7f37" not in without_data
    assert texts(fleet_badge([])) == ["models", "none"]


def test_a_name_is_no_more_than_a_text() -> None:
    svg = badge(HOSTILE, "red", Health.RED)
    assert "<script" not in svg
    assert "<img" not in svg
    assert len(texts(svg)) == 2
