"""Small configurations for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent

from modelwatch.config.loader import load_config
from modelwatch.errors import ConfigError
from modelwatch.model.monitored_model import Config, Model
from modelwatch.model.rule import Rule

KEY = "0123456789abcdef" * 2
ENV = {"PAGERDUTY_ROUTING_KEY": KEY}
MODEL = """\
name: m
wandb: {entity: e, project: p, version: v}
pagerduty: {routing_key: "${PAGERDUTY_ROUTING_KEY}"}
workflows: {retrain: retrain.yml, rollback: rollback.yml}
"""
RULE = "{name: r, kind: latency, metric: m, tiers: {warning: {above: 1}}}"


def write(folder: Path, text: str, name: str = "modelwatch.yml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text), "utf-8")
    return path


def load(folder: Path, text: str, env: Mapping[str, str] = ENV) -> Config:
    return load_config(write(folder, text), env)


def load_model(folder: Path, keys: str, rules: str = RULE) -> Model:
    """One model with ``keys`` (block YAML) beside the usual ones, and one rule."""
    text = f"{MODEL}{dedent(keys).strip()}\nrules:\n  - {rules}\n"
    return load(folder, "version: 1\nmodels:\n  -\n" + indent(text, "    ")).models[0]


def load_rule(folder: Path, keys: str, metric: str = "eval/accuracy") -> Rule:
    """One rule with ``keys`` (block YAML) beside its name, kind and metric."""
    rule = f"name: r\nkind: accuracy-drop\nmetric: {metric}\n" + dedent(keys).strip()
    text = f"{MODEL}rules:\n  -\n{indent(rule, '    ')}\n"
    return load(folder, "version: 1\nmodels:\n  -\n" + indent(text, "    ")).models[0].rules[0]


def messages(error: ConfigError) -> list[str]:
    return [problem.message for problem in error.problems]
