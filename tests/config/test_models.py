"""A model: defaults, workflows and modes, silences, PagerDuty's regions."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.errors import ConfigError
from modelwatch.model.monitored_model import DEFAULT_INHIBITIONS, PROPOSED_BY_DEFAULT, BuiltInRule, Model
from modelwatch.model.rule import Mode

from .making import RULE, load, load_model, messages

DEFAULTS = """\
version: 1
defaults:
  owner: "@team"
  wandb: {entity: e, version: v}
  github: {repository: acme/fleet, labels: [fleet]}
  workflows: {retrain: retrain.yml, rollback: {file: rollback.yml, mode: act}}
  silences: [{kind: latency, until: 2027-01-01, owner: "@a", reason: everywhere}]
  rule: {kind: latency, window: 12h, tiers: {error: {above: 5}}}
models:
  - name: plain
    wandb: {project: one}
    rules: [{name: r, metric: m}]
  - name: own
    owner: "@other"
    wandb: {project: two, entity: f}
    github: {labels: [own]}
    workflows: {rollback: other.yml}
    silences: [{rule: r, until: 2027-01-01, owner: "@b", reason: here}]
    rules: [{name: r, metric: m, window: 1d, tiers: {warning: {above: 1}}}]
"""


@pytest.mark.parametrize("filters", ["'{'", "'[1]'", "[1]"])
def test_filters_that_are_no_json_object_are_refused(tmp_path: Path, filters: str) -> None:
    with pytest.raises(ConfigError, match="a mapping, or a JSON object"):
        load(tmp_path, DEFAULTS.replace("{project: one}", f"{{project: one, runs: {{filters: {filters}}}}}"))


def test_defaults_are_merged_into_every_model_and_rule(tmp_path: Path) -> None:
    plain, own = load(tmp_path, DEFAULTS).models
    assert (plain.owner, own.owner) == ("@team", "@other")
    assert plain.wandb is not None
    assert own.wandb is not None
    assert (plain.wandb.entity, plain.wandb.project, plain.wandb.version) == ("e", "one", "v")
    assert (own.wandb.entity, own.wandb.project, own.wandb.version) == ("f", "two", "v")
    assert (plain.github.labels, own.github.labels) == (("fleet",), ("own",))
    assert own.github.repository == "acme/fleet"
    assert [(flow.name, flow.file, flow.mode) for flow in own.workflows] == [
        ("rollback", "other.yml", Mode.PROPOSE),
        ("retrain", "retrain.yml", Mode.ACT),
    ]
    assert [silence.reason for silence in plain.silences] == ["everywhere"]
    assert [silence.reason for silence in own.silences] == ["everywhere", "here"]
    assert (plain.rules[0].window, own.rules[0].window) == (12 * 3600, 24 * 3600)
    assert [str(tier.severity) for tier in own.rules[0].tiers] == ["warning"], "tiers are replaced as a whole"


def test_a_mistake_in_the_defaults_is_told_once(tmp_path: Path) -> None:
    text = DEFAULTS.replace("window: 12h", "window: soon, nmae: x").replace('owner: "@team"', "ownr: x")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert messages(caught.value) == [
        "`ownr` is not a key of the defaults.",
        "`soon` is not a duration such as 30m, 24h or 7d.",
        "`nmae` is not a key of the rule defaults.",
    ]


def modes(model: Model) -> dict[str, Mode]:
    return {workflow.name: workflow.mode for workflow in model.workflows}


def test_what_cannot_be_undone_is_proposed_by_default(tmp_path: Path) -> None:
    verbs = "{retrain: a.yml, tune: b.yml, rollback: c.yml, degrade: d.yml, promote: e.yml}"
    text = f"version: 1\nmodels: [{{name: m, table: {{path: x}}, workflows: {verbs}, rules: [{RULE}]}}]\n"
    model = load(tmp_path, text).models[0]
    assert {verb for verb, mode in modes(model).items() if mode is Mode.PROPOSE} == PROPOSED_BY_DEFAULT
    assert {mode for verb, mode in modes(model).items() if verb not in PROPOSED_BY_DEFAULT} == {Mode.ACT}
    assert (model.issue_mode, model.page_mode) == (Mode.ACT, Mode.ACT)


def test_modes_of_a_model_and_of_one_workflow(tmp_path: Path) -> None:
    keys = "modes: {issue: observe, page: propose, retrain: observe, rollback: act}"
    model = load_model(tmp_path, keys)
    assert modes(model) == {"retrain": Mode.OBSERVE, "rollback": Mode.ACT}
    assert (model.issue_mode, model.page_mode) == (Mode.OBSERVE, Mode.PROPOSE)
    text = f"""\
    version: 1
    models:
      - name: m
        table: {{path: x}}
        workflows: {{retrain: {{file: a.yml, mode: propose}}}}
        modes: {{retrain: observe}}
        rules: [{RULE}]
    """
    assert modes(load(tmp_path, text).models[0]) == {"retrain": Mode.PROPOSE}


@pytest.mark.parametrize(
    ("region", "events", "api"),
    [
        ("us", "https://events.pagerduty.com", "https://api.pagerduty.com"),
        ("eu", "https://events.eu.pagerduty.com", "https://api.eu.pagerduty.com"),
    ],
)
def test_the_region_names_both_addresses(tmp_path: Path, region: str, events: str, api: str) -> None:
    text = f"version: 1\nmodels: [{{name: m, table: {{path: x}}, pagerduty: {{region: {region}}}, rules: [{RULE}]}}]\n"
    pagerduty = load(tmp_path, text).models[0].pagerduty
    assert (pagerduty.events_url, pagerduty.api_url) == (events, api)


def test_inhibitions_are_added_to_the_usual_ones(tmp_path: Path) -> None:
    model = load_model(tmp_path, "inhibit: [{source: {kind: latency}, target: {rule: r}}]")
    assert model.inhibitions[: len(DEFAULT_INHIBITIONS)] == DEFAULT_INHIBITIONS
    assert model.inhibitions[-1].target.rule == "r"


def test_a_recurring_silence(tmp_path: Path) -> None:
    every = "{days: [sun, fri], from: '22:00', to: '06:00'}"
    keys = f"silences: [{{rule: r, until: 2027-01-01, owner: '@a', reason: quiet, every: {every}}}]"
    window = load_model(tmp_path, keys).silences[0].window
    assert window is not None
    assert (window.days, window.start, window.end) == ((4, 6), 22 * 3600, 6 * 3600)


@pytest.mark.parametrize("missing", ["until: 2027-01-01, ", "owner: '@a', ", "reason: why"])
def test_a_silence_needs_an_end_an_owner_and_a_reason(tmp_path: Path, missing: str) -> None:
    silence = "{rule: r, until: 2027-01-01, owner: '@a', reason: why}".replace(missing, "")
    with pytest.raises(ConfigError) as caught:
        load_model(tmp_path, f"silences: [{silence}]")
    assert [f"needs `{missing.partition(':')[0]}`" in message for message in messages(caught.value)] == [True]


def test_built_in_findings(tmp_path: Path) -> None:
    usual = load_model(tmp_path, "")
    assert (usual.silent, usual.gone) == (BuiltInRule(), BuiltInRule())
    assert usual.improvement.do == ()
    assert load_model(tmp_path, "silent: {do: page}").silent.do == ("issue", "page")


@pytest.mark.parametrize(
    "keys", ["rules: [{name: r, kind: latency, metric: m, tiers: {error: {above: 1, do: page}}}]",
             "silent: {do: [page]}\n    rules: [{name: r, kind: latency, metric: m, tiers: {error: {above: 1}}}]"]
)  # fmt: skip
def test_who_pages_needs_somewhere_to_send_it(tmp_path: Path, keys: str) -> None:
    with pytest.raises(ConfigError, match=r"pages, and the model has no `pagerduty\.routing_key`"):
        load(tmp_path, f"version: 1\nmodels:\n  - name: m\n    table: {{path: x}}\n    {keys}\n")


@pytest.mark.parametrize("rule", ["baseline: {version: previous}", "overrides: {v2: {error: {above: 3}}}"])
def test_a_rule_about_versions_needs_to_know_them(tmp_path: Path, rule: str) -> None:
    text = f"version: 1\nmodels: [{{name: m, table: {{path: x}}, rules: [{RULE[:-1]}, {rule}}}]}}]\n"
    with pytest.raises(ConfigError, match="needs model versions, and the source names none"):
        load(tmp_path, text)
    load(tmp_path, text.replace("path: x", "path: x, version: v"))


def test_history_must_reach_back_far_enough(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`history` is too short for the rule `r`, which looks back 9d"):
        load_model(tmp_path, "history: 7d", RULE[:-1] + ", window: 7d, every: 1d}")
