"""The whole story, its files, and what is left of it when parts are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelwatch import history, pipeline
from modelwatch.context import make_context
from modelwatch.errors import SourceError
from modelwatch.model.alert import Judgement
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Config, Model, TableSpec
from modelwatch.model.plan import Plan, Receipts
from modelwatch.model.rule import Limit, LimitKind, Rule, Tier
from modelwatch.model.secret import Secret
from modelwatch.model.series import PulledSeries
from modelwatch.model.severity import Severity
from modelwatch.shards import merge_shards
from modelwatch.step_files import read_file, read_series

NOW = 1_795_176_300.0
HOUR = 3600.0


def config(folder: Path, *names: str, secrets: Sequence[str] = ()) -> Config:
    tier = Tier(Severity.ERROR, (Limit(LimitKind.BELOW, 0.9),), ("issue",))
    rule = Rule("accuracy", "accuracy-drop", KeyPattern("accuracy"), (tier,), window=HOUR, digest="d")
    models = tuple(Model(name, (rule,), table=TableSpec(str(folder / f"{name}.csv"))) for name in names)
    return Config(models, "digest", secrets=tuple(Secret(f"S{place}", text) for place, text in enumerate(secrets)))


def table(folder: Path, name: str, *values: float, column: str = "accuracy") -> None:
    end = NOW // HOUR * HOUR
    rows = [f"{end - place * HOUR:.0f},{value}" for place, value in enumerate(reversed(values))]
    (folder / f"{name}.csv").write_text("\n".join([f"time,{column}", *reversed(rows)]) + "\n")


def plan_only(of: Config) -> pipeline.RunResult:
    context = make_context(of, NOW)
    return pipeline.converge(context, pipeline.evaluate(context), frozenset())


def test_evaluate_says_what_was_pulled_and_what_it_means(tmp_path: Path) -> None:
    table(tmp_path, "good", 0.95, 0.95)
    table(tmp_path, "bad", 0.95, 0.8)
    told: list[tuple[str, int, int]] = []

    def record(*step: Any) -> None:
        told.append(step)

    found = pipeline.evaluate(make_context(config(tmp_path, "good", "bad", "gone"), NOW, progress=record))
    assert {(group.model, str(group.state)) for group in found.judgement.groups if not group.built_in} == {
        ("good", "quiet"),
        ("bad", "firing"),
    }
    assert [failure.model for failure in found.judgement.failures] == ["gone"]
    assert sorted(done for _, done, total in told if total == 3) == [1, 2, 3]
    assert set(found.pulls) == {"good", "bad", "gone"}


def test_a_model_that_was_not_pulled_is_a_failed_source(tmp_path: Path) -> None:
    of = config(tmp_path, "a", "b")
    found = pipeline.add_missing_models(of, {"a": PulledSeries("a", ()), "stranger": PulledSeries("stranger", ())})
    assert list(found) == ["a", "b"]
    assert not found["a"].error
    assert "missing from the series file" in found["b"].error


def test_secrets_are_masked_wherever_they_come_from(tmp_path: Path) -> None:
    secret = "hunter2-hunter2"
    table(tmp_path, "bad", 0.8, 0.8, column=f"plan={secret}/accuracy")
    of = config(tmp_path, "bad", secrets=[secret])
    rule = replace(
        of.models[0].rules[0], segments=(KeyPattern("plan=*/accuracy"),), metric=KeyPattern("plan=*/accuracy")
    )
    of = replace(of, models=(replace(of.models[0], rules=(rule,)),))
    found = pipeline.evaluate(make_context(of, NOW))
    assert secret not in repr(found)
    assert found.pulls["bad"].series[0].labels == (("plan", "***"),)
    assert found.judgement.groups[0].alerts[0].labels == (("plan", "***"),)


def test_nothing_is_applied_where_nothing_is_asked_for(tmp_path: Path) -> None:
    table(tmp_path, "bad", 0.8, 0.8)
    of = config(tmp_path, "bad")
    done = plan_only(of)
    assert done.receipts is None
    assert len(done.digest) == 64


def test_the_files_are_what_was_done(tmp_path: Path) -> None:
    table(tmp_path, "bad", 0.8, 0.8)
    of = config(tmp_path, "bad")
    done = plan_only(of)
    out = tmp_path / "deep" / "out"
    pipeline.write_results(out, done, NOW)
    there = sorted(path.name for path in out.iterdir())
    assert there == [".gitignore", "alerts.json", "plan.json", "series.jsonl", "summary.md"]
    (tmp_path / "own").mkdir()
    pipeline.write_results(tmp_path / "own", done, NOW)
    assert not (tmp_path / "own" / ".gitignore").exists(), "a folder that was there is the user's"
    assert read_file(out / "alerts.json", Judgement) == done.judgement
    assert read_file(out / "plan.json", Plan) == done.plan
    assert [pull.model for pull in read_series(out / "series.jsonl")] == ["bad"]
    applied = replace(done, receipts=Receipts(NOW, done.digest, ()))
    pipeline.write_results(out, applied, NOW)
    assert read_file(out / "receipts.json", Receipts) == applied.receipts


def test_shards_are_gathered_and_lost_ones_told(tmp_path: Path) -> None:
    for name in ("a", "b"):
        table(tmp_path, name, 0.8, 0.8)
        of = config(tmp_path, name)
        done = plan_only(of)
        pipeline.write_results(tmp_path / f"out-{name}", done, NOW)
    folders = [tmp_path / f"out-{name}" for name in ("a", "b", "c")]
    found, missing = merge_shards(folders, 4)
    assert [group.model for group in found.judgement.groups if not group.built_in] == ["a", "b"]
    assert found.receipts is None
    assert len(missing) == 2
    assert "out-c: no alerts.json" in missing[0]
    assert missing[1] == "only 3 of 4 shards left results"


def test_a_baseline_of_a_source_that_is_down_is_an_error(tmp_path: Path) -> None:
    of = config(tmp_path, "gone")
    with pytest.raises(SourceError, match="no such file"):
        history.capture_baseline(make_context(of, NOW), of.models[0], history.BaselinePeriod())


def test_a_baseline_takes_four_weeks_where_nobody_says(tmp_path: Path) -> None:
    table(tmp_path, "a", *[0.5] * 24, *[0.9] * (28 * 24))
    of = config(tmp_path, "a")
    (entry,) = history.capture_baseline(make_context(of, NOW), of.models[0], history.BaselinePeriod()).entries
    assert entry.points == 28 * 24
    assert entry.value == pytest.approx(0.9)
