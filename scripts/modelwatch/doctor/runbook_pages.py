"""Runbooks of the repository: pages that issues and incidents link to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from ..errors import did_you_mean
from ..model.monitored_model import Model
from .setup_check import SetupCheck, report_ok, report_warning

SUBJECT = "runbook"
_STUB = re.compile(r"^(?:\.\.\.|.*: \.\.\.)$", re.MULTILINE)
"""What ``init`` leaves open in its page."""


def check_runbooks(model: Model, root: Path) -> Iterator[SetupCheck]:
    """Each page once that a rule links to in the model's own repository, whose working tree is ``root``."""
    marker = f"/{model.github.repository}/blob/HEAD/"
    pages = dict.fromkeys(unquote(rule.runbook.partition(marker)[2]) for rule in model.rules if marker in rule.runbook)
    for page in pages:
        path = root / page
        if not path.is_file():
            near = [str(other.relative_to(root)) for other in path.parent.glob("*.md")]
            text = f"there is no {path}, which issues and incidents link to."
            yield report_warning(
                SUBJECT, text, did_you_mean(page, near, "Write it, or correct `runbook`."), model=model.name
            )
        elif found := _STUB.search(path.read_text("utf-8", errors="replace")):
            text = f"{path} is unfinished: {found[0]!r}."
            yield report_warning(SUBJECT, text, "Write what the on-call needs to know.", model=model.name)
        else:
            yield report_ok(SUBJECT, f"{path} exists", model=model.name)
