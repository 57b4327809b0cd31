"""What version 0.1 wrote is still read: its configuration, plan, alerts, series, and the register in an issue.

The folder ``v0.1`` was written by that version and never changes. The digests are those it computed: a rule whose
digest changed would lose what was proved about its recovery.
"""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from shutil import copytree

import msgspec
import pytest

from modelwatch.config.digest import rule_digest
from modelwatch.config.loader import load_config
from modelwatch.model.alert import Judgement
from modelwatch.model.plan import Plan
from modelwatch.step_files import encode_file, plan_digest, read_file, read_series
from modelwatch.targets.register.codec import parse_body

WRITTEN = Path(__file__).parent / "v0.1"
PLAN_DIGEST = "9b0ea21c99abf797e2f649b8280d2c29ce6907e318104ce2d6c406860e2d009c"
CONFIG_DIGEST = "1697b7b0bd6b4653"
ENV = {
    "PAGERDUTY_ROUTING_KEY": "R0" + "0123456789abcdef" * 2,
    "FRAUD_KEY": "key",
    "FRAUD_TOKEN": "token",
    "GPU": "a100",
}


def test_the_configuration_is_read_and_has_the_same_digests(tmp_path: Path) -> None:
    with chdir(copytree(WRITTEN, tmp_path / "written")):
        path = Path("modelwatch.yml")
        # A check that `quality` did not have then is a rule more.
        path.write_text(path.read_text().replace("    quality:\n", "    quality:\n      files: off\n"))
        config = load_config(path, ENV)
    rules = {f"{model.name}/{rule.name}": rule_digest(rule) for model in config.models for rule in model.rules}

    assert config.digest == CONFIG_DIGEST
    assert rules == msgspec.json.decode((WRITTEN / "digests.json").read_bytes())


def test_the_plan_is_read_and_written_as_it_was() -> None:
    path = WRITTEN / "plan.json"

    assert plan_digest(path.read_bytes()) == PLAN_DIGEST
    assert plan_digest(read_file(path, Plan)) == PLAN_DIGEST
    assert encode_file(read_file(path, Plan)) + "\n" == path.read_text(encoding="utf-8")


def test_the_alerts_are_read_and_written_as_they_were() -> None:
    path = WRITTEN / "alerts.json"

    assert encode_file(read_file(path, Judgement)) + "\n" == path.read_text(encoding="utf-8")


def test_the_series_are_read() -> None:
    (pull,) = read_series(WRITTEN / "series.jsonl")

    assert pull.model == "churn"
    assert {series.name: len(series.times) for series in pull.series} == {"eval/accuracy": 240}


def test_the_register_of_an_issue_is_read() -> None:
    found = parse_body((WRITTEN / "issue.md").read_text(encoding="utf-8"))

    assert found.error == ""
    register = found.register
    assert register is not None
    assert (register.model, register.rule, register.episode, register.severity.value) == (
        "churn",
        "accuracy",
        1,
        "critical",
    )
    assert [(record.verb, record.state.value, record.conclusion) for record in register.dispatches] == [
        ("retrain", "finished", "success"),
        ("rollback", "finished", "success"),
    ]
    assert register.page is not None
    assert register.page.state == "resolved"


@pytest.mark.parametrize("name", ["plan.json", "alerts.json"])
def test_a_newer_format_is_refused(name: str, tmp_path: Path) -> None:
    from modelwatch.errors import UserError

    content = msgspec.json.decode((WRITTEN / name).read_bytes()) | {"format": 99}
    (tmp_path / name).write_bytes(msgspec.json.encode(content))
    kind: type[Plan] | type[Judgement] = Plan if name == "plan.json" else Judgement

    with pytest.raises(UserError, match=r"newer|format"):
        read_file(tmp_path / name, kind)
