"""``modelwatch release promote``, ``rollback``, ``canary``, ``retrain``, ...: the commands that move a release."""

from __future__ import annotations

from pathlib import Path

import click

from .. import history, pipeline
from ..errors import Exit, SourceError, SourceNameError, UserError
from ..model.alert import AlertState
from ..model.release import CanaryDecision, CanaryVerdict, Move, MoveState, MoveVerb
from ..release.moves import finish_open_moves
from ..release.registry import read_registry
from ..report.console import print_table
from ..report.formatting import utc_time
from ..report.release_verdicts import CANARY_COLUMNS, canary_headline, canary_json, canary_markdown, canary_rows
from ..timeutil import DAY
from . import CommandGroup
from .actions_env import write_outputs, write_summary
from .options import Choice, config_option, now_option, print_json, retry_policy, time_option
from .release import MoveContext, comment_on_issue, json_option, model_option, move_command, print_moves, read_model
from .release_rollback import find_rollback_target

_from_option = click.option(
    "--from", "serving", default="", metavar="VERSION", help="Refuse if another version is in production by now."
)


@click.command("promote")
@click.argument("version")
@move_command
def promote(context: MoveContext, version: str) -> Exit:
    """Put VERSION (v7, 1.4.0 or an alias such as canary) into production.

    The version that served until now becomes `previous`. If the deploy command fails, the aliases are restored.
    """
    return context.execute(MoveVerb.PROMOTE, version)


@click.command("rollback")
@click.argument("version", default="")
@click.option("--healthy", multiple=True, metavar="VERSION", help="A version on record as healthy; repeatable.")
@click.option("--fallback", is_flag=True, help="If `release.check` refuses VERSION, go to the next one that will do.")
@_from_option
@move_command
def rollback(context: MoveContext, version: str, healthy: tuple[str, ...], fallback: bool, serving: str) -> Exit:
    """Go back to VERSION, by default the newest healthy one that shares neither data nor commit with the present one.

    Without --healthy, today's rules are evaluated on the metric history to find the healthy versions. If the
    configuration has `release.check`, it must accept the version first.
    """
    target = find_rollback_target(context, version, healthy, fallback)
    return context.execute(MoveVerb.ROLLBACK, target, expected_champion=serving)


@click.command("degrade")
@_from_option
@move_command
def degrade(context: MoveContext, serving: str) -> Exit:
    """Run the degrade command, which replaces the model by a simpler fallback, and mark it as degraded.

    A canary ends, too.
    """
    return context.execute(MoveVerb.DEGRADE, expected_champion=serving)


@click.command("restore")
@move_command
def restore(context: MoveContext) -> Exit:
    """Run the degrade command, with MODELWATCH_SERVING that names the champion: the model serves again."""
    return context.execute(MoveVerb.RESTORE)


@click.command("finish")
@config_option
@model_option
@click.option("--take-over", is_flag=True, help="Treat all open moves as abandoned, even if they seem to be running.")
@json_option
@now_option
def finish(config_path: Path, name: str, take_over: bool, as_json: bool, now: float) -> Exit:
    """Finish or undo open moves, oldest first: finish those whose version already serves, undo the others.

    Both count as success; the exit code is 4 if a command failed.
    """
    context = MoveContext(*read_model(config_path, name), now, take_over=take_over, as_json=as_json)
    ended = finish_open_moves(
        context.model, context.env, retry_policy(), now, take_over=take_over, echo=context.print_message
    )
    print_moves(ended, as_json)
    if not ended and not as_json:
        click.echo("No move is open.")
    return Exit.PARTIAL if any(move.state is MoveState.FAILED for move in ended) else Exit.OK


@click.group("canary", cls=CommandGroup)
def canary() -> None:
    """Serve a version to part of the traffic beside the champion, monitored by the same rules."""


@canary.command("start")
@click.argument("version")
@click.option(
    "--percent",
    type=click.FloatRange(0, 100, min_open=True),
    help="Share of the traffic; by default the share that it has, or as configured.",
)
@move_command
def start(context: MoveContext, version: str, percent: float | None) -> Exit:
    """Give VERSION the alias `canary` and run the deploy command with MODELWATCH_SERVING, such as `v2:95 v3:5`.

    Run it again with another --percent to give the canary another share.
    """
    return context.execute(MoveVerb.CANARY, version, percent=percent)


@canary.command("abort")
@move_command
def abort(context: MoveContext) -> Exit:
    """Abort the canary: run the deploy command with MODELWATCH_SERVING, in which the champion has everything."""
    return context.execute(MoveVerb.ABORT, percent=0.0)


@canary.command("judge")
@click.option("--act", is_flag=True, help="Act on the decision: abort, promote, or propose the promotion on the issue.")
@move_command
def judge(context: MoveContext, act: bool) -> Exit:
    """Compare the canary with the champion over the same hours, by the model's own rules.

    Prints `continue`, `abort`, `promote` or `propose` (you decide). Run it on a schedule: it does not wait.
    """
    verdict = history.judge_canary(context.run_context, context.model)
    if verdict is None:
        write_outputs({"step": "none", "version": ""})
        click.echo("{}" if context.as_json else "There is no canary.")
        return Exit.OK
    _print_verdict(context, verdict)
    write_outputs({"step": str(verdict.decision), "version": verdict.version})
    if not act or verdict.decision is CanaryDecision.CONTINUE:
        return Exit.OK
    registry = read_registry(context.model, context.env, retry_policy())
    starts = (move for move in registry.moves if move.verb is MoveVerb.CANARY)
    begun = next((move for move in starts if move.target == verdict.version), None)
    if verdict.decision is CanaryDecision.PROPOSE:
        return _propose_on_issue(context, verdict, begun)
    return _execute_verdict(context, verdict, begun)


def _execute_verdict(context: MoveContext, verdict: CanaryVerdict, begun: Move | None) -> Exit:
    """The key follows from that of the canary: of two judges who say the same, one acts."""
    abort = verdict.decision is CanaryDecision.ABORT
    verb = MoveVerb.ABORT if abort else MoveVerb.PROMOTE
    return context.execute(
        verb,
        "" if abort else verdict.version,
        key=context.key or f"{begun.key if begun else verdict.version}.{verb}",
        reason=verdict.reasons[0],
        issue=context.issue or (begun.issue if begun else ""),
        percent=0.0 if abort else None,
    )


def _propose_on_issue(context: MoveContext, verdict: CanaryVerdict, begun: Move | None) -> Exit:
    """Propose the promotion on the issue that the canary belongs to; without one, only in the summary."""
    issue = context.issue or (begun.issue if begun else "")
    if not issue:
        context.print_message("no issue belongs to this canary: start the workflow `promote` to promote it")
        return Exit.OK
    text, key = canary_markdown(verdict, context.model.name), f"propose.{verdict.version}"
    return comment_on_issue(context.run_context, context.model, issue, key, text, context.print_message)


def _print_verdict(context: MoveContext, verdict: CanaryVerdict) -> None:
    if context.as_json:
        print_json(canary_json(verdict))
    else:
        click.echo(canary_headline(verdict))
        for reason in verdict.reasons:
            click.echo(f"- {reason}")
        if verdict.checks:
            print_table(CANARY_COLUMNS, canary_rows(verdict))
    write_summary(lambda: canary_markdown(verdict, context.model.name))


_bump_option = click.option(
    "--bump",
    type=Choice(["major", "minor", "patch"]),
    default="minor",
    show_default=True,
    help="Which part of the number goes up: another algorithm, a retraining, a fix.",
)


@click.command("register")
@click.argument("version")
@_bump_option
@move_command
def register(context: MoveContext, version: str, bump: str) -> Exit:
    """Make VERSION (v7, or an alias such as latest) the candidate, with the next semantic number as an alias."""
    return context.execute(MoveVerb.REGISTER, version, bump=bump)


@click.command("retrain")
@_bump_option
@time_option("--until", "End of the data; by default the beginning of today (UTC).")
@move_command
def retrain(context: MoveContext, bump: str, until: float | None) -> Exit:
    """Run the train command on the newest window of data, then register the version that it logged.

    First the model is evaluated: while a data-quality alert fires, or where W&B cannot tell, nothing is trained. The
    command finds the window in MODELWATCH_WINDOW_START and MODELWATCH_WINDOW_END.
    """
    spec = context.model.release
    if spec is None or not spec.train:
        hint = "Give `release: {train: ...}`."
        raise UserError("the model has no train command.", hint=hint, where=context.model.where)
    _print_last_retraining(context)
    require_sound_data(context)
    end = until if until is not None else context.now // DAY * DAY
    trained = context.make_move(MoveVerb.RETRAIN, window=(end - spec.window, end))
    if trained.state is not MoveState.DONE:
        return context.print_result(trained)
    context.print_message(f"The training logged {trained.made}.")
    key = f"{trained.key}.register"
    return context.execute(MoveVerb.REGISTER, trained.made, key=key, bump=bump)


def _print_last_retraining(context: MoveContext) -> None:
    """Print it only: nothing is refused because of it."""
    moves = read_registry(context.model, context.env, retry_policy(), producers=False).moves
    trained = [move for move in moves if move.verb is MoveVerb.RETRAIN]
    every = context.model.release.every if context.model.release else ""
    schedule = f" (`release.every` is {every})" if every else ""
    last = f"{utc_time(trained[0].at)}, {trained[0].state}" if trained else "never"
    context.print_message(f"Last retraining: {last}{schedule}.")


def require_sound_data(context: MoveContext) -> None:
    """UserError while a data-quality group of the model fires; SourceError where its metrics cannot be read."""
    judgement = pipeline.evaluate(context.run_context.only(context.model)).judgement
    if judgement.failures:
        failure = judgement.failures[0]
        kind = SourceNameError if failure.scope.is_name else SourceError
        raise kind(f"cannot check whether the data are sound: {failure.error}", where=failure.model)
    firing = [group for group in judgement.groups if group.kind == "data-quality" and group.state is AlertState.FIRING]
    if firing:
        alerts = ", ".join(f"the data-quality alert {group.rule!r} of {context.model.name}" for group in firing)
        hint = "Fix the data, or wait until the alert has recovered."
        message = f"{alerts} fires: a model trained on bad data is worse than an old one."
        raise UserError(message, hint=hint, where=context.model.name)
