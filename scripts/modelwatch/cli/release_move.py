"""``modelwatch release promote``, ``rollback``, ``degrade``, ``restore`` and ``finish``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..errors import Exit, UserError
from ..model.release import MoveState, MoveVerb
from .options import config_option, now_option
from .release_options import MoveContext, json_option, model_option, move_command

_from_option = click.option(
    "--from", "serving", default="", metavar="VERSION", help="Refused where another version is in production by now."
)


@click.command("promote")
@click.argument("version")
@move_command
def promote(context: MoveContext, version: str) -> Exit:
    """Put VERSION (v7, 1.4.0 or an alias such as canary) into production.

    The version before becomes `previous`. Then the deploy command is run; where it fails, the aliases are put back.
    """
    return _execute(context, MoveVerb.PROMOTE, version)


@click.command("rollback")
@click.argument("version", default="")
@click.option("--healthy", multiple=True, metavar="VERSION", help="Known to have been healthy; repeatable.")
@_from_option
@move_command
def rollback(context: MoveContext, version: str, healthy: tuple[str, ...], serving: str) -> Exit:
    """Go back to VERSION; without one, to the newest that served, was healthy and does not share the culprit.

    Where --healthy is not given, the history of metrics is asked which versions were, under the rules of today.
    """
    return _execute(context, MoveVerb.ROLLBACK, version or _choose_rollback_target(context, healthy), serving)


@click.command("degrade")
@_from_option
@move_command
def degrade(context: MoveContext, serving: str) -> Exit:
    """Run the degrade command, which puts something simpler in the model's place, and mark the model as degraded."""
    return _execute(context, MoveVerb.DEGRADE, "", serving)


@click.command("restore")
@move_command
def restore(context: MoveContext) -> Exit:
    """Run the degrade command with MODELWATCH_VERB=restore: the model serves again."""
    return _execute(context, MoveVerb.RESTORE, "")


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
    from .release_options import print_results, retry_policy

    asked = MoveContext(config_path, name, "", "", "", "", take_over, as_json, now)
    ended = end(asked.model, asked.env, retry_policy(), now, take_over=take_over, echo=asked.print_message)
    print_results(ended, as_json)
    return Exit.PARTIAL if any(made.state is MoveState.FAILED for made in ended) else Exit.OK


def _execute(context: MoveContext, verb: MoveVerb, target: str, serving: str = "") -> Exit:
    from ..release.request import MoveRequest

    return context.execute(
        MoveRequest(
            verb,
            target,
            key=context.key,
            reason=context.reason,
            by=context.by,
            issue=context.issue,
            expected_champion=serving,
            take_over=context.take_over,
        )
    )


def _choose_rollback_target(context: MoveContext, healthy: tuple[str, ...]) -> str:
    """The version to go back to; UserError with every refusal where none will do."""
    from ..model.release import PRODUCTION
    from ..planning.target import choose_rollback_target
    from ..release.registry import read_registry
    from .release_options import retry_policy

    registry = read_registry(context.model, os.environ, retry_policy())
    known = [move for move in registry.moves if context.key and move.key == context.key]
    known += [move for move in registry.open_moves if move.verb is MoveVerb.ROLLBACK]
    if known:  # It goes on; choosing anew would go back once more.
        return known[0].target
    failing = registry.holder(PRODUCTION)
    if failing is None:
        raise UserError("nothing is in production: there is nothing to go back from.", where=registry.artifact)
    choice = choose_rollback_target(registry, failing.name, healthy or _healthy_versions(context))
    for title, why in choice.rejected:
        context.print_message(f"not {title}: it {why}")
    if choice.target is None:
        raise UserError(
            "no version will do to go back to.",
            hint="Name one yourself; say with --healthy what was; or use `modelwatch release degrade`.",
            where=registry.artifact,
        )
    return choice.target.name


def _healthy_versions(context: MoveContext) -> tuple[str, ...]:
    """Model versions that served without a breach of error or worse; none where the history cannot be read."""
    from .. import lookback
    from ..errors import SourceError

    try:
        found = lookback.healthy_versions(context.config, context.model, context.now)
    except SourceError as error:
        context.print_message(f"warning: nobody knows which versions were healthy: {error}")
        return ()
    context.print_message(
        f"healthy under the rules of today: {', '.join(found) or 'no version that the history knows'}"
    )
    return found
