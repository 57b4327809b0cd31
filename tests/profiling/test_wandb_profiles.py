"""``modelwatch measure``, the real W&B client and the stand-in, over HTTP."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from modelwatch.cli import group
from modelwatch.clients.retry import RetryPolicy
from modelwatch.config.loader import load_config
from modelwatch.errors import ConfigError, SourceError, UserError
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model, WandbSpec
from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.model.rule import Rule
from modelwatch.profiling.measure import measure
from modelwatch.profiling.readers import open_log
from modelwatch.profiling.reference_store import capture_reference, fetch_reference, read_reference, upload_reference
from modelwatch.profiling.wandb_profiles import day_profile, publish
from modelwatch.stats.profile.codec import from_bytes, to_bytes
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn
from tests.sources.builders import pull

from .logs import DAY, START, log, write

NOW = START + 2.5 * DAY
CONFIG = """
version: 1
models:
  - name: churn
    wandb: {entity: acme, project: churn, version: model.version, runs: {tags: production}}
    measure:
      {files: log.parquet, id: id, time: time, version: version, score: score, prediction: prediction, label: label,
       segments: [region], reference: reference.npz, features: [age, income, region, plan, signed]}
    rules:
      - {name: accuracy, kind: accuracy-drop, metric: eval/accuracy, weight: eval/n, tiers: {warning: {below: 0.5}}}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write(log(), tmp_path / "log.parquet")
    write(log(seed=9), tmp_path / "training.parquet")
    (tmp_path / "modelwatch.yml").write_text(CONFIG)
    return tmp_path


def call(place: Path, *arguments: str) -> str:
    found = CliRunner().invoke(group, [*arguments, "--config", str(place / "modelwatch.yml"), "--now", str(NOW)])
    assert found.exit_code == 0, found.output
    return found.output


def captured(place: Path) -> str:
    table = str(place / "training.parquet")
    out = str(place / "reference.npz")
    return call(place, "baseline", "capture", "--model", "churn", "--from-table", table, "--out", out)


def test_what_is_measured_is_what_the_rules_read(wandb_server: Server[WandbStandIn], place: Path) -> None:
    assert "2,000 rows" in captured(place)
    told = call(place, "measure", "--out", str(place / "profiles"))
    assert "churn: 2,000 rows, 3 windows; two classes, 'yes' is positive." in told
    assert "acme/churn/measured-churn-20261120-v1" in told
    rule = Rule("accuracy", "accuracy-drop", KeyPattern("eval/accuracy"), (), weight="eval/n")
    rule_by = Rule(
        "by", "accuracy-drop", KeyPattern("eval/accuracy"), (), segments=(KeyPattern("eval/region=*/accuracy"),)
    )
    spec = WandbSpec("acme", "churn", ("production",), version="model.version")
    found = pull(Model("churn", (rule, rule_by), wandb=spec), NOW)
    assert found.error == ""
    whole = next(series for series in found.series if not series.labels)
    table = log()
    right = np.array(table["prediction"].to_pylist()) == np.array(table["label"].to_pylist())
    assert whole.values.tolist() == [right[:1000].mean(), right[1000:1500].mean(), right[1500:].mean()]
    assert (whole.times[0], whole.times[2]) == (START + DAY, START + 2 * DAY)
    assert (whole.weights or whole.values).tolist() == [1000, 500, 500]
    assert [deployment.version for deployment in found.deployments] == ["v1", "v2"]
    assert {dict(series.labels)["region"] for series in found.series if series.labels} == {"eu", "na"}


def test_profiles_travel_as_artifacts_and_measuring_again_changes_nothing(
    wandb_server: Server[WandbStandIn], place: Path
) -> None:
    import wandb

    captured(place)
    call(place, "measure", "--out", str(place / "profiles"))
    call(place, "measure")
    artifacts = wandb_server.standin.snapshot()["acme/churn"]["artifacts"]
    assert {name: list(versions) for name, versions in artifacts.items()} == {
        "profile-measured-churn-20261120-v1": ["v0"],
        "profile-measured-churn-20261121-v1": ["v0"],
        "profile-measured-churn-20261121-v2": ["v0"],
    }
    artifact = wandb.Api().artifact("acme/churn/profile-measured-churn-20261121-v2:latest")
    folder = Path(artifact.download(str(place / "down")))
    profile, about = from_bytes((folder / "profile.npz").read_bytes())
    assert (profile.rows, about) == (500, {"model": "churn"})
    whole, _ = from_bytes((place / "profiles" / "churn.npz").read_bytes())
    assert whole.rows == 2000
    run = wandb.Api().run("acme/churn/measured-churn-20261120-v1")
    rows = list(run.scan_history(use_cache=False))
    assert len(rows) == 2
    assert rows[0]["measured/time"] == rows[1]["measured/time"] == START + DAY
    shown = rows[0]["features/age"]
    assert shown["_type"] == "histogram"
    assert sum(shown["values"]) == 1000
    assert len(shown["bins"]) == len(shown["values"]) + 1


def test_the_newest_write_of_a_window_wins(wandb_server: Server[WandbStandIn], place: Path) -> None:
    captured(place)
    call(place, "measure")
    write(log(label=["yes"] * 2000, prediction=["yes"] * 2000), place / "log.parquet")
    call(place, "measure")
    rule = Rule("accuracy", "accuracy-drop", KeyPattern("eval/accuracy"), ())
    spec = WandbSpec("acme", "churn")
    found = pull(Model("churn", (rule,), wandb=spec), NOW)
    assert found.series[0].values.tolist() == [1.0, 1.0, 1.0]


def test_a_reference_is_read_as_it_was_captured(place: Path) -> None:
    captured(place)
    first = (place / "reference.npz").read_bytes()
    captured(place)
    assert (place / "reference.npz").read_bytes() == first
    table, about = read_reference(str(place / "reference.npz"))
    assert table.rows == 2000
    assert about["source"].endswith("training.parquet")
    assert about["captured"] == NOW
    (place / "reference.npz").write_bytes(b"no")
    with pytest.raises(SourceError, match="no profile"):
        read_reference(str(place / "reference.npz"))
    with pytest.raises(SourceError, match="cannot be read"):
        read_reference(str(place / "none.npz"))


def test_a_log_that_is_an_artifact_or_a_table(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    table = log(300, days=1)
    write(table, tmp_path / "log.parquet")
    cells: list[list[Any]] = [list(row.values()) for row in table.to_pylist()]
    cells[0][table.column_names.index("age")] = "forty"
    content = {"columns": table.column_names, "data": cells, "ncols": table.num_columns, "nrows": 300}
    add = wandb_server.standin.state.add_artifact
    add("acme", "churn", "log", {"log.parquet": (tmp_path / "log.parquet").read_bytes()})
    add("acme", "churn", "table", {"predictions.table.json": json.dumps(content).encode()})
    for name, strange in (("log", 0), ("table", 1)):
        spec = MeasureSpec(artifact=f"acme/churn/{name}:latest", time="time", id="id", features=("age", "plan"))
        (tmp_path / name).mkdir()
        env = {"WANDB_API_KEY": "k" * 40}
        model = Model("churn", (), wandb=WandbSpec("acme", "churn", base_url=wandb_server.url), measure=spec)
        found = measure(model, NOW, env, RetryPolicy(max_attempts=1), tmp_path / name)
        assert found.profile.rows == 300
        assert found.rows[0].scalars["quality/feature=age/type_rate"] == strange / 300
        assert "no reference" in found.notes[0]
    missing = Model("churn", (), wandb=model.wandb, measure=MeasureSpec(artifact="acme/churn/none:latest", time="time"))
    with pytest.raises(SourceError, match="none"):
        measure(missing, NOW, env, RetryPolicy(max_attempts=1), tmp_path / "missing")


def test_a_model_without_wandb_reads_and_writes_artifacts_where_the_environment_says(
    wandb_server: Server[WandbStandIn], tmp_path: Path
) -> None:
    """Its key must not go to the public server when ``WANDB_BASE_URL`` names another one."""
    env, retry = {"WANDB_API_KEY": "k" * 40, "WANDB_BASE_URL": wandb_server.url}, RetryPolicy(max_attempts=1)
    content = write(log(300, days=1), tmp_path / "log.parquet").read_bytes()
    wandb_server.standin.state.add_artifact("acme", "churn", "log", {"log.parquet": content})
    spec = MeasureSpec(artifact="acme/churn/log:latest", time="time", id="id", features=("age",))
    model = Model("churn", (), measure=spec)
    assert measure(model, NOW, env, retry, tmp_path).profile.rows == 300
    reference = to_bytes(capture_reference(open_log(str(tmp_path / "log.parquet")), spec)[0], {})
    name = upload_reference("acme/churn/reference", reference, model, {}, env, retry)
    assert name == "acme/churn/reference:v0"
    assert read_reference(fetch_reference(name, model, env))[0].rows == 300


def test_windows_that_are_not_over_and_rows_without_a_time_are_told(tmp_path: Path) -> None:
    times = pa.array([None, *log()["time"].to_pylist()[1:]])
    path = write(log(time=times), tmp_path / "log.parquet")
    spec = MeasureSpec(files=str(path), time="time", label="label", prediction="prediction")
    found = measure(Model("churn", (), measure=spec), START + DAY, {}, RetryPolicy(), tmp_path)
    assert len(found.rows) == 1
    unfinished, future, undated = found.notes[3:]
    assert unfinished == "1 window is not over yet; measure again later."
    assert future.startswith("the newest row is of 2026-11-21 23:59 UTC, in the future.")
    assert undated == "1 row without a time counts in no window."


def test_a_value_that_is_no_number_is_told(tmp_path: Path) -> None:
    path = write(log(), tmp_path / "log.parquet")
    spec = MeasureSpec(files=str(path), time="time", label="label", prediction="prediction", value="region")
    told = measure(Model("churn", (), measure=spec), NOW, {}, RetryPolicy(), tmp_path).notes
    assert "'region' holds no numbers, so there are no metrics by value." in told


def test_a_model_without_a_project_is_told(tmp_path: Path) -> None:
    path = write(log(), tmp_path / "log.parquet")
    model = Model("churn", (), measure=MeasureSpec(files=str(path), time="time"))
    found = measure(model, NOW, {}, RetryPolicy(), tmp_path)
    with pytest.raises(UserError, match="no W&B project"):
        publish(model, found.profile, list(found.rows), {}, RetryPolicy())


def test_a_server_that_refuses_the_key_is_told(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    path = write(log(), tmp_path / "log.parquet")
    model = Model("churn", (), wandb=WandbSpec("acme", "churn"), measure=MeasureSpec(files=str(path), time="time"))
    found = measure(model, NOW, {}, RetryPolicy(), tmp_path)
    with pytest.raises(SourceError, match="no W&B API key"):
        publish(model, found.profile, list(found.rows), {}, RetryPolicy())


def points(key: str = "quality/volume") -> dict[float, list[float]]:
    """By time everything that W&B was told under a key."""
    import wandb

    found: dict[float, list[float]] = {}
    for run in wandb.Api().runs("acme/churn"):
        for row in run.scan_history(use_cache=False):
            if key in row:
                found.setdefault(row["measured/time"], []).append(row[key])
    return found


def downloads(server: Server[WandbStandIn]) -> list[str]:
    return [one.path for one in list(server.requests) if one.method == "GET"]


def halves(place: Path, rows: int = 2000) -> tuple[Path, Path]:
    """The log in two files, every second row in each."""
    table = log(rows)
    one, other = (table.take(pa.array(range(begin, rows, 2))) for begin in (0, 1))
    return write(one, place / "one.parquet"), write(other, place / "other.parquet")


def test_parts_that_were_measured_apart_add_up_and_one_measured_again_does_not_double(
    wandb_server: Server[WandbStandIn], place: Path
) -> None:
    captured(place)
    call(place, "measure", "--no-publish", "--out", str(place / "whole"))
    one, other = halves(place)
    for name, path in (("one", one), ("other", other), ("one", one)):
        path.rename(place / "log.parquet")
        call(place, "measure", "--partition", name)
        (place / "log.parquet").rename(path)
    told = points()
    assert {time: values[-1] for time, values in told.items()} == {
        START + DAY: 1000.0,
        START + 2 * DAY - 1: 1000.0,
        START + 2 * DAY: 1000.0,
    }
    assert told[START + DAY] == [500.0, 1000.0, 1000.0]
    import wandb

    artifact = wandb.Api().artifact("acme/churn/profile-measured-churn-20261120-v1:latest")
    folder = Path(artifact.download(str(place / "down")))
    assert sorted(path.name for path in folder.iterdir()) == ["part-one.npz", "part-other.npz"]
    parts = [from_bytes((folder / f"part-{name}.npz").read_bytes())[0] for name in ("one", "other")]
    whole, _ = from_bytes((place / "whole" / "churn.npz").read_bytes())
    assert to_bytes(parts[0].merge(parts[1])) == to_bytes(day_profile(whole, START, "v1"))


def test_weighted_metrics_of_rows_are_left_out_where_another_part_has_rows_of_the_window(
    wandb_server: Server[WandbStandIn], place: Path
) -> None:
    config = place / "modelwatch.yml"
    config.write_text(CONFIG.replace("segments: [region]", "segments: [region], weighted: true"))
    captured(place)
    for name, path in zip(("one", "other"), halves(place), strict=True):
        path.rename(place / "log.parquet")
        call(place, "measure", "--partition", name)
    found = points("weighted/n")
    assert len(found) == 3
    assert {len(values) for values in found.values()} == {1}, "of the part that was measured first"


def test_profiles_of_several_workers_are_published_as_one(wandb_server: Server[WandbStandIn], place: Path) -> None:
    captured(place)
    for name, path in zip(("one", "other"), halves(place), strict=True):
        path.rename(place / "log.parquet")
        call(place, "measure", "--no-publish", "--out", str(place / name))
    given = [word for name in ("one", "other") for word in ("--profile", str(place / name / "churn.npz"))]
    assert "2,000 rows, 3 windows" in call(place, "measure", "--model", "churn", *given)
    assert points()[START + 2 * DAY] == [1000.0]
    write(log(seed=4), place / "training.parquet")
    captured(place)
    call(place, "measure", "--no-publish", "--out", str(place / "other"))
    found = CliRunner().invoke(group, ["measure", "--config", str(place / "modelwatch.yml"), *given])
    assert "do not add up" in str(found.exception)


def test_only_new_windows_and_those_that_late_labels_change_are_measured(
    wandb_server: Server[WandbStandIn], place: Path
) -> None:
    captured(place)
    days = 12
    write(log(1200, days=days), place / "log.parquet")
    config = str(place / "modelwatch.yml")

    def measured(now: float, *options: str) -> str:
        found = CliRunner().invoke(group, ["measure", "--config", config, "--now", str(now), *options])
        assert found.exit_code == 0, found.output
        return found.output

    assert "churn: 300 rows, 3 windows" in measured(
        START + 12 * DAY, "--since", "2026-11-21T12:00", "--until", "2026-11-24"
    )
    assert sorted(points()) == [START + day * DAY for day in (2, 3, 4)]
    assert "churn: 900 rows, 10 windows" in measured(START + 11.9 * DAY + 9000)
    assert "churn: 700 rows" in measured(START + 12 * DAY + 60)
    assert {len(values) for time, values in points().items() if time <= START + 4 * DAY} == {1}


def test_a_reference_may_be_an_artifact(
    wandb_server: Server[WandbStandIn], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    table = ["--from-table", str(place / "training.parquet")]
    told = call(place, "baseline", "capture", "--model", "churn", *table, "--artifact", "acme/churn/training")
    assert told.startswith("acme/churn/training:v0: 2,000 rows, 8 columns, ")
    assert re.search(r"sha256 [0-9a-f]{64}\.\n  eval/accuracy: 0\.\d+ \(n = 2,000\)\n  age: numbers from ", told)
    config = (place / "modelwatch.yml").read_text()
    (place / "modelwatch.yml").write_text(config.replace("reference.npz", "'acme/churn/training:latest'"))
    first = call(place, "measure", "--no-publish", "--out", str(place / "profiles"))
    (place / "training.parquet").unlink()
    before = len(downloads(wandb_server))
    assert call(place, "measure", "--no-publish", "--out", str(place / "again")) == first
    assert len(downloads(wandb_server)) == before > 0
    again, whole = ((place / name / "churn.npz").read_bytes() for name in ("again", "profiles"))
    assert again == whole
    captured_file = ["--out", str(place / "reference.npz")]
    write(log(seed=9), place / "training.parquet")
    call(place, "baseline", "capture", "--model", "churn", *table, *captured_file)
    (place / "modelwatch.yml").write_text(config)
    call(place, "measure", "--no-publish", "--out", str(place / "again"))
    assert (place / "again" / "churn.npz").read_bytes() == whole


def test_a_drift_rule_compares_with_a_reference_that_is_an_artifact(
    wandb_server: Server[WandbStandIn], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    table = ["--from-table", str(place / "training.parquet")]
    call(place, "baseline", "capture", "--model", "churn", *table, "--artifact", "acme/churn/training")
    rule = """
      - {name: drift, drift: "features/*", method: ks, every: 1d, baseline: {file: "acme/churn/training:VERSION"},
         tiers: {warning: {above: 0.1}}}
"""
    config = CONFIG.replace("reference.npz", "'acme/churn/training:v0'") + rule.lstrip("\n")
    (place / "modelwatch.yml").write_text(config.replace("VERSION", "v0"))
    call(place, "measure")
    [model] = load_config(place / "modelwatch.yml", {}).models
    found = pull(model, NOW)
    assert (found.error, [note for note in found.notes if "cannot be read" in note]) == ("", [])
    assert {one.source for one in found.references} == {"acme/churn/training:v0"}
    judged = evaluate_model(model, found, NOW)
    [age] = [track for track in judged.tracks if dict(track.labels).get("features") == "age"]
    assert age.rule.name == "drift"
    assert 0 < age.value[-1] < 0.3

    before = len(downloads(wandb_server))
    pull(model, NOW)
    assert len(downloads(wandb_server)) == before > 0
    (place / "modelwatch.yml").write_text(config.replace("VERSION", "v7"))
    [model] = load_config(place / "modelwatch.yml", {}).models
    lost = pull(model, NOW)
    assert (lost.error, lost.references) == ("", ())
    [note] = [note for note in lost.notes if "training:v7" in note]
    assert note.startswith("the reference profile acme/churn/training:v7 cannot be read (")


def test_an_artifact_is_no_baseline_of_other_rules(place: Path) -> None:
    (place / "modelwatch.yml").write_text(
        CONFIG.replace("weight: eval/n", "weight: eval/n, baseline: {file: 'a/b/c:v1'}")
    )
    with pytest.raises(ConfigError, match="a/b/c:v1 is a W&B artifact, which only rules with `drift` can use"):
        load_config(place / "modelwatch.yml", {})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("measure", "--partition", "a/b"), "no name of a partition"),
        (("baseline", "capture", "--model", "churn", "--from-table", "t"), "no place for the profile"),
        (("baseline", "capture", "--model", "churn"), "needs --out"),
        (
            ("baseline", "capture", "--model", "churn", "--from-table", "t", "--artifact", "acme/training"),
            "not the name of a W&B artifact",
        ),
    ],
)
def test_options_that_say_too_little_are_told(arguments: tuple[str, ...], told: str, place: Path) -> None:
    found = CliRunner().invoke(group, [*arguments, "--config", str(place / "modelwatch.yml")])
    assert told in str(found.exception)


def test_a_drift_rule_reads_the_profiles_of_what_was_measured(wandb_server: Server[WandbStandIn], place: Path) -> None:
    captured(place)
    call(place, "measure")
    rule = Rule("drift", "data-drift", KeyPattern("features/*/ks"), (), window=DAY)
    spec = WandbSpec("acme", "churn", ("production",), version="model.version")
    model = Model(
        "churn", (rule,), wandb=spec, measure=MeasureSpec(files="log.parquet", time="time", version="version")
    )
    found = pull(model, NOW)
    assert found.error == ""
    assert not any("histograms" in note for note in found.notes)
    [age] = [one for one in found.histograms if dict(one.labels)["features"] == "age"]
    assert age.exact
    assert [sum(counts) for counts in age.counts] == [1000, 500, 500]
    assert all(len(counts) > 500 for counts in age.counts)
