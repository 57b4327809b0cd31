"""``modelwatch sensitivity``, and what else says what a rule can see: check, config check, init, the issue."""

from __future__ import annotations

import yaml

from modelwatch.model.alert import Judgement
from modelwatch.step_files import read_file

from .world import CONFIG, HEALTHY, WARNING, World

VAGUE = CONFIG.replace("n: 100000", "n: 300")


def fixed_limits(text: str) -> str:
    """Limits that compare with no baseline."""
    pairs = (("drop: 2%", "below: 0.9"), ("drop: 5%", "below: 0.85"), ("drop: 10%", "below: 0.8"))
    for drop, below in pairs:
        text = text.replace(drop, below)
    return text


class TestSensitivity:
    def test_a_table_of_each_rule_and_tier(self, world: World) -> None:
        world.metrics(*[HEALTHY] * 12)
        world.at(12)
        shown = world.run("sensitivity")
        assert shown.code == 0
        lines = [line.split() for line in shown.out.splitlines() if line.startswith("accuracy")]
        assert [line[1] for line in lines] == ["warning", "error", "critical"]
        assert "cannot see" not in shown.out
        assert world.writes() == []

    def test_advice_where_a_rule_does_not_see_its_own_limit(self, world: World) -> None:
        world.metrics(*[HEALTHY] * 12, n=5)
        world.at(12)
        shown = world.run("sensitivity")
        assert shown.code == 0
        assert "churn: accuracy cannot see its own limit, drop 2 % (warning)" in " ".join(shown.out.split())

    def test_as_json(self, world: World) -> None:
        world.metrics(*[HEALTHY] * 12)
        world.at(12)
        (model,) = world.run("sensitivity", "--format", "json").json["models"]
        (series,) = model["series"]
        assert (model["model"], series["rule"], series["labels"]) == ("churn", "accuracy", [])
        assert [tier["limit"] for tier in series["tiers"]] == [
            {"form": "drop", "value": 0.02},
            {"form": "drop", "value": 0.05},
            {"form": "drop", "value": 0.1},
        ]
        assert series["noise"]["exposure"] == 5000

    def test_static_limits_have_a_line_each(self, world: World) -> None:
        world.config(fixed_limits(CONFIG))
        world.metrics(*[HEALTHY] * 12)
        world.at(12)
        shown = world.run("sensitivity")
        assert shown.code == 0
        text = " ".join(shown.out.split())
        assert "churn: accuracy: warning (below 0.9) is found within a day where the metric is below 0.8" in text
        assert text.count("; the newest week is at 0.9") == 3

    def test_rules_of_which_nothing_is_known(self, world: World) -> None:
        world.config(
            fixed_limits(CONFIG).replace("metric: eval/accuracy", "metric: eval/accuracy\n        interval: none")
        )
        world.metrics(HEALTHY, HEALTHY)
        world.at(2)
        shown = world.run("sensitivity")
        assert shown.code == 0
        assert shown.out.startswith("churn: accuracy: nothing says how sure its points are; `weight` or")

    def test_a_source_that_is_down(self, world: World) -> None:
        (world.folder / "metrics.csv").unlink(missing_ok=True)
        shown = world.run("sensitivity")
        assert shown.code == 3
        assert "churn: source down" in shown.out


class TestNotes:
    def test_check_says_once_that_a_baseline_is_too_uncertain(self, world: World) -> None:
        world.config(VAGUE)
        world.metrics(*[HEALTHY] * 12)
        world.at(12)
        world.run("evaluate")
        shown = " ".join(world.run("check").out.split())
        assert shown.count("accuracy cannot see its own limit") == 1
        assert "its baseline is too uncertain. Raise the limit to" in shown

    def test_nothing_is_said_where_the_limit_is_seen(self, world: World) -> None:
        world.metrics(*[HEALTHY] * 12)
        world.at(12)
        assert "cannot see" not in world.run("check").out

    def test_the_issue_says_what_can_be_seen(self, world: World) -> None:
        world.metrics(HEALTHY, *[WARNING] * 6)
        world.at(7)
        world.run("run")
        (issue,) = world.issues
        assert "| Sensitivity | its limit (drop 2 %) within" in issue.body
        judgement = read_file(world.folder / "modelwatch-out/alerts.json", Judgement)
        (group,) = judgement.firing
        assert group.evidence.sensitivity is not None


class TestBeforeThereIsData:
    def test_config_check_explains_the_budget(self, world: World) -> None:
        shown = world.run("config", "check", now=False).out
        assert (
            "churn: the budget of false alarms is at most 4.1 warnings, 1 page and 0.2 automatic actions a year"
            in shown
        )

    def test_a_budget_of_a_rules_own_and_a_rule_outside_of_it(self, world: World) -> None:
        other = CONFIG.partition("    rules:\n")[2]
        none = other.replace("metric: eval/accuracy", "metric: eval/accuracy\n        interval: none")
        fixed = fixed_limits(none).replace("name: accuracy", "name: fixed")
        vague = none.replace("name: accuracy", "name: vague")
        proven = fixed_limits(other).replace("name: accuracy", "name: proven")
        owned = other.replace("name: accuracy", "name: owned").replace(
            "metric: eval/accuracy", "metric: eval/accuracy\n        false_alarms: {warnings: 30d}"
        )
        world.config(CONFIG + fixed + vague + proven + owned)
        shown = world.run("config", "check", now=False).out
        assert "each of 3 rules has an equal share" in shown
        assert "churn: owned has a budget of its own: at most 12 warnings" in shown
        assert "churn: the budget does not cover fixed: a single window decides." in shown
        assert "churn: the budget cannot hold for vague, whose windows decide alone" in shown

    def test_config_check_at_a_volume(self, world: World) -> None:
        few = world.run("config", "check", "--rows-per-hour", "5", now=False)
        many = world.run("config", "check", "--rows-per-hour", "5000", now=False)
        assert few.code == many.code == 0
        assert "cannot see its own limit" in few.out
        assert "cannot see its own limit" not in many.out
        assert "seen in" in many.out

    def test_init_raises_limits_to_what_can_be_seen(self, world: World) -> None:
        shown = world.run("init", "small", "--rows-per-hour", "20", now=False)
        assert "At 20 rows an hour a week shows drops of" in shown.out
        (rule,) = yaml.safe_load(world.read("small/modelwatch.yml"))["models"][0]["rules"]
        drops = [float(tier["drop"].rstrip("%")) for tier in rule["tiers"].values()]
        assert drops[0] > 2
        assert drops == sorted(drops)

    def test_init_leaves_limits_alone_where_they_can_be_seen(self, world: World) -> None:
        world.run("init", "large", "--rows-per-hour", "5000", now=False)
        world.run("init", "plain", now=False)
        assert world.read("large/modelwatch.yml") == world.read("plain/modelwatch.yml")
