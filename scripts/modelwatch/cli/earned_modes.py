"""``modelwatch scorecard --earned-modes``: the modes that automations have earned, as the text of a pull request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import Exit, UserError
from ..report.earned_modes import changed_modes, pull_request_body, pull_request_title, record_text
from ..report.markdown import plain_line
from ..scorecard.earned_modes import STATED_RULE, judge_modes
from ..scorecard.issues import read_records
from ..scorecard.mode_patch import mode_patch
from .actions_env import write_summary
from .options import print_json

if TYPE_CHECKING:
    from ..context import RunContext
    from ..model.backtest import Marks

NOTHING = "No automation has earned another mode."


def print_modes(context: RunContext, marks: Marks, style: str, patch_path: Path | None) -> Exit:
    """Print the title, the text and the patch of the pull request, and write the patch to ``patch_path``, if any."""
    found = read_records(context, context.now - STATED_RULE.memory)
    records = context.redactor.redact(tuple(found.records))
    modes = context.redactor.redact(judge_modes(context.config, records, context.now, marks, unread=found.unread))
    patch = mode_patch(context.config, modes)
    changed = changed_modes(modes)
    title = pull_request_title(modes) if changed else NOTHING
    body = pull_request_body(modes, patch.diff, patch.by_hand)
    for problem in found.problems:
        click.echo(f"warning: {plain_line(problem, 600)}", err=True)
    if style == "json":
        import msgspec

        texts = {"title": title if changed else "", "body": body, "diff": patch.diff, "by_hand": list(patch.by_hand)}
        print_json({**texts, "modes": msgspec.to_builtins(modes)})
    elif changed:
        click.echo(f"{title}\n\n{body}".rstrip())
    else:
        click.echo(NOTHING)
        for mode in modes:
            click.echo(plain_line(f"{mode.verb} of {mode.model} stays in {mode.mode}: {record_text(mode)}", 600))
    if patch_path is not None:
        try:
            patch_path.write_text(patch.diff, "utf-8")
        except OSError as error:
            raise UserError(f"the patch cannot be written: {error.strerror}.", where=str(patch_path)) from error
    write_summary(lambda: f"## {title}\n\n{body}\n")
    return Exit.PARTIAL if found.unread else Exit.OK
