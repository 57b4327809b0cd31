"""``modelwatch diagnose`` on the demo's own incident: what the first five minutes ask for, on one screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelwatch.testing.standins.faults import Fault

from .incident import Incident, incident

SCREEN = 26
"""Lines, with the next step in full."""
"""Lines of the smallest terminal in use."""


@pytest.fixture(scope="module")
def burning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Incident]:
    with incident(tmp_path_factory.mktemp("burning")) as found:
        yield found


def test_one_screen_names_segment_parts_features_version_and_step(burning: Incident) -> None:
    ran = burning.run("diagnose", "churn")
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.rstrip("\n").splitlines()
    assert len(lines) <= SCREEN
    assert all(len(line) <= 80 or "http" in line for line in lines), "only addresses may be wider than the terminal"
    said = " ".join(ran.stdout.split())
    assert said.startswith(
        "CRITICAL · churn: accuracy (region=latam alone) is 0.8137, 10.6 % below its baseline 0.9102"
    )
    assert "Where region=latam: 0.9102 → 0.8137 (−10.6 %)" in said
    assert "region=latam accounts for 95 % of the drop: it fell from 0.9102 to 0.8137." in said
    assert "Traffic mix is unchanged." in said
    assert "Drifted tenure_months: mean 36 → 26; PSI 0.3908 against the reference baselines/churn.json." in said
    assert "Changed version v6 (healthy) → v7, " in said
    assert "incident triggered: http" in said
    assert "Next Wait: the rollback to v6 succeeded at " in said


def test_before_anything_fires_it_takes_three_lines(burning: Incident) -> None:
    ran = burning.diagnosed_before
    assert ran is not None
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(ran.stdout.splitlines()) == 3
    assert ran.stdout.startswith("HEALTHY · churn: nothing is firing; 2 rules judged at ")


def test_without_wandb_it_says_what_issue_and_incident_know(burning: Incident) -> None:
    burning.world.wandb.inject(Fault("status", status=503, times=-1))
    ran = burning.run("diagnose", "churn")
    burning.world.wandb.clear()
    assert ran.returncode == 3
    said = " ".join(ran.stdout.split())
    assert said.startswith("UNKNOWN · churn: the metrics cannot be read:")
    assert "accuracy was critical when last judged" in said
    assert "incident triggered: http" in said
    assert "Next Nothing closes or starts while the source is down" in said
