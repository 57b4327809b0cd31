"""``modelwatch backtest --tune``: what is suggested, how it is shown, and the patch that it writes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ..injection.inert import check_markdown
from .world import CONFIG, ERROR, HEALTHY, World

DROP = [ERROR] * 8
LEVELS = [HEALTHY] * 30 + (DROP + [HEALTHY] * 40) * 3
"""Drops of 7.6 % from hours 31, 79 and 127 on, of 8 hours each."""
LAST = len(LEVELS)
INCIDENTS = "".join(
    f"- {{model: churn, start: 2026-11-{20 + hour // 24}T{hour % 24:02}:00, end: 2026-11-{20 + (hour + 8) // 24}T"
    f"{(hour + 8) % 24:02}:00}}\n"
    for hour in (31, 79, 127)
)
SPAN = ("backtest", "--tune", "--since", "150h", "--no-issues", "--settings", "12", "--split", "60%")
MARKED = (*SPAN, "--incidents", "incidents.yml")
BUDGET = ("--budget", "1 per 2d")
SLOW = CONFIG.replace("for: 2", "for: 4  # patience")


@pytest.fixture
def tuned(world: World) -> World:
    world.config(SLOW)
    world.metrics(*LEVELS)
    world.at(LAST)
    world.write("incidents.yml", INCIDENTS)
    return world


def test_a_suggestion_is_judged_on_what_it_was_not_chosen_by(tuned: World) -> None:
    ran = tuned.run(*MARKED, *BUDGET, "--format", "json")
    assert ran.code == 0, ran.err
    (rule,) = ran.json["rules"]
    assert rule["suggestion"] == [{"key": "for", "before": "4", "after": "1"}]
    present, *others = rule["tried"]
    assert (present["changes"], len(others)) == ([], 11)
    held_out = rule["held_out"]
    assert [delay["delay"] for delay in present["delays"]] == [3 * 3600.0] * 2
    assert [delay["delay"] for delay in held_out["suggested"]["delays"]] == [0.0]
    assert [delay["delay"] for delay in held_out["present"]["delays"]] == [3 * 3600.0]
    assert held_out["present"]["since"] > present["until"]
    assert ran.json["by_hand"] == []
    assert tuned.writes() == []


def test_the_patch_is_what_git_applies(tuned: World) -> None:
    before = tuned.read("modelwatch.yml")
    ran = tuned.run(*MARKED, *BUDGET, "--patch", "tuned.patch")
    assert ran.code == 0, ran.err
    assert tuned.read("modelwatch.yml") == before
    subprocess.run(["git", "init", "-q"], cwd=tuned.folder, check=True)
    subprocess.run(["git", "apply", "tuned.patch"], cwd=tuned.folder, check=True)
    assert tuned.read("modelwatch.yml") == before.replace("for: 4  # patience", "for: 1  # patience")
    tuned.write("modelwatch.yml", before)
    assert tuned.run(*MARKED, *BUDGET, "--write").code == 0
    assert tuned.read("modelwatch.yml") == before.replace("for: 4  # patience", "for: 1  # patience")
    again = tuned.run(*MARKED, *BUDGET, "--write")
    assert "Suggestion: no change." in again.out


def test_for_people(tuned: World) -> None:
    out = tuned.run(*MARKED, *BUDGET).out
    assert out.startswith("churn / accuracy: 12 settings tried, budget 1 false alert in 2 d.")
    assert "Suggestion: for 4 → 1. It misses fewest of the incidents and finds them soonest" in " ".join(out.split())
    assert "-        for: 4  # patience\n+        for: 1  # patience\n" in out
    page = tuned.run(*MARKED, *BUDGET, "--format", "markdown").out
    check_markdown(page)
    assert "```diff" in page
    ran = tuned.run(*MARKED, *BUDGET, "--format", "markdown", "--out", "page.md")
    assert (ran.out, tuned.read("page.md").strip()) == ("", page.strip())


def test_without_incidents_there_was_none_to_find(tuned: World) -> None:
    (rule,) = tuned.run(*SPAN, "--budget", "9 per day", "--format", "json").json["rules"]
    assert "there was none to find" in rule["reason"]
    assert rule["tried"][0]["delays"] == []
    assert any(tried["on_curve"] for tried in rule["tried"])


def test_too_short_a_history_says_so(tuned: World) -> None:
    (rule,) = tuned.run(*MARKED, "--format", "json").json["rules"]
    assert rule["suggestion"] is None
    assert rule["reason"].startswith("The 1 d ")
    assert "are too short for 1 false alert in 90 d" in rule["reason"]


def test_what_cannot_be_patched_is_said(tuned: World) -> None:
    config = SLOW.replace("rules:", "rules: &rules", 1)
    second = "\n  - {name: twin, owner: '@acme/ml', table: {path: metrics.csv, version: version}, rules: *rules,\n"
    second += (
        "     pagerduty: {routing_key: '${PAGERDUTY_ROUTING_KEY}'}, workflows: {retrain: r.yml, rollback: b.yml}}\n"
    )
    tuned.config(config.rstrip("\n") + second)
    ran = tuned.run(*MARKED, *BUDGET, "--model", "churn")
    assert ran.code == 0, ran.err
    assert "by hand to `for: 1`: it is shared with other places by an alias" in " ".join(ran.out.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--budget", "few"), "is no budget"),
        (("--budget", "0 per 90d"), "is not between"),
        (("--budget", "1000000 per 1s"), "is not between"),
        (("--split", "99%"), "is no share"),
        (("--split", "2/0"), "is no share"),
        (("--rule", "acuracy"), "accuracy"),
        (("--against", "main"), "--tune goes with neither"),
    ],
)
def test_slips(tuned: World, options: tuple[str, ...], message: str) -> None:
    ran = tuned.run(*SPAN, *options)
    assert ran.code == 2
    assert message in ran.err
    without = tuned.run("backtest", "--patch", str(Path("x")))
    assert (without.code, "--patch belongs to --tune" in without.err) == (2, True)
