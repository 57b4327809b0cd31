"""``modelwatch release promote``, ``rollback``, ``degrade``, ``restore`` and ``finish``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..errors import Exit, UserError
from ..model.release import MoveState, MoveVerb
from .options import config_option, now_option
from .release_options import Asked, json_option, model_option, moving

_from = click.option(
    "--from", "serving", default="", metavar="VERSION", help="Refused where another version is in production by now."
)


@click.command("promote")
@click.argument("version")
@moving
def promote(asked: Asked, version: str) -> Exit:
    """Put VERSION (v7, 1.4.0 or an alias such as canary) into production.

    The version before becomes `previous`. Then the deploy command is run; where it fails, the aliases are put back.
    """
    return _make(asked, MoveVerb.PROMOTE, version)


@click.command("rollback")
@click.argument("version", default="")
@click.option("--healthy", multiple=True, metavar="VERSION", help="Known to have been healthy; repeatable.")
@_from
@moving
def rollback(asked: Asked, version: str, healthy: tuple[str, ...], serving: str) -> Exit:
    """Go back to VERSION; without one, to the newest that served, was healthy and does not share the culprit.

    Where --healthy is not given, the history of metrics is asked which versions were, under the rules of today.
    """
    return _make(asked, MoveVerb.ROLLBACK, version or _chosen(asked, healthy), serving)


@click.command("degrade")
@_from
@moving
def degrade(asked: Asked, serving: str) -> Exit:
    """Run the degrade command, which puts something simpler in the model's place, and mark the model as degraded."""
    return _make(asked, MoveVerb.DEGRADE, "", serving)


@click.command("restore")
@moving
def restore(asked: Asked) -> Exit:
    """Run the degrade command with MODELWATCH_VERB=restore: the model serves again."""
    return _make(asked, MoveVerb.RESTORE, "")


@click.command("finish")
@config_option()
@model_option()
@click.option("--take-over", is_flag=True, help="Count whatever is open as abandoned, however lively it looks.")
@json_option()
@now_option()
def finish(config_path: Path, name: str, take_over: bool, as_json: bool, now: float) -> Exit:
    """Finish or undo what was left open, oldest first: finished where its version serves already, else undone.

    Either is success; the exit code is 4 where a command failed.
    """
    from ..release.move import finish_open_moves as end
    from .release_options import patience, show_all

    asked = Asked(config_path, name, "", "", "", "", take_over, as_json, now)
    ended = end(asked.model, asked.env, patience(), now, take_over=take_over, echo=asked.tell)
    show_all(ended, as_json)
    return Exit.PARTIAL if any(made.state is MoveState.FAILED for made in ended) else Exit.OK


def _make(asked: Asked, verb: MoveVerb, target: str, serving: str = "") -> Exit:
    from ..release.request import MoveRequest

    return asked.make(
        MoveRequest(
            verb, target, key=asked.key, reason=asked.reason, by=asked.by, issue=asked.issue, expected_champion=serving,
            take_over=asked.take_over,
        )
    )  # fmt: skip


def _chosen(asked: Asked, healthy: tuple[str, ...]) -> str:
    """The version to go back to; UserError with every refusal where none will do."""
    from ..model.release import PRODUCTION
    from ..planning.target import choose_rollback_target
    from ..release.registry import read_registry
    from .release_options import patience

    registry = read_registry(asked.model, os.environ, patience())
    known = [move for move in registry.moves if asked.key and move.key == asked.key]
    known += [move for move in registry.open_moves if move.verb is MoveVerb.ROLLBACK]
    if known:  # It goes on; choosing anew would go back once more.
        return known[0].target
    failing = registry.holder(PRODUCTION)
    if failing is None:
        raise UserError("nothing is in production: there is nothing to go back from.", where=registry.artifact)
    choice = choose_rollback_target(registry, failing.name, healthy or _were_healthy(asked))
    for title, why in choice.rejected:
        asked.tell(f"not {title}: it {why}")
    if choice.target is None:
        raise UserError(
            "no version will do to go back to.",
            hint="Name one yourself; say with --healthy what was; or use `modelwatch release degrade`.",
            where=registry.artifact,
        )
    return choice.target.name


def _were_healthy(asked: Asked) -> tuple[str, ...]:
    """Model versions that served without a breach of error or worse; none where the history cannot be read."""
    from .. import lookback
    from ..errors import SourceError

    try:
        found = lookback.healthy_versions(asked.config, asked.model, asked.now)
    except SourceError as error:
        asked.tell(f"warning: nobody knows which versions were healthy: {error}")
        return ()
    asked.tell(f"healthy under the rules of today: {', '.join(found) or 'no version that the history knows'}")
    return found
