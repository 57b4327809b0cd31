"""The table in FIGURES of what README's rule sees; ``python -m tests.false_alarms.visible_changes`` writes it there."""

from __future__ import annotations

from pathlib import Path

from modelwatch.evaluate.sensitivity import expected_sensitivities
from modelwatch.model.sensitivity import Sensitivity
from modelwatch.report.formatting import count
from modelwatch.report.sensitivity import change_text, delay_text

from .model_years import readme_rule

PAGE = Path(__file__).resolve().parents[2] / ".github/FIGURES.md"
BEGIN, END = "<!-- visible changes -->\n", "<!-- end of visible changes -->\n"
VOLUMES = (5, 20, 50, 200, 1000, 5000, 50_000)
"""Predictions an hour."""
ACCURACY, SEGMENTS = 0.9, 5
HEAD = (
    "| predictions an hour | smallest drop in a day | in a week | 2 % warns | 5 % warns | 5 % is an error | 10 % warns "
    "| 10 % is critical |"
)


def visible_changes_table() -> str:
    """A row for each volume: the smallest drop found so soon, and how soon some drops are."""
    rows = []
    for volume in VOLUMES:
        whole = expected_sensitivities(readme_rule(), volume, ACCURACY, SEGMENTS)[0]
        rows.append(f"| {' | '.join([count(volume), *_cells(whole)])} |")
    return "\n".join([HEAD, "|---" * (HEAD.count("|") - 1) + "|", *rows]) + "\n"


def _cells(whole: Sensitivity) -> list[str]:
    warning, error, critical = whole.tiers
    periods = (warning.within_day, warning.within_week)
    smallest = [change_text(warning, change).removeprefix("drop ") for change in periods]
    (warns_2, warns_5, warns_10), (_, errs_5, _), (_, _, critical_10) = (
        [delay_text(delay) for delay in tier.delays] for tier in (warning, error, critical)
    )
    return [*smallest, warns_2, warns_5, errs_5, warns_10, critical_10]


def section(page: str) -> str:
    """The table as a page has it."""
    return page.partition(BEGIN)[2].partition(END)[0]


def main() -> None:
    page = PAGE.read_text("utf-8")
    PAGE.write_text(page.replace(BEGIN + section(page), BEGIN + visible_changes_table()), "utf-8")


if __name__ == "__main__":
    main()
