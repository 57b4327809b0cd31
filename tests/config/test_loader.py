"""Whole configurations: good ones load to exactly this, bad ones say exactly that."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from modelwatch.cli import group as cli
from modelwatch.config.loader import MAX_PROBLEMS, load_config
from modelwatch.errors import ConfigError, Exit
from modelwatch.model.rule import BaselineKind
from modelwatch.runbooks.check import command_problem

from .golden import BAD, ENV, GOOD, PLANTED, golden, loaded, told
from .making import KEY, RULE, load, messages, write


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_configuration_loads_to_its_golden_file(path: Path) -> None:
    assert loaded(path) == golden(path).read_text("utf-8")


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_configuration_tells_every_problem_with_its_place(path: Path) -> None:
    text = told(path)
    assert text == golden(path).read_text("utf-8")
    assert PLANTED not in text
    assert "0123456789abcdef" not in text, "a secret written into the file is never shown"


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_command_that_is_offered_works(path: Path) -> None:
    commands = re.findall(r"`(modelwatch [^`]* --[^`]*)`", told(path))
    assert [command_problem(shlex.split(command), cli) for command in commands] == [""] * len(commands)


def test_no_good_configuration_shows_a_secret() -> None:
    for path in GOOD:
        assert PLANTED not in repr(load_config(path, ENV))


def test_problems_are_a_usage_error() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(BAD[0], ENV)
    assert caught.value.exit_code is Exit.USAGE


def test_every_model_of_a_folder_is_there_in_order_of_its_files() -> None:
    config = load_config(Path(__file__).parent / "good/fleet", {})
    assert [model.name for model in config.models] == ["one", "two"]
    assert config.blast_radius.pages == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [("nowhere.yml", "there is no such file."), ("empty", "the folder holds no *.yml file.")],
)
def test_where_there_is_nothing_to_read(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / name, {})
    assert messages(caught.value) == [message]
    assert "modelwatch init" in caught.value.problems[0].hint


def test_a_device_or_a_pipe_is_no_configuration(tmp_path: Path) -> None:
    """A pull request can make the file a link to a device, which has no end."""
    (tmp_path / "device.yml").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.yml")
    for name in ("device.yml", "pipe.yml"):
        with pytest.raises(ConfigError) as caught:
            load_config(tmp_path / name, {})
        assert messages(caught.value) == ["the file cannot be read: it is a device or a pipe, no regular file."]


def test_many_problems_are_cut_and_counted(tmp_path: Path) -> None:
    text = "version: 1\nmodels:\n" + "  - {}\n" * 60
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert len(caught.value.problems) == MAX_PROBLEMS + 1
    assert messages(caught.value)[-1] == f"... and {60 * 3 - MAX_PROBLEMS} more problems."


MODELS = """\
version: 1
models:
  - {{name: a, wandb: {{entity: e, project: p}}, rules: [{first}, {second}]}}
  - {{name: b, wandb: {{entity: e, project: p}}, rules: [{first}]}}
"""
OTHER = RULE.replace("name: r", "name: s")


def test_the_digest_looks_through_order_comments_and_whitespace(tmp_path: Path) -> None:
    text = MODELS.format(first=RULE, second=OTHER)
    head, first, second = text.split("  - ")
    swapped = f"# a comment\n\n{head}  - {second}\n\n  -   {first}".replace(f"{RULE}, {OTHER}", f"{OTHER},   {RULE}")
    one, two = load(tmp_path, text), load(tmp_path, swapped)
    assert one.digest == two.digest
    assert {rule.digest for rule in one.models[0].rules} == {rule.digest for rule in two.models[1].rules}
    assert one.models[0].name != two.models[0].name


def test_the_digest_is_the_same_wherever_a_checkout_lies(tmp_path: Path) -> None:
    text = f"version: 1\nmodels: [{{name: a, table: {{path: data.csv}}, rules: [{RULE}]}}]\n"
    (tmp_path / "x").mkdir()
    one, two = load(tmp_path, text), load(tmp_path / "x", text)
    assert one.digest == two.digest
    assert one.models[0].table != two.models[0].table


@pytest.mark.parametrize(
    ("old", "new"),
    [("above: 1", "above: 2"), ("name: b", "name: c"), ("project: p", "project: q"), ("metric: m", "metric: n")],
)
def test_the_digest_sees_what_decides(tmp_path: Path, old: str, new: str) -> None:
    text = MODELS.format(first=RULE, second=OTHER)
    assert load(tmp_path, text).digest != load(tmp_path, text.replace(old, new)).digest


def test_the_digest_does_not_depend_on_the_value_of_a_secret(tmp_path: Path) -> None:
    text = f"""\
    version: 1
    models:
      - name: a
        wandb: {{entity: e, project: p}}
        pagerduty: {{routing_key: "${{PAGERDUTY_ROUTING_KEY}}"}}
        rules: [{RULE}]
    """
    one = load(tmp_path, text, {"PAGERDUTY_ROUTING_KEY": KEY})
    two = load(tmp_path, text, {"PAGERDUTY_ROUTING_KEY": "another"})
    without = load_config(tmp_path / "modelwatch.yml", {}, require_secrets=False)
    assert one.digest == two.digest == without.digest
    assert one.digest != load(tmp_path, text.replace("_ROUTING_KEY", "_KEY"), {"PAGERDUTY_KEY": KEY}).digest


def test_without_secrets_a_missing_one_is_a_warning_and_none(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        f"""\
    version: 1
    models:
      - name: a
        wandb: {{entity: "${{TEAM}}", project: p}}
        pagerduty: {{routing_key: "${{PAGERDUTY_ROUTING_KEY}}"}}
        rules: [{RULE}]
    """,
    )
    config = load_config(path, {"PAGERDUTY_ROUTING_KEY": ""}, require_secrets=False)
    assert config.models[0].pagerduty.routing_key is None
    assert [warning.partition(": ")[2] for warning in config.warnings] == [
        "the environment has no TEAM, or it is empty.",
        "the environment has no PAGERDUTY_ROUTING_KEY, or it is empty.",
    ]
    assert config.secrets == ()


def test_tiers_of_the_defaults_that_a_rule_replaces_are_a_warning(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """\
    version: 1
    defaults:
      rule: {tiers: {warning: {above: 112}, error: {above: 150}}}
    models:
      - name: a
        table: {path: x.csv}
        rules:
          - {name: some, kind: latency, metric: m, tiers: {error: {above: 160}}}
          - {name: all, kind: latency, metric: m, tiers: {warning: {above: 1}, error: {above: 2}}}
          - {name: none, kind: latency, metric: m}
    """,
    )
    config = load_config(path, {})
    assert [[str(tier.severity) for tier in rule.tiers] for rule in config.models[0].rules] == [
        ["error"],
        ["warning", "error"],
        ["warning", "error"],
    ]
    (warning,) = config.warnings
    assert warning.endswith(
        ":8:48: this rule has tiers of its own, so warning of the defaults does not apply: state all of them here."
    )


def test_a_baseline_about_to_be_captured_is_a_warning(tmp_path: Path) -> None:
    rule = RULE.replace("tiers:", "baseline: {file: b.json}, tiers:")
    path = write(tmp_path, f"version: 1\nmodels: [{{name: a, table: {{path: x.csv}}, rules: [{rule}]}}]\n")
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(path, {})
    config = load_config(path, {}, require_baselines=False)
    assert config.models[0].rules[0].baseline.kind is BaselineKind.FILE
    assert "does not exist" in config.warnings[0]


def test_paths_start_at_the_file(tmp_path: Path) -> None:
    text = f"version: 1\nmodels: [{{name: a, wandb: {{offline: runs}}, rules: [{RULE}]}}]\n"
    wandb = load(tmp_path, text).models[0].wandb
    assert wandb is not None
    assert wandb.offline == str(tmp_path / "runs")


def test_what_the_environment_of_a_job_says_is_the_default(tmp_path: Path) -> None:
    text = f"version: 1\nmodels: [{{name: a, wandb: {{project: p}}, rules: [{RULE}]}}]\n"
    env = {
        "GITHUB_REPOSITORY": "acme/here",
        "GITHUB_API_URL": "https://ghe.example/api/v3",
        "WANDB_ENTITY": "team",
        "WANDB_BASE_URL": "https://wandb.example/",
    }
    model = load(tmp_path, text, env).models[0]
    assert model.wandb is not None
    assert (model.wandb.entity, model.wandb.base_url) == ("team", "https://wandb.example")
    assert (model.github.repository, model.github.api_url) == ("acme/here", "https://ghe.example/api/v3")
    own = load(tmp_path, text.replace("project: p", "project: p, entity: mine"), env).models[0]
    assert own.wandb is not None
    assert own.wandb.entity == "mine"


@pytest.mark.parametrize("address", ["https://[", "https://[ghe.example]/api/v3", "https://ghe.example]"])
def test_what_is_no_address_is_told(tmp_path: Path, address: str) -> None:
    """Whoever looks for the host in it would fail."""
    text = f"version: 1\nmodels: [{{name: a, table: {{path: x}}, rules: [{RULE}]}}]\n"
    for wrong in (
        text.replace("rules:", f"github: {{api_url: '{address}'}}, rules:"),
        text.replace(RULE, f"{RULE[:-1]}, runbook: '{address}'}}"),
    ):
        with pytest.raises(ConfigError, match="URL"):
            load(tmp_path, wrong)
    assert load(tmp_path, text, {"GITHUB_API_URL": address}).models[0].github.max_inputs == 10
    other = text.replace("rules:", "github: {api_url: 'https://[::1]:8443/api/v3'}, rules:")
    assert load(tmp_path, other).models[0].github.api_url == "https://[::1]:8443/api/v3"


def test_a_runbook_in_the_repository_becomes_a_link(tmp_path: Path) -> None:
    rule = RULE[:-1] + ", runbook: docs/on-call.md}"
    text = f"version: 1\nmodels: [{{name: a, table: {{path: x}}, rules: [{rule}]}}]\n"
    env = {"GITHUB_REPOSITORY": "acme/here", "GITHUB_SERVER_URL": "https://ghe.example"}
    found = load(tmp_path, text, env).models[0].rules[0]
    assert found.runbook == "https://ghe.example/acme/here/blob/HEAD/docs/on-call.md"
    assert found.digest == load(tmp_path, text, {}).models[0].rules[0].digest
