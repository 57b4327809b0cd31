"""The patch that would make the modes that records speak for: for people, who decide. Nothing here writes a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from ..backtest.config_patch import ConfigEdit, ConfigPatch, edit_config
from ..model.earned_mode import EarnedMode
from ..model.monitored_model import Config
from ..model.tuning import SettingChange

_PLAIN = re.compile(r"[A-Za-z0-9._-]+")


def mode_patch(config: Config, modes: Sequence[EarnedMode]) -> ConfigPatch:
    """The patch of the modes that are proposed; empty where none is. Raises UserError for a file that cannot be
    read."""
    return edit_config(_edits(config, modes))


def _edits(config: Config, modes: Sequence[EarnedMode]) -> Iterator[ConfigEdit]:
    for verdict in modes:
        model, mode = config.model(verdict.model), verdict.proposed_mode
        workflow = model.workflow(verdict.verb) if model else None
        if model is None or workflow is None or mode is verdict.mode:
            continue
        path, before, after = ("workflows", verdict.verb), str(verdict.mode), str(mode)
        file = workflow.file if _PLAIN.fullmatch(workflow.file) else json.dumps(workflow.file)
        yield ConfigEdit(
            model.where,
            f"workflow {verdict.verb} of {verdict.model}",
            (SettingChange((*path, "mode"), before, after),),
            # A file name alone is the short form of a workflow.
            (SettingChange(path, file, f"{{file: {file}, mode: {after}}}"),) if workflow.file else (),
        )
