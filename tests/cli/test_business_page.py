"""The page "Business metrics": its configuration works as it says, and every expression in it is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from modelwatch.config.expressions import parse_expression
from modelwatch.model.expression import FUNCTIONS
from modelwatch.model.measurement_unit import parse_unit
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

from .world import BEGIN, HOUR, World

PAGE = (Path(__file__).resolve().parents[2] / ".github/BUSINESS.md").read_text("utf-8")
BLOCKS = [(token.info, token.content) for token in MarkdownIt().parse(PAGE) if token.type == "fence"]
CONFIG = next(text for info, text in BLOCKS if info == "yaml")
DAYS = 60


def log(server: Server[WandbStandIn], drop: float) -> None:
    """Sixty days of what the page logs; on the last two accuracy has dropped."""
    history = []
    for hour in range(1, 24 * DAYS + 1):
        accuracy = 0.92 + 0.001 * (hour % 3 - 1) - (drop if hour > 24 * (DAYS - 2) else 0.0)
        row = {"business/revenue": 212.4, "business/cost": 104.1, "business/orders": 52, "serving/requests": 1040}
        history.append({"_timestamp": BEGIN + hour * HOUR, "eval/accuracy": accuracy, "eval/n": 5000, **row})
    about: dict[str, Any] = {"config": {"model_version": "v6"}, "tags": ["production"], "created_at": BEGIN}
    server.standin.state.add_run("acme", "churn-prod", "all", history=history, **about)


def test_the_configuration_of_the_page_works_as_it_says(world: World, wandb_server: Server[WandbStandIn]) -> None:
    log(wandb_server, 0.024)
    world.write("modelwatch.yml", CONFIG)
    world.at(24 * DAYS)
    checked = world.run("config", "check", now=False)
    assert checked.code == 0, checked.err
    ran = world.run("run")
    assert ran.code == 0, ran.err
    (issue,) = world.issues
    assert re.search(r"Costs about 3,\d00 EUR a day \(95 % interval [\d,]+ to [\d,]+\)\.", issue.body)
    assert "1290 EUR/day/point" in issue.body
    roi = world.run("business", "roi", "churn")
    assert roi.code == 0
    assert "return on its costs" in roi.out
    result = world.run("business", "roi", "churn", "--format", "json").json
    days = result["total"]["days"]
    assert result["total"]["value"] / days == pytest.approx(24 * 108.3, rel=0.01)
    assert result["total"]["serving"] / days == pytest.approx(24 * 1040 * 0.002, rel=0.01)
    assert result["total"]["labelling"] == pytest.approx(30 * days)
    assert "retrainings cannot be counted: the model has no `release`" in result["missing"]


def test_a_unit_that_does_not_fit_is_the_error_of_the_page(world: World) -> None:
    message = next(text for info, text in BLOCKS if info == "text" and "cannot be added" in text).strip()
    broken = CONFIG.replace("business/cost: EUR", "business/cost: ms").replace("} - {", "} + {")
    world.write("modelwatch.yml", broken)
    ran = world.run("config", "check", now=False)
    assert ran.code == 2
    assert message.partition(": ")[2] in ran.err
    line = next(number for number, text in enumerate(broken.splitlines(), 1) if "margin:" in text)
    column = broken.splitlines()[line - 1].index("+") + 1
    assert f"modelwatch.yml:{line}:{column}: ms cannot be added to EUR." in ran.err


def test_every_function_and_unit_of_the_page_exists() -> None:
    table = PAGE.partition("| written | means |")[2].partition("\n\n")[0]
    for name in FUNCTIONS:
        assert re.search(rf"`{name}[(`]", table), name
    for text in re.findall(r"`(\d[^`]*|\{[^`]*\})`", table):
        for part in text.split("`, `"):
            parse_expression(part)
    for text in ("ms", "s", "min", "h", "day", "week", "month", "year", "%", "orders"):
        assert f"`{text}`" in PAGE
        parse_unit(text)
