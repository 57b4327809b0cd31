"""Files of rule tests, and configurations for them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent

from modelwatch.config.loader import load_config
from modelwatch.model.monitored_model import Config
from modelwatch.rule_tests.cases import RuleTest
from modelwatch.rule_tests.files import read_test_file

from ..config.making import write

CONFIG = """\
version: 1
models:
  - name: churn
    wandb: {entity: acme, project: churn-prod, version: model_version}
    pagerduty: {routing_key: "${PAGERDUTY_ROUTING_KEY}"}
    github: {repository: acme/churn-model}
    workflows: {retrain: retrain.yml, rollback: {file: rollback.yml, mode: propose}}
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        baseline: {rolling: 28d}
        segments: "eval/region=*/accuracy"
        tiers:
          warning:  {drop: 2%,  do: [issue, retrain]}
          error:    {drop: 5%,  do: [issue, page]}
          critical: {drop: 10%, do: [issue, page, rollback]}
      - name: latency
        kind: latency
        metric: latency/p95
        window: 1h
        tiers: {warning: {above: 300, do: [issue]}}
"""


def config(folder: Path, text: str = CONFIG) -> Config:
    return load_config(write(folder, text), {}, require_secrets=False)


def read(folder: Path, tests: str, text: str = CONFIG) -> tuple[RuleTest, ...]:
    """The tests in ``tests``, a list in YAML, on the rules of ``text``."""
    path = write(folder, "version: 1\ntests:\n" + indent(dedent(tests).strip(), "  ") + "\n", "modelwatch-tests.yml")
    return read_test_file(path).tests(config(folder, text))


def command(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """``modelwatch`` in ``folder``, without secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "modelwatch", *arguments],
        cwd=folder,
        env={**kept, "COLUMNS": "200", **env},
        text=True,
        capture_output=True,
        check=False,
    )
