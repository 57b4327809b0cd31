"""config, baseline, init, shards, gather and schema."""

from __future__ import annotations

import json

import jsonschema
import pytest

from modelwatch.model.monitored_model import Model, WandbSpec
from modelwatch.shards import MAX_SAME_DATA, split_models

from .world import ERROR, HEALTHY, World


class TestConfig:
    def test_a_good_one(self, world: World) -> None:
        found = world.run("config", "check", now=False)
        assert found.code == 0
        assert found.out.splitlines()[0] == "modelwatch.yml: 1 model, 1 rule, 1 warning, no problem."

    @pytest.mark.parametrize(
        ("chart", "first", "second"),
        [
            (
                "western_electric",
                "once in 183 points (7.6 d at one point every 1h) for each series",
                "9.2. Its budget allows one in 90d: no limit moves it",
            ),
            ("ewma", "at most once in 90d over all series", "about 11.9"),
            (
                "{ewma: {lambda: 0.2, limit: 3}}",
                "once in 1,123 points (46.8 d at one point every 1h) for each series",
                "10.8. Its budget allows one in 90d: without `arl` and `limit` it keeps that, at about 3.21",
            ),
            (
                "{cusum: {arl: 9000}}",
                "once in 9,001 points (375.0 d at one point every 1h) for each series",
                "14.9",
            ),
        ],
    )
    def test_the_false_signals_of_control_charts_are_stated(
        self, world: World, chart: str, first: str, second: str
    ) -> None:
        text = world.read("modelwatch.yml").replace("{drop: 2%, do:", f"{{chart: {chart}, for: 1, do:")
        world.write("modelwatch.yml", text)
        found = world.run("config", "check", now=False)
        method = chart.strip("{").partition(":")[0]
        assert found.out.splitlines()[0] == (
            f"churn / accuracy: the {method} chart of `warning` signals falsely {first}, and finds a change of "
            f"1 standard deviation after {second}."
        )

    def test_all_problems_at_once(self, world: World) -> None:
        text = world.read("modelwatch.yml").replace("every: 1h", "evry: 1h").replace("hold: 2", "hold: none")
        world.write("modelwatch.yml", text)
        found = world.run("config", "check", now=False)
        assert found.code == 2
        assert found.err.count("error: modelwatch.yml:") == 2
        assert "every" in found.err, "did you mean"
        assert found.err.rstrip().endswith("2 problems.")
        assert "::error" not in found.err

    def test_a_missing_file(self, world: World) -> None:
        found = world.run("config", "check", "other.yml", now=False)
        assert found.code == 2
        assert found.err == (
            "error: other.yml: there is no such file. `modelwatch init` writes one; `--config` names another place.\n"
        )

    def test_secrets_are_demanded_only_when_asked_for(self, world: World) -> None:
        world.delenv("PAGERDUTY_ROUTING_KEY")
        assert world.run("config", "check", now=False).code == 0
        assert world.run("config", "check", "--secrets", now=False).code == 2

    @pytest.mark.parametrize(
        ("value", "code", "said"),
        [
            ("json://127.0.0.1:1/room", 0, ""),
            ("not-an-address-at-all", 2, "messages: CHAT_URL holds no address that apprise knows. It has the form"),
            ("", 0, "warning: modelwatch.yml:7:20: the environment has no CHAT_URL, or it is empty."),
        ],
    )
    def test_the_addresses_of_messages(self, world: World, value: str, code: int, said: str) -> None:
        text = world.read("modelwatch.yml")
        world.write("modelwatch.yml", text.replace("    github:", '    messages: {to: "${CHAT_URL}"}\n    github:', 1))
        world.setenv("CHAT_URL", value)
        found = world.run("config", "check", now=False)
        assert found.code == code, found.err
        assert said in found.err
        assert ("2 warnings, no problem." in found.out) == (value == "")
        assert "not-an-address" not in found.err

    def test_a_workflow_that_breaks_the_contract(self, world: World) -> None:
        path = world.folder / ".github/workflows/retrain.yml"
        path.write_text(path.read_text().replace("      reason: {type: string}\n", ""))
        found = world.run("config", "check", now=False)
        assert found.code == 2
        assert "reason" in found.err

    def test_the_schema_accepts_the_configuration(self, world: World) -> None:
        import yaml

        schema = world.run("config", "schema", now=False).json
        jsonschema.validate(yaml.safe_load(world.read("modelwatch.yml")), schema)


class TestSchema:
    @pytest.mark.parametrize("name", ["alerts", "plan", "receipts"])
    def test_files_are_as_published(self, world: World, name: str) -> None:
        world.metrics(HEALTHY, ERROR, ERROR)
        world.at(3)
        world.run("run")
        schema = world.run("schema", name, now=False).json
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(world.load(f"modelwatch-out/{name}.json"), schema)

    def test_check_as_json_is_alerts(self, world: World) -> None:
        world.metrics(HEALTHY, ERROR, ERROR)
        world.at(3)
        jsonschema.validate(world.run("check", "--format", "json").json, world.run("schema", "alerts", now=False).json)

    def test_an_alert_of_a_control_chart_says_what_it_signals(self, world: World) -> None:
        chart = "{chart: {shewhart: {data: p, limit: 3}}, for: 1, do:"
        world.write("modelwatch.yml", world.read("modelwatch.yml").replace("{drop: 5%, do:", chart))
        world.metrics(HEALTHY, HEALTHY, HEALTHY, ERROR)
        world.at(4)
        alerts = world.run("check", "--format", "json").json
        jsonschema.validate(alerts, world.run("schema", "alerts", now=False).json)
        (group,) = (group for group in alerts["groups"] if group["rule"] == "accuracy")
        assert (group["state"], group["severity"]) == ("firing", "error")
        assert group["alerts"][0]["finding"]["signal"] == "shewhart"
        assert "(a point" in world.run("check").out

    def test_each_line_of_series(self, world: World) -> None:
        world.metrics(HEALTHY, ERROR, ERROR)
        world.at(3)
        world.run("pull")
        schema = world.run("schema", "series", now=False).json
        for line in world.read("modelwatch-out/series.jsonl").splitlines():
            jsonschema.validate(json.loads(line), schema)

    def test_another_name(self, world: World) -> None:
        found = world.run("schema", "plans", now=False)
        assert found.code == 2
        assert "Did you mean `plan`?" in found.err


class TestBaseline:
    def test_capture_from_a_period_and_use_it(self, world: World) -> None:
        world.metrics(0.91, 0.92, 0.93, 0.5)
        world.at(4)
        text = world.read("modelwatch.yml").replace("{value: 0.92, n: 100000}", "{file: b.json}")
        world.write("modelwatch.yml", text)
        assert world.run("check").code == 2, "the file is not there yet"
        period = ("--since", "2026-11-20T00:30Z", "--until", "2026-11-20T03:30Z")
        found = world.run("baseline", "capture", "--model", "churn", "--out", "b.json", *period)
        assert found.code == 0
        assert found.out == "eval/accuracy: 0.92 (n = 15,000, 3 points)\n"
        assert "b.json: 1 captured, 1 in total." in found.err
        (entry,) = world.load("b.json")["entries"]
        assert (entry["value"], entry["n"], entry["points"], entry["version"]) == (0.92, 15000.0, 3, "v6")
        jsonschema.validate(world.load("b.json"), world.run("schema", "baseline", now=False).json)
        assert world.run("check").code == 0

    def test_other_entries_stay(self, world: World) -> None:
        world.metrics(0.9)
        world.at(1)
        other = {"name": "eval/f1", "labels": [], "value": 0.5}
        world.write("b.json", json.dumps({"format": 1, "entries": [other]}))
        found = world.run("baseline", "capture", "--model", "churn", "--out", "b.json")
        assert "1 captured, 2 in total" in found.err
        assert [entry["name"] for entry in world.load("b.json")["entries"]] == ["eval/accuracy", "eval/f1"]

    def test_another_model_and_a_source_that_is_down(self, world: World) -> None:
        assert world.run("baseline", "capture", "--model", "nobody", "--out", "b.json").code == 2
        assert world.run("baseline", "capture", "--model", "churn", "--out", "b.json").code == 3
        assert not (world.folder / "b.json").exists()

    def test_a_time_that_is_none(self, world: World) -> None:
        found = world.run("baseline", "capture", "--model", "churn", "--out", "b.json", "--since", "yesterday")
        assert found.code == 2
        assert "'yesterday' is no time" in found.err


class TestShards:
    def fleet(self, world: World, count: int, table: str = "metrics.csv") -> None:
        """``table``: with ``{place}`` a table for each model, which is not read."""
        head, model = world.read("modelwatch.yml").split("models:\n")
        models = "".join(
            model.replace("name: churn", f"name: m{place}").replace("metrics.csv", table.format(place=place))
            for place in range(count)
        )
        world.write("modelwatch.yml", f"{head}models:\n{models}")

    def test_models_are_dealt_out(self, world: World) -> None:
        self.fleet(world, 5)
        assert len(world.run("shards", now=False).json["include"]) == 1, "they read the same data"
        world.config()
        self.fleet(world, 5, "{place}.csv")
        found = world.run("shards", "--max", "2", now=False)
        assert found.json == {"include": [{"shard": "1", "models": "m0 m2 m4"}, {"shard": "2", "models": "m1 m3"}]}
        assert len(world.run("shards", "--max", "256", now=False).json["include"]) == 5

    def test_more_than_a_matrix_takes(self, world: World) -> None:
        assert world.run("shards", "--max", "257", now=False).code == 2

    def test_secrets_are_not_needed_to_split(self, world: World) -> None:
        world.delenv("PAGERDUTY_ROUTING_KEY")
        assert world.run("shards", now=False).code == 0

    def test_gather_tells_one_story(self, world: World) -> None:
        self.fleet(world, 2)
        world.metrics(HEALTHY, ERROR, ERROR)
        world.at(3)
        for shard in ("0", "1"):
            assert world.run("run", "--model", f"m{shard}", "--out", f"out-{shard}").code == 0
        found = world.run("gather", "out-0", "out-1", "--expect", "2", "--out", "all.md", "--exit-code", now=False)
        assert found.code == 11
        assert found.out == "2 firing (2 error)\n"
        assert world.read("all.md").count("open issue") == 2

    def test_a_missing_shard_is_told_with_3(self, world: World) -> None:
        world.metrics(HEALTHY)
        world.at(1)
        world.run("run", "--out", "out-1")
        lost = world.run("gather", "out-1", "out-2", now=False)
        assert lost.code == 3
        assert "out-2: no alerts.json" in lost.err
        assert "1 healthy" in lost.out
        few = world.run("gather", "out-1", "--expect", "3", now=False)
        assert few.code == 3
        assert "only 1 of 3 shards" in few.err
        none = world.run("gather", "nowhere", now=False)
        assert none.code == 3


def test_models_that_can_share_a_cause_stay_in_one_shard() -> None:
    def model(name: str, project: str, *depends_on: str) -> Model:
        return Model(name, (), wandb=WandbSpec("acme", project), depends_on=depends_on)

    alone = [model(f"m{number}", f"p{number}") for number in range(5)]
    assert split_models(alone, 2) == [["m0", "m2", "m4"], ["m1", "m3"]]
    assert split_models(alone, 20) == [["m0"], ["m1"], ["m2"], ["m3"], ["m4"]]
    chain = [model("a", "pa"), model("x", "px"), model("b", "pb", "a"), model("c", "pc", "b"), model("y", "py")]
    assert split_models(chain, 3) == [["a", "b", "c"], ["x"], ["y"]]
    pair = [model("a", "same"), model("x", "px"), model("b", "same"), model("y", "py")]
    assert split_models(pair, 2) == [["a", "b"], ["x", "y"]]
    same = [model(f"s{number}", "same") for number in range(MAX_SAME_DATA + 1)]
    assert split_models([*alone, *same[1:]], 3) == [[one.name for one in same[1:]], *split_models(alone, 2)]
    assert list(map(len, split_models(same, 3))) == [34, 34, 33], "no shard takes all of them"
