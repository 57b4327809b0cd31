"""The patch of the modes that are proposed changes the modes, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from modelwatch.config.loader import load_config
from modelwatch.model.earned_mode import EarnedMode
from modelwatch.model.rule import Mode
from modelwatch.scorecard.mode_patch import mode_patch

from ..config.making import write

CONFIG = """\
version: 1
models:
  - name: churn  # a comment
    wandb: {entity: acme, project: churn-prod}
    workflows: %s
    rules: [{name: latency, kind: latency, metric: p95, tiers: {warning: {above: 1}}}]
"""


def verdict(verb: str, mode: Mode, *, step_back: bool = False) -> EarnedMode:
    following = {Mode.OBSERVE: Mode.PROPOSE, Mode.PROPOSE: Mode.ACT}.get(mode)
    back = Mode.PROPOSE if step_back else None
    return EarnedMode("churn", verb, mode, following, not step_back, 10, 10, 0.7, 1.0, 0, step_back=back)


@pytest.mark.parametrize(
    ("workflows", "mode", "expected"),
    [
        ("{retrain: {file: retrain.yml, mode: propose}}", Mode.PROPOSE, "{retrain: {file: retrain.yml, mode: act}}"),
        ("{retrain: retrain.yml}", Mode.ACT, "{retrain: {file: retrain.yml, mode: propose}}"),
        ("{retrain: {file: retrain.yml}}", Mode.ACT, "{retrain: {mode: propose, file: retrain.yml}}"),
        (
            "\n      retrain:\n        file: retrain.yml # ours\n        mode: observe\n",
            Mode.OBSERVE,
            "\n      retrain:\n        file: retrain.yml # ours\n        mode: propose\n",
        ),
    ],
)
def test_each_way_of_writing_a_workflow(tmp_path: Path, workflows: str, mode: Mode, expected: str) -> None:
    path = write(tmp_path, CONFIG % workflows)
    config = load_config(path, {})
    proposal = verdict("retrain", mode, step_back=mode is Mode.ACT)
    patch = mode_patch(config, [proposal])
    assert patch.by_hand == ()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "modes.patch").write_text(mode_patch(config, [proposal]).diff, "utf-8")
    assert path.read_text("utf-8") == CONFIG % workflows, "nothing writes the file"
    subprocess.run(["git", "apply", "modes.patch"], cwd=tmp_path, check=True)
    assert path.read_text("utf-8") == CONFIG % expected
    workflow = load_config(path, {}).models[0].workflow("retrain")
    assert workflow is not None
    assert workflow.mode is proposal.proposed_mode


def test_two_workflows_of_one_model(tmp_path: Path) -> None:
    path = write(tmp_path, CONFIG % "\n      retrain:\n        file: a.yml\n      rollback: b.yml\n")
    verdicts = [verdict("retrain", Mode.ACT, step_back=True), verdict("rollback", Mode.PROPOSE)]
    (file,) = mode_patch(load_config(path, {}), verdicts).files
    path.write_bytes(file.after)
    (model,) = load_config(path, {}).models
    assert {workflow.name: workflow.mode for workflow in model.workflows} == {
        "retrain": Mode.PROPOSE,
        "rollback": Mode.ACT,
    }


def test_what_comes_from_defaults_is_changed_by_hand(tmp_path: Path) -> None:
    text = (CONFIG % "{}").replace("    workflows: {}\n", "")
    path = write(tmp_path, text.replace("models:", "defaults: {workflows: {retrain: retrain.yml}}\nmodels:"))
    patch = mode_patch(load_config(path, {}), [verdict("retrain", Mode.ACT, step_back=True)])
    assert patch.diff == ""
    (advice,) = patch.by_hand
    assert advice.startswith(
        f"{path}:4:5: change workflow retrain of churn by hand to `workflows.retrain.mode: propose`: "
    )


def test_nothing_is_proposed(tmp_path: Path) -> None:
    path = write(tmp_path, CONFIG % "{retrain: retrain.yml}")
    stays = EarnedMode("churn", "retrain", Mode.ACT, None, False, 10, 10, 0.7, 1.0, 0)
    assert mode_patch(load_config(path, {}), [stays]).diff == ""
