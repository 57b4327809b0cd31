"""``modelwatch release``: what serves, and how that changes. One module a family of commands, imported when asked."""

from __future__ import annotations

from typing import ClassVar

import click

from . import LazyGroup


class ReleaseGroup(LazyGroup):
    """Its commands are attributes of their modules, named by the command."""

    table: ClassVar = {
        "status": ("release_look", "Who is in production, canary, staging, candidate and before; since when, and why."),
        "history": ("release_look", "Every move that was ever made."),
        "diff": ("release_look", "What differs between two versions."),
        "validate": ("release_validate", "Judge a candidate against the champion."),
        "register": ("release_train", "Give a version a number and make it the candidate."),
        "retrain": ("release_train", "Train on the newest data and register what comes out."),
        "canary": ("release_canary", "Start, judge or take back a canary."),
        "promote": ("release_move", "Put a version into production."),
        "rollback": ("release_move", "Go back to a version that was healthy."),
        "degrade": ("release_move", "Put something simpler in the model's place."),
        "restore": ("release_move", "Take the model back after it was degraded."),
        "finish": ("release_move", "Finish or undo whatever was left open."),
    }


@click.group("release", cls=ReleaseGroup)
def release() -> None:
    """Versions, aliases and moves: what serves, and how that changes.

    W&B's aliases are the truth, and every move is a W&B run of its own. A move that was interrupted is finished or
    undone by the next one, or by `finish`. Exit codes: 0 done or already so, 2 refused, 3 W&B is down, 4 the command
    failed or the move could not be ended.
    """
