"""Where a baseline comes from: values of another model or source are refused, doubtful periods are named, and a
training set gives the values of metrics, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

from .world import CONFIG, CRITICAL, ERROR, HEALTHY, TABLE, World, log_to_wandb

VALUE = "baseline: {value: 0.92, n: 100000}"
FILE = "baseline: {file: b.json}"
PERIOD = ("--since", "2026-11-20T00:00Z", "--until", "2026-11-20T12:00Z")


@pytest.fixture
def healthy(world: World) -> World:
    """Twelve healthy hours, and a rule that compares with what is captured of them."""
    world.config(CONFIG.replace(VALUE, FILE))
    world.metrics(*[HEALTHY] * 12)
    world.at(12)
    return world


def capture(world: World, *options: str, model: str = "churn", code: int = 0) -> str:
    found = world.run("baseline", "capture", "--model", model, "--out", "b.json", *PERIOD, *options)
    assert found.code == code, found.err
    return " ".join(found.err.split())


def entries(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(world.read("b.json"))["entries"]
    return found


def rename(world: World, before: str, after: str) -> None:
    text = world.read("modelwatch.yml")
    assert before in text
    world.write("modelwatch.yml", text.replace(before, after))


def test_a_baseline_of_its_own_is_taken(healthy: World) -> None:
    capture(healthy)
    assert [entry["model"] for entry in entries(healthy)] == ["churn"]
    assert "shared" not in healthy.read("b.json")
    found = healthy.run("check")
    assert (found.code, "baseline 0.92" in found.out) == (0, True)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("name: churn\n", "name: fraud\n", "the baseline b.json was captured for the model churn."),
        ("metrics.csv", "other.csv", "b.json was captured from metrics.csv; churn reads other.csv."),
        (
            TABLE,
            "wandb: {entity: acme, project: churn-prod}",
            "b.json was captured from metrics.csv; churn reads W&B acme/churn-prod.",
        ),
        ("metric: eval/accuracy", "metric: eval/accurcy", "no entry for eval/accurcy. Did you mean `eval/accuracy`?"),
    ],
)
@pytest.mark.parametrize("command", [["config", "check"], ["check"], ["run", "--dry-run"]])
def test_one_of_another_model_source_or_metric_is_refused(
    healthy: World, command: list[str], before: str, after: str, told: str
) -> None:
    capture(healthy)
    rename(healthy, before, after)
    found = healthy.run(*command, now=command[0] != "config")
    assert found.code == 2
    assert told in " ".join(found.err.split())


@pytest.mark.parametrize(("before", "after"), [("name: churn\n", "name: fraud\n"), ("metrics.csv", "other.csv")])
def test_force_marks_one_that_others_may_use(healthy: World, before: str, after: str) -> None:
    capture(healthy, "--force")
    rename(healthy, before, after)
    assert healthy.run("config", "check", now=False).code == 0


def test_the_entity_can_come_from_the_environment(world: World, wandb_server: Server[WandbStandIn]) -> None:
    world.config(CONFIG.replace(VALUE, FILE), "wandb: {project: churn-prod}")
    world.setenv("WANDB_ENTITY", "acme")
    log_to_wandb(wandb_server, *[HEALTHY] * 12)
    world.at(12)
    capture(world)
    assert [entry["source"][:19] for entry in entries(world)] == ["W&B acme/churn-prod"]
    assert world.run("check").code == 0
    world.setenv("WANDB_ENTITY", "other")
    refused = world.run("check")
    assert (refused.code, "churn reads W&B other/churn-prod" in refused.err) == (2, True)


def test_one_that_does_not_say_for_which_model_is_read_as_before(healthy: World) -> None:
    capture(healthy)
    old = [{name: value for name, value in entry.items() if name != "model"} for entry in entries(healthy)]
    healthy.write("b.json", json.dumps({"entries": old, "format": 1}))
    rename(healthy, "name: churn\n", "name: fraud\n")
    assert healthy.run("config", "check", now=False).code == 0


def test_a_file_of_another_model_is_written_only_by_force(healthy: World) -> None:
    capture(healthy)
    before = healthy.read("b.json")
    rename(healthy, "name: churn\n", "name: fraud\n")
    told = capture(healthy, model="fraud", code=2)
    assert "b.json: this file holds values of the model churn. Give --out another file for each model" in told
    assert healthy.read("b.json") == before
    capture(healthy, "--force", model="fraud")
    assert [(entry["model"], entry["shared"]) for entry in entries(healthy)] == [("fraud", True)]


def test_values_of_the_source_before_leave_the_file(healthy: World) -> None:
    rename(
        healthy,
        "    rules:\n",
        "    rules:\n      - {name: rows, metric: eval/n, baseline: {file: b.json}, kind: business-metric, TIERS}\n",
    )
    rename(healthy, "TIERS", "tiers: {warning: {drop: 50%, do: [issue]}}")
    capture(healthy)
    assert [entry["name"] for entry in entries(healthy)] == ["eval/accuracy", "eval/n"]
    healthy.write("other.csv", healthy.read("metrics.csv").replace("eval/n", "n").replace("5000", "4000"))
    rename(healthy, "metrics.csv", "other.csv")
    assert "1 value of another source left out." in capture(healthy)
    assert [(entry["name"], entry["source"][:9]) for entry in entries(healthy)] == [("eval/accuracy", "other.csv")]


def test_a_period_of_two_versions_is_named(healthy: World) -> None:
    healthy.metrics(*[HEALTHY] * 12, version="v7", before="v6")
    assert (
        "warning: the period holds 2 versions, v6 (since 2026-11-20 01:00 UTC), v7 (since 2026-11-20 02:00 UTC); "
        "take one of them with --version." in capture(healthy)
    )
    assert "versions" not in capture(healthy, "--version", "v7")
    assert "versions" not in capture(healthy, "--since", "2026-11-20T01:30Z")


@pytest.mark.parametrize("is_over", [False, True])
def test_a_period_with_an_incident_is_named(world: World, is_over: bool) -> None:
    world.config()
    later = [HEALTHY] * 12 if is_over else [CRITICAL] * 2
    world.metrics(HEALTHY, ERROR, ERROR, ERROR, *later)
    for hour in range(3, 5 + len(later)):
        world.at(hour)
        assert world.run("run").code == 0
    (issue,) = world.issues
    assert issue.state == ("closed" if is_over else "open")
    told = capture(world, "--until", "2026-11-20T04:00Z")
    assert "warning: the period holds an incident: issue #1 (accuracy, " in told
    assert (" and is still open. http" in told) is not is_over
    assert "/issues/1" in told
    assert "incident" not in capture(world, "--until", "2026-11-20T01:30Z"), "it is before the incident"


def test_issues_that_cannot_be_read_are_named_and_stop_nothing(healthy: World) -> None:
    healthy.delenv("GITHUB_TOKEN")
    told = capture(healthy)
    assert "whether an incident lies in the period is not known, since issues cannot be read: " in told
    assert "GITHUB_TOKEN" in told


MEASURED = f"""\
version: 1
models:
  - name: churn
    owner: "@acme/growth-ml"
    {TABLE}
    measure: {{files: logs/*.parquet, time: time, prediction: predicted, label: churned, segments: [region]}}
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        segments: "eval/region=*/accuracy"
        window: 1h
        baseline: {{file: b.npz}}
        tiers: {{critical: {{drop: 10%, do: [issue]}}}}
      - {{name: inputs, kind: data-drift, drift: "features/*", method: psi, baseline: {{file: b.npz}},
         tiers: {{warning: {{do: [issue]}}}}}}
"""


def training_set(folder: Path, rows: int = 2000, **columns: list[Any] | None) -> None:
    """Of ten predictions one is wrong; in the region `us` one of five."""
    label = [place % 2 for place in range(rows)]
    region = ["eu" if place % 20 < 10 else "us" for place in range(rows)]
    wrong = [place % 20 in (10, 15) for place in range(rows)]
    cells: dict[str, Any] = {
        "predicted": [one ^ other for one, other in zip(label, wrong, strict=True)],
        "churned": label,
        "region": region,
        "age": [float(place % 50) for place in range(rows)],
    }
    table = {name: cell for name, cell in (cells | columns).items() if cell is not None}
    pq.write_table(pa.table(table), folder / "training.parquet")


def capture_training(world: World, *options: str, model: str = "churn") -> Any:
    arguments = ("--model", model, "--from-table", "training.parquet", "--out", "b.npz")
    return world.run("baseline", "capture", *arguments, *options)


def test_a_training_set_gives_the_baseline_of_metric_rules(world: World) -> None:
    world.config(MEASURED)
    training_set(world.folder)
    captured = capture_training(world)
    assert captured.code == 0, captured.err
    assert "eval/accuracy: 0.9 (n = 2,000)" in captured.out
    assert "eval/accuracy region=us: 0.8 (n = 1,000)" in captured.out
    assert world.run("config", "check", now=False).code == 0
    world.metrics(0.9, 0.9, 0.75, 0.75)
    world.at(4)
    groups = world.run("check", "--format", "json").json["groups"]
    (group,) = [group for group in groups if group["rule"] == "accuracy"]
    assert (group["state"], group["latest"]["baseline"]) == ("firing", 0.9)


def test_a_training_set_without_predictions_gives_none_and_says_so(world: World) -> None:
    world.config(MEASURED)
    training_set(world.folder, predicted=None)
    assert capture_training(world).code == 0
    checked = world.run("config", "check", now=False)
    assert checked.code == 2
    told = " ".join(checked.err.split())
    assert "the profile b.npz has no value of eval/accuracy. The training set needs the columns of" in told
    assert told.count("error:") == 1, "the rule about drift has its columns"


@pytest.mark.parametrize("metric", ["value/sum", "value/n", "eval/n", "quality/rows"])
def test_what_grows_with_the_rows_is_no_baseline_of_a_window(world: World, metric: str) -> None:
    segments = '        segments: "eval/region=*/accuracy"\n'
    text = MEASURED.replace("metric: eval/accuracy", f"metric: {metric}").replace("        weight: eval/n\n", "")
    world.config(text.replace(segments, "").replace("label: churned,", "label: churned, value: age,"))
    training_set(world.folder)
    assert capture_training(world).code == 0
    assert f"the profile b.npz has no value of {metric}." in world.run("config", "check", now=False).err
    world.config(world.read("modelwatch.yml").replace(f"metric: {metric}", "metric: value/mean"))
    assert "value/mean: 24.5" in capture_training(world).out


def test_a_profile_of_another_model_is_refused_and_not_overwritten(world: World) -> None:
    world.config(MEASURED)
    training_set(world.folder)
    assert capture_training(world).code == 0
    rename(world, "name: churn\n", "name: fraud\n")
    assert "the baseline b.npz was captured for the model churn" in world.run("config", "check", now=False).err
    refused = capture_training(world, model="fraud")
    assert (refused.code, "this is the profile of the model churn" in refused.err) == (2, True)
    assert capture_training(world, "--force", model="fraud").code == 0
    rename(world, "name: fraud\n", "name: churn\n")
    assert world.run("config", "check", now=False).code == 0, "it is marked"


def test_an_empty_training_set_is_one_error(world: World) -> None:
    world.config(MEASURED)
    training_set(world.folder, rows=0)
    found = capture_training(world)
    assert found.code == 2
    assert found.err.count("\n") == 1
    assert "training.parquet: the training set has no rows, so nothing can be compared with it." in found.err
    assert not (world.folder / "b.npz").exists()


def test_a_training_set_that_is_not_there_is_wrong_usage(world: World) -> None:
    world.config(MEASURED)
    found = capture_training(world)
    assert found.code == 2
    assert "training.parquet: there is no such file or folder. Check --from-table: a file, a folder" in found.err


def test_a_metric_rule_reads_no_artifact(world: World) -> None:
    world.config(MEASURED.replace("b.npz", "acme/churn-prod/reference:v3"))
    told = world.run("config", "check", now=False).err
    assert "acme/churn-prod/reference:v3 is a W&B artifact, which only rules with `drift` can use." in told
    assert told.count("error:") == 1
