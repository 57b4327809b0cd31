"""The demo, told from beginning to end in a process of its own, without anything but this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from modelwatch.model.plan import Plan
from modelwatch.model.register import Register
from modelwatch.step_files import read_file
from modelwatch.targets.register.codec import parse_body

from ...dashboard.pages import check_pages
from ...injection.chromium import Chromium

MODELS = ("churn", "pricing", "fraud", "location", "credit")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that the demo leaves behind, and what it says."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "modelwatch", "demo", "--out", str(folder), "--now", "2026-11-20T12:00Z"]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "GITHUB_"))}
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=env | {"HTTPS_PROXY": "http://127.0.0.1:9", "COLUMNS": "100"},
        cwd=folder,
        timeout=480,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return folder, ended.stdout


def chapter(out: str, model: str) -> str:
    """What is told of one model as it happens."""
    return re.split(r"─ [\w ]+: .*─\n", out)[1 + MODELS.index(model)].split("What exists now")[0]


def ending(out: str, model: str) -> str:
    """What is said to exist of one model in the end."""
    rest = out.split("What exists now")[1].split("Where to look")[0]
    return re.split(r"\n[\w ]+: .*\n", rest)[1 + MODELS.index(model)]


def in_order(text: str, *wanted: str) -> None:
    place = 0
    for one in wanted:
        assert one in text[place:], f"{one!r} is not told, or too early:\n{text}"
        place = text.index(one, place) + len(one)


def registers(folder: Path, model: str) -> list[Register]:
    """Of the model's issues as they are in the end."""
    text = (folder / model / "issues.md").read_text("utf-8")
    found = [parse_body(part.split("**Comment at")[0]).register for part in re.split(r"(?m)^# (?=\[)", text)[1:]]
    assert found
    assert None not in found
    return [register for register in found if register is not None]


def at_its_worst(folder: Path, model: str, rule: str) -> str:
    issues = [path.read_text("utf-8") for path in (folder / model).glob("issue-*-at-its-worst.md")]
    (found,) = (text for text in issues if f'"rule":"{rule}"' in text)
    return found


def test_it_is_told_plainly(told: tuple[Path, str]) -> None:
    _, out = told
    assert "Traceback" not in out
    assert "\x1b" not in out
    assert "failed:" not in out
    for model in MODELS:
        assert ", 0 alerts" in chapter(out, model), "nothing alerts while nothing is wrong"
    assert "monitoring-silent" not in out


def test_churn_is_rolled_back_and_told_why(told: tuple[Path, str]) -> None:
    folder, out = told
    in_order(
        chapter(out, "churn"),
        "27 healthy days",
        "v7 reads the tenure of latam in years",
        "WARNING: churn accuracy (region=latam alone)",
        "region=latam accounts for",
        "drop: it fell from",
        "version v7 was first seen",
        "Inputs that drifted at the same time: tenure_months",
        "→ open issue",
        "✗ no retrain: only region=latam is warning",
        "it began with version v7, so look at the release first",
        "ERROR: churn accuracy (region=latam alone)",
        "→ trigger incident",
        "CRITICAL: churn accuracy (region=latam alone)",
        "→ dispatch rollback",
        "→ update incident: rollback.1 ended: success",
        "production now serves v6",
        "churn accuracy is healthy again",
        "→ resolve incident",
        "→ close issue",
    )
    assert "watched only: churn inputs (tenure_months)" in chapter(out, "churn")
    why = at_its_worst(folder, "churn", "accuracy").split("### Why")[1].split("###")[0]
    in_order(
        why,
        "`region=latam` accounts for",
        "Traffic mix is unchanged.",
        "The level changed",
        "`v7`",
        "`tenure_months`",
    )
    page = (folder / "churn" / "incidents.md").read_text("utf-8")
    in_order(
        page, "**why**: ", "region=latam accounts for", "Traffic mix", "version v7 was first seen", "tenure_months"
    )
    (register,) = registers(folder, "churn")
    assert (str(register.peak), register.episode) == ("critical", 1)
    assert register.closed is not None
    assert [(record.verb, record.conclusion) for record in register.dispatches] == [("rollback", "success")]
    assert register.page is not None
    assert register.page.state == "resolved"


def test_pricing_is_retrained_on_the_new_market(told: tuple[Path, str]) -> None:
    folder, out = told
    in_order(
        chapter(out, "pricing"),
        "12 days, 24,000 predictions measured and judged",
        "WARNING: pricing inputs (competitor_price)",
        "worst first: competitor_price",
        ", demand ",
        "→ open issue",
        "ERROR: pricing inputs (competitor_price)",
        "→ dispatch retrain",
        "their profile is the reference now",
        "production now serves v4",
        "pricing inputs is healthy again",
        "→ close issue",
    )
    assert "incident" not in chapter(out, "pricing"), "nobody is woken for a market that moves"
    issue = at_its_worst(folder, "pricing", "inputs")
    assert re.findall(r"(?m)^- `(\w+)`: .*PSI", issue) == ["competitor_price", "demand", "channel"], "worst first"
    assert "stock_days" not in issue, "it did not move"
    (register,) = registers(folder, "pricing")
    assert register.closed is not None
    assert [(record.verb, record.conclusion) for record in register.dispatches] == [("retrain", "success")]


def test_fraud_has_its_data_mended_and_is_never_retrained(told: tuple[Path, str]) -> None:
    folder, out = told
    in_order(
        chapter(out, "fraud"),
        "ERROR: fraud quality-missing (device_age_days)",
        "WARNING: fraud ranking",
        "muted: fraud inputs",
        "quality-missing (feature=device_age_days) fires, kind data-quality",
        "✗ no retrain: data quality is in doubt: quality-missing",
        "the team upstream fixes its pipeline",
        "→ resolve incident",
        "→ close issue",
    )
    assert "WARNING: fraud quality-volume" in chapter(out, "fraud")
    assert "dispatch" not in chapter(out, "fraud")
    assert chapter(out, "fraud").count("→ open issue") == chapter(out, "fraud").count("→ trigger incident") == 1
    issue = at_its_worst(folder, "fraud", "quality-missing")
    assert "retrain is blocked: data quality is in doubt: quality-missing" in issue.split("### Not done")[1]
    in_order(issue.split("### Also affected")[1], "`fraud` `quality-volume`", "below", "`fraud` `ranking`", "below")
    page = (folder / "fraud" / "incidents.md").read_text("utf-8")
    in_order(page, "with 2 more alerts", "**also_affected**: fraud quality-volume (warning)", "fraud ranking (warning)")
    (register,) = registers(folder, "fraud")
    assert register.closed is not None
    assert not register.dispatches
    assert {record.rule for record in register.followers if record.ended} == {"ranking", "quality-volume"}


def test_two_models_with_one_upstream_cause_are_one_issue_and_one_page(told: tuple[Path, str]) -> None:
    folder, out = told
    in_order(
        chapter(out, "location"),
        "shifts its coordinates, in every city at once",
        "ERROR: location accuracy (every city)",
        "→ open issue",
        "→ trigger incident",
        "ERROR: eta on-time",
        "✗ no issue for eta on-time: location accuracy leads, with the same cause",
        "the provider corrects its maps",
        "eta on-time is healthy again",
        "→ resolve incident",
        "→ close issue",
    )
    assert chapter(out, "location").count("→ open issue") == chapter(out, "location").count("→ trigger incident") == 1
    issue = at_its_worst(folder, "location", "accuracy")
    assert "`accuracy` in every `city` is" in issue
    in_order(issue.split("### Also affected")[1], "`eta` `on-time`", "**error**", "below its baseline 0.9")
    assert "no issue of eta" in ending(out, "location")
    (register,) = registers(folder, "location")
    assert [record.ended is None for record in register.followers] == [False]


def test_an_estimate_warns_before_late_labels_confirm_it(told: tuple[Path, str]) -> None:
    folder, out = told
    in_order(
        chapter(out, "credit"),
        "marketing invites customers that the model hardly knows",
        "WARNING: credit estimated-accuracy 0.76",
        "→ open issue",
        "WARNING: credit accuracy",
        "→ dispatch retrain",
        "production now serves v2",
        "credit accuracy is healthy again",
        "credit estimated-accuracy is healthy again",
        "→ close issue",
    )
    warned, confirmed = (
        re.search(rf"(\d{{4}}-\d\d-\d\d) [\d:]+  WARNING: credit {rule} ", chapter(out, "credit"))
        for rule in ("estimated-accuracy", "accuracy")
    )
    assert warned is not None
    assert confirmed is not None
    days = date.fromisoformat(confirmed[1]) - date.fromisoformat(warned[1])
    assert days.days == 5, "the labels of the first such day are there"
    assert chapter(out, "credit").count("→ dispatch retrain") == 1, "labels that are late start no second retraining"
    assert "concept-drift" not in (folder / "credit/issues.md").read_text("utf-8"), "the estimate was right"
    issue = at_its_worst(folder, "credit", "estimated-accuracy")
    assert "Labels confirm the estimate: `accuracy` fires, too." in issue


def test_what_exists_in_the_end(told: tuple[Path, str]) -> None:
    _, out = told
    issue, incident, run = (
        r"issue #\d+ \((\w+)\)",
        r"incident \d+ \((\w+, \w+)\)",
        r"workflow run \(\w+\): (\w+)",
    )
    found = {model: tuple(re.findall(kind, ending(out, model)) for kind in (issue, incident, run)) for model in MODELS}
    assert found == {
        "churn": (["closed"], ["resolved, error", "resolved, critical"], ["rollback"]),
        "pricing": (["closed"], [], ["retrain"]),
        "fraud": (["closed"], ["resolved, error"], []),
        "location": (["closed"], ["resolved, error"], []),
        "credit": (["closed"], [], ["retrain"]),
    }
    assert "no workflow run" in ending(out, "fraud")


def test_what_it_leaves_behind(told: tuple[Path, str]) -> None:
    folder, out = told
    where = out.split("Where to look")[1]
    for model in MODELS:
        for name in ("issues.md", "workflow-runs.md", "summary-at-its-worst.md", "issue-1-at-its-worst.md"):
            assert (folder / model / name).stat().st_size > 20
        plans = sorted((folder / model / "plans").glob("*.json"))
        assert plans
        assert all(read_file(path, Plan).changes for path in plans)
        assert f"\n  {model}/issue-1-at-its-worst.md\n" in where, "below where it was started: short"
    assert "\n  repository/modelwatch.yml: " in where
    states = {
        model: re.findall(r"^## modelwatch: (.*)", (folder / model / "summary-at-its-worst.md").read_text("utf-8"))
        for model in MODELS
    }
    assert states == {
        "churn": ["2 firing (1 critical, 1 warning)"],
        "pricing": ["1 firing (error)"],
        "fraud": ["4 firing (2 error, 2 warning, 1 muted), 9 healthy"],
        "location": ["2 firing (2 error)"],
        "credit": ["2 firing (2 warning), 1 healthy"],
    }
    assert json.loads((folder / "repository/baselines/churn.json").read_text("utf-8"))["entries"]
    assert not (folder / "pricing" / "incidents.md").exists()


@pytest.mark.tools
def test_every_page_of_its_dashboard_opens_in_a_browser(told: tuple[Path, str], tmp_path: Path) -> None:
    folder, out = told
    assert f"{folder / 'site/index.html'}: the dashboard" in out or "site/index.html: the dashboard" in out
    index = (folder / "site/index.html").read_text("utf-8")
    colours = dict(re.findall(r'<tr data-health="(\w+)".*?<a href="models/(\w+)/', index, re.DOTALL))
    assert set(colours) == {"red", "yellow"}
    assert all(f"models/{model}/index.html" in index for model in (*MODELS, "eta"))
    with Chromium(tmp_path / "profile") as browser:
        assert check_pages(browser, folder / "site") > 30
