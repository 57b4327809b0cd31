"""``modelwatch doctor``: check a setup from the configuration to the last permission."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from ..clients.environment import workflow_run_url
from ..context import make_context
from ..doctor.configuration import read_configuration
from ..doctor.examination import examine
from ..doctor.setup_check import CheckStatus, SetupCheck, exit_code
from ..errors import Exit
from ..report.console import make_text, open_console, print_table
from ..report.markdown import plain_line
from .options import FOLDER, format_option, path_option, print_json, run_options, select_models

STYLES = {
    CheckStatus.OK: "green",
    CheckStatus.WARNING: "yellow",
    CheckStatus.UNKNOWN: "magenta",
    CheckStatus.PROBLEM: "bold red",
}
COLUMNS = ("status", "check", "model", "found", "what to do")
MAX_LENGTH = 400
"""Characters of a cell."""


@click.command("doctor")
@run_options
@path_option("--root", type=FOLDER, default=".", help="Repository whose workflows and deploy scripts are checked.")
@format_option
def doctor(config_path: Path, models: tuple[str, ...], root: Path, style: str, now: float) -> Exit:
    """Check everything that an evaluation needs, and say of each line what to do. Changes nothing.

    Checked are the configuration (as `config check` does) and placeholder names; the W&B project, its runs, and the
    keys of metrics, counts, versions, times and segments; where baselines come from; what each rule can see; the
    commands and aliases of releases; workflows and their contract; and what the tokens of GitHub and PagerDuty may do,
    labels and people. What a token may write is asked with requests that lack a required part, which a server refuses
    without a change; the routing key, by resolving an alert that does not exist.

    Exit codes: 0 no problem, 2 a problem, 3 W&B is down, 4 GitHub or PagerDuty is down. A missing secret is a problem,
    because `run` needs it.
    """
    config, checks = read_configuration(config_path, os.environ)
    if config is None:
        text = "nothing else was checked, because the configuration cannot be read."
        checks = (*checks, SetupCheck("services", CheckStatus.UNKNOWN, text, "Correct it first."))
    else:
        config = select_models(config, models, config_path) if models else config
        context = make_context(config, now, run_url=workflow_run_url(os.environ))
        checks = (*checks, *examine(context, config_path, root))
    if style == "json":
        print_json({"checks": [_check_json(check) for check in checks], "counts": _counts(checks)})
    else:
        _print_checks(checks)
    return exit_code(checks)


def _check_json(check: SetupCheck) -> dict[str, str]:
    fields = asdict(check)
    del fields["exit_code"]
    return {name: str(value) for name, value in fields.items()}


def _counts(checks: Sequence[SetupCheck]) -> dict[str, int]:
    counts = Counter(check.status for check in checks)
    return {str(status): counts[status] for status in reversed(CheckStatus)}


def _count_text(count: int, status: str) -> str:
    plural = count > 1 and status in (CheckStatus.PROBLEM, CheckStatus.WARNING)
    return f"{count} {status}s" if plural else f"{count} {status}"


def _print_checks(checks: Sequence[SetupCheck]) -> None:
    """One line a check, the most severe first."""
    severities = list(CheckStatus)
    ordered = sorted(checks, key=lambda check: -severities.index(check.status))
    several = len({check.model for check in checks if check.model}) > 1
    print_table(
        COLUMNS,
        [
            (
                make_text(str(check.status), STYLES[check.status]),
                check.subject,
                plain_line(check.model) if several else "",
                plain_line(check.message, MAX_LENGTH),
                plain_line(check.hint, MAX_LENGTH),
            )
            for check in ordered
        ],
    )
    counts = [_count_text(count, status) for status, count in _counts(checks).items() if count]
    open_console().print(make_text(f"\n{', '.join(counts)}"))
