"""A site of made-up pages that holds every kind of panel, and hostile texts everywhere."""

from __future__ import annotations

from pathlib import Path

from modelwatch.dashboard.answers import QUESTIONS
from modelwatch.dashboard.fleet import fleet_page
from modelwatch.dashboard.html import render_fleet, render_view, view_file
from modelwatch.dashboard.page import AlertLink, Answer, FleetRow, ModelPage, View, ViewName
from modelwatch.dashboard.site import write_assets
from modelwatch.model.severity import Severity
from modelwatch.report.model_health import Health
from modelwatch.timeutil import DAY, HOUR

from . import samples

HEADLINE = "accuracy (region=latam alone) is 0.829, 8.1 % below its baseline 0.902"
DOING = "The on-call was paged at 2026-11-22 03:00 UTC; rollback to v6 waits for approval; issue #12 is open"
ANSWER_TEXTS = {
    "health": "No: an alert fires (error). Since 2026-11-22 00:00 UTC.",
    "trend": "accuracy is 0.829; 7 d earlier it was 0.901 (−8.0 %).",
    "inputs": "No: income-drift fires (income).",
    "business": "About 3,100 EUR a day are lost (2,400 to 3,900).",
    "problem": HEADLINE,
    "change": "version v6 (healthy) → v7, first seen 2026-11-20 00:00 UTC, 12 h before it began",
    "doing": DOING,
    "next": "If v7 is the cause, roll back to v6, which was healthy:",
}


def model_page(hostile: str = samples.HOSTILE) -> ModelPage:
    critical, others, folded = (panels := samples.panels())[:2], panels[2:6], panels[6:]
    views = (
        View(ViewName.DATA_SCIENCE, critical, others, folded),
        View(ViewName.BUSINESS, (), empty="No business metric is configured."),
        View(ViewName.OPERATIONS, (samples.time_chart(name=hostile, id="latency"),)),
        View(ViewName.GROUND_TRUTH, (), (samples.curves(),)),
    )
    answers = tuple(
        Answer(question, name, ANSWER_TEXTS[name], command="modelwatch release rollback v6" if name == "next" else "")
        for name, question in QUESTIONS.items()
    )
    alert = AlertLink(
        "0123456789abcdef",
        1,
        HEADLINE,
        Health.RED,
        Severity.ERROR,
        samples.NOW - 2 * DAY,
        None,
        "",
        "https://github.com/acme/churn/issues/12",
        "javascript:alert(4)",
    )
    return ModelPage(
        "churn",
        "@acme/growth",
        Health.RED,
        samples.NOW - 2 * DAY,
        HEADLINE,
        DOING,
        answers,
        (alert,),
        samples.some_annotations(),
        views,
        (("W&B run", "https://wandb.ai/acme/churn"), ("backfill", "make backfill"), (hostile, "javascript:alert(5)")),
        samples.NOW,
        (hostile,),
    )


def fleet_rows(count: int, hostile: str = samples.HOSTILE) -> list[FleetRow]:
    rows = []
    for place in range(count):
        health = (Health.GREEN, Health.GREEN, Health.RED, Health.YELLOW, Health.GREEN, Health.GREY)[place % 6]
        is_bad = health in (Health.RED, Health.YELLOW)
        rows.append(
            FleetRow(
                hostile if place == 1 else f"model-{place:03}",
                f"@acme/team-{place % 7}",
                health,
                None if health is Health.GREEN else samples.NOW - place * HOUR,
                HEADLINE
                if is_bad
                else hostile
                if place == 1
                else "Nothing is firing; 12 rules judged at 2026-11-24 00:00 UTC",
                DOING if is_bad else "",
                Severity.ERROR if health is Health.RED else Severity.WARNING if is_bad else None,
                int(is_bad) * (1 + place % 3),
                () if health is Health.GREY else tuple(0.9 + (place * hour % 17) / 500 for hour in range(60)),
                "models/churn/index.html",
                samples.NOW - HOUR,
            )
        )
    return rows


def write_sample_site(folder: Path, models: int = 40) -> None:
    """``index.html`` with so many rows, and the four pages of ``churn``."""
    folder.mkdir(parents=True, exist_ok=True)
    assets = write_assets(folder)
    (folder / "assets/built.js").write_text(f"window.modelwatchBuilt = {samples.NOW:.0f};\n")
    page = model_page()
    home = folder / "models/churn"
    home.mkdir(parents=True)
    for view in page.views:
        (home / view_file(view.name)).write_text(render_view(page, view, assets), "utf-8")
    (folder / "index.html").write_text(render_fleet(fleet_page(fleet_rows(models), samples.NOW), assets), "utf-8")
