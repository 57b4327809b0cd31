"""``modelwatch diagnose``: one screen that answers, whatever can be read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from modelwatch.testing.standins.faults import Fault

from .world import BEGIN, CONFIG, HOUR, World

SEGMENTS = """\
        segments: "eval/region=*/accuracy"
        baseline: {version: v6}
"""
DRIFT = """\
      - name: inputs
        drift: "features/*"
        method: psi
        window: 1h
        every: 1h
        tiers: {warning: {above: 0.1, do: [issue]}}
"""
TABLE = "table: {path: metrics.csv, version: version}"


def furnish(world: World, *, until: int = 14, bad_from: int = 10, latam: float = 0.6) -> None:
    """v6 serves well; v7 comes and breaks one region of two; one input moves with it."""
    text = CONFIG.replace("        baseline: {value: 0.92, n: 100000}\n", SEGMENTS) + DRIFT
    world.config(text, TABLE)
    head = "time,version,eval/accuracy,eval/n,eval/region=eu/accuracy,eval/region=eu/n,"
    lines = [head + "eval/region=latam/accuracy,eval/region=latam/n,features/tenure/psi,features/income/psi"]
    for hour in range(1, until + 1):
        bad = hour >= bad_from
        there = latam if bad else 0.92
        whole = (0.92 * 3000 + there * 2000) / 5000
        time = datetime.fromtimestamp(BEGIN + hour * HOUR, UTC).isoformat()
        moved = 0.41 if bad else 0.01
        version = "v7" if bad else "v6"
        lines.append(f"{time},{version},{whole},5000,0.92,3000,{there},2000,{moved},0.01")
    world.write("metrics.csv", "\n".join(lines) + "\n")
    world.at(until)


def test_everything_the_first_five_minutes_ask_for(world: World) -> None:
    furnish(world)
    world.run("run")
    assert world.issues
    ran = world.run("diagnose", "churn")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("CRITICAL · churn: accuracy (region=latam alone) is 0.6, 34.8 % below its baseline")
    said = " ".join(ran.out.split())
    assert "region=latam: 0.92 → 0.6 (−34.8 %), 2,000 rows, 100 % of the drop" in said
    assert "region=latam accounts for the whole drop: it fell from 0.92 to 0.6." in said
    assert "Drifted tenure: PSI 0.41" in said
    assert "version v6 (healthy) → v7" in said
    assert "issue accuracy: http" in said
    assert said.count("incident triggered") == 1
    assert "rollback.1 to v6: proposed" in said
    assert "Next Decide on the proposed rollback to v6: comment `/modelwatch approve rollback.1`" in said
    assert len(lines) <= 24, "one screen"


def test_a_healthy_model_takes_three_lines(world: World) -> None:
    furnish(world, bad_from=99)
    ran = world.run("diagnose")
    assert ran.code == 0
    assert len(ran.out.strip().splitlines()) == 3
    assert ran.out.startswith("HEALTHY · churn: nothing is firing; ")
    assert "Version v6, first seen 2026-11-20" in ran.out


def test_with_the_source_down_it_says_what_it_still_knows(world: World) -> None:
    furnish(world)
    world.run("run")
    (world.folder / "metrics.csv").unlink()
    world.at(16)
    ran = world.run("diagnose", "churn")
    assert ran.code == 3
    said = " ".join(ran.out.split())
    assert said.startswith("UNKNOWN · churn: the metrics cannot be read:")
    assert "accuracy was critical when last judged, 2 h ago" in said
    assert "rollback.1 to v6: proposed" in said
    assert "Next Nothing closes or starts while the source is down" in said


def test_with_github_down_the_metrics_still_tell(world: World) -> None:
    furnish(world)
    world.github.inject(Fault("status", status=503, times=-1))
    ran = world.run("diagnose", "churn")
    assert ran.code == 0
    assert ran.out.startswith("CRITICAL · churn")
    assert "Unknown" in ran.out
    assert "503" in ran.out


def test_nothing_is_changed(world: World) -> None:
    furnish(world)
    world.run("diagnose", "churn")
    assert world.writes() == []


def test_for_machines(world: World) -> None:
    furnish(world)
    found = world.run("diagnose", "churn", "--format", "json").json
    assert found["firing"] is True
    assert found["where"][0].startswith("region=latam")
    assert found["next"]


def test_late_labels_are_told(world: World) -> None:
    furnish(world)
    world.at(20)
    assert "the newest judged point is 6 h 5 min old; rule accuracy expects one every 1 h" in " ".join(
        world.run("diagnose").out.split()
    )


@pytest.mark.parametrize("name", ["chrun", "$(id)"])
def test_a_model_that_is_not_there(world: World, name: str) -> None:
    furnish(world)
    ran = world.run("diagnose", name)
    assert ran.code == 2
    assert "there is no model" in ran.err


def test_without_a_name_it_is_about_the_worst_model(world: World) -> None:
    furnish(world)
    text = (world.folder / "modelwatch.yml").read_text("utf-8")
    head, model = text.split("  - name: churn\n")
    calm = model.replace("metrics.csv", "calm.csv")
    (world.folder / "modelwatch.yml").write_text(f"{head}  - name: aaa\n{calm}  - name: churn\n{model}", "utf-8")
    rows = (world.folder / "metrics.csv").read_text("utf-8").splitlines()
    calm_rows = [rows[0], *(row for row in rows[1:] if ",v6," in row)]
    world.write("calm.csv", "\n".join(calm_rows) + "\n")
    ran = world.run("diagnose")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("CRITICAL · churn: ")
    assert world.run("diagnose", "aaa").out.startswith(("HEALTHY · aaa", "ERROR · aaa", "WARNING · aaa"))
    world.write("calm.csv", "\n".join(rows) + "\n")
    said = " ".join(world.run("diagnose").out.split())
    assert "Elsewhere churn: critical, accuracy (region=latam alone) is 0.6" in said
