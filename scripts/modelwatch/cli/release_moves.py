"""``modelwatch release promote``, ``rollback``, ``degrade``, ``restore`` and ``finish``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import Exit, UserError
from ..model.release import CanaryDecision, Move, MoveState, MoveVerb
from ..timeutil import DAY
from .options import config_option, now_option, parse_time_option
from .release import MoveContext, json_option, model_option, move_command, retry_policy

if TYPE_CHECKING:
    from ..model.monitored_model import Model
    from ..model.release import CanaryVerdict
    from ..release.move_request import MoveRequest


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
    from ..release.moves import finish_open_moves as end
    from .release import print_results, retry_policy

    asked = MoveContext(config_path, name, "", "", "", "", take_over, as_json, now)
    ended = end(asked.model, asked.env, retry_policy(), now, take_over=take_over, echo=asked.print_message)
    print_results(ended, as_json)
    return Exit.PARTIAL if any(made.state is MoveState.FAILED for made in ended) else Exit.OK


def _execute(context: MoveContext, verb: MoveVerb, target: str, serving: str = "") -> Exit:
    from ..release.move_request import MoveRequest

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
    from ..release.registry import read_registry
    from ..targets.workflows.rollback_target import choose_rollback_target
    from .release import retry_policy

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
    from .. import history
    from ..errors import SourceError

    try:
        found = history.healthy_versions(context.run, context.model)
    except SourceError as error:
        context.print_message(f"warning: nobody knows which versions were healthy: {error}")
        return ()
    context.print_message(
        f"healthy under the rules of today: {', '.join(found) or 'no version that the history knows'}"
    )
    return found


@click.group("canary")
def canary() -> None:
    """A version that serves part of the traffic beside the champion, watched by the same rules."""


@canary.command("start")
@click.argument("version")
@click.option("--percent", type=click.FloatRange(0, 100, min_open=True), help="Of the traffic; as configured.")
@move_command
def start(context: MoveContext, version: str, percent: float | None) -> Exit:
    """Give VERSION the alias `canary` and run the deploy command with MODELWATCH_PERCENT."""
    spec = context.model.release
    share = percent if percent is not None else spec.canary.percent if spec else None
    return context.execute(_move_request(context, MoveVerb.CANARY, version, share))


@canary.command("abort")
@move_command
def abort(context: MoveContext) -> Exit:
    """Take the canary back: the deploy command is run with MODELWATCH_PERCENT=0."""
    return context.execute(_move_request(context, MoveVerb.ABORT, "", 0.0))


@canary.command("judge")
@click.option("--act", is_flag=True, help="Do what the judgement says: take it back, promote it, or ask a person.")
@move_command
def judge(context: MoveContext, act: bool) -> Exit:
    """Hold the canary against the champion in the same hours, by the model's own rules.

    Says `continue`, `abort`, `promote` or `propose` (a person decides). To be called on a schedule; nothing waits.
    """
    from .. import history
    from ..release.registry import read_registry
    from .release import retry_policy

    verdict = history.judge_canary(context.run, context.model)
    if verdict is None:
        _write_step_outputs("none", "")
        click.echo("{}" if context.as_json else "There is no canary.")
        return Exit.OK
    _print_verdict(context, verdict)
    _write_step_outputs(str(verdict.decision), verdict.version)
    if not act or verdict.decision is CanaryDecision.CONTINUE:
        return Exit.OK
    registry = read_registry(context.model, context.env, retry_policy())
    begun = next(
        (move for move in registry.moves if move.verb is MoveVerb.CANARY and move.target == verdict.version), None
    )
    if verdict.decision is CanaryDecision.PROPOSE:
        return _propose_on_issue(context, verdict, begun)
    return _execute_verdict(context, verdict, begun)


def _execute_verdict(context: MoveContext, verdict: CanaryVerdict, begun: Move | None) -> Exit:
    """The key follows from that of the canary: of two judges who say the same, one acts."""
    verb = MoveVerb.ABORT if verdict.decision is CanaryDecision.ABORT else MoveVerb.PROMOTE
    from ..release.move_request import MoveRequest

    key = context.key or f"{begun.key if begun else verdict.version}.{verb}"
    issue = context.issue or (begun.issue if begun else "")
    target = "" if verb is MoveVerb.ABORT else verdict.version
    percent = 0.0 if verb is MoveVerb.ABORT else None
    request = MoveRequest(
        verb, target, key, verdict.reasons[0], context.by, issue, percent, take_over=context.take_over
    )
    return context.execute(request)


def _propose_on_issue(context: MoveContext, verdict: CanaryVerdict, begun: Move | None) -> Exit:
    """On the issue that the canary belongs to; without one the summary has to do."""
    url = context.issue or (begun.issue if begun else "")
    if not url:
        context.print_message("no issue belongs to this canary: start the workflow `promote` to promote it")
        return Exit.OK
    from ..errors import ServiceError
    from ..report.release_verdicts import canary_markdown
    from ..targets.register.client import comment_once, parse_issue_url
    from ..targets.sessions import open_sessions
    from .secrets import make_redactor

    targets = open_sessions(context.config)
    repository, _ = parse_issue_url(url)
    text = make_redactor().redact_text(canary_markdown(verdict, context.model.name))
    try:
        posted = comment_once(targets.github(context.model.github, repository), url, f"propose.{verdict.version}", text)
    except (ServiceError, UserError) as error:
        context.print_message(f"warning: nobody could be asked on the issue: {error}")
        return Exit.PARTIAL
    context.print_message(f"{'asked' if posted else 'asked before'} on {url}")
    return Exit.OK


def _move_request(context: MoveContext, verb: MoveVerb, target: str, percent: float | None) -> MoveRequest:
    from ..release.move_request import MoveRequest

    return MoveRequest(
        verb,
        target,
        key=context.key,
        reason=context.reason,
        by=context.by,
        issue=context.issue,
        percent=percent,
        take_over=context.take_over,
    )


def _print_verdict(context: MoveContext, verdict: CanaryVerdict) -> None:
    import os

    from ..report.release_verdicts import CANARY_COLUMNS, canary_headline, canary_json, canary_markdown, canary_rows

    if context.as_json:
        import json

        click.echo(json.dumps(canary_json(verdict), indent=2))
    else:
        from .release_status import print_table

        click.echo(canary_headline(verdict))
        for reason in verdict.reasons:
            click.echo(f"- {reason}")
        if verdict.checks:
            print_table(CANARY_COLUMNS, canary_rows(verdict))
    if os.environ.get("GITHUB_STEP_SUMMARY"):
        from ..clients.workflow_commands import append_summary
        from .secrets import make_redactor

        append_summary(make_redactor().redact_text(canary_markdown(verdict, context.model.name)))


def _write_step_outputs(step: str, version: str) -> None:
    from .actions_env import write_outputs

    write_outputs({"step": step, "version": version})


_bump_option = click.option(
    "--bump",
    type=click.Choice(["major", "minor", "patch"]),
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
    from ..release.move_request import MoveRequest

    return context.execute(
        MoveRequest(
            MoveVerb.REGISTER,
            version,
            key=context.key,
            reason=context.reason,
            by=context.by,
            issue=context.issue,
            bump=bump,
            take_over=context.take_over,
        )
    )


@click.command("retrain")
@_bump_option
@click.option("--until", callback=parse_time_option, help="End of the data; by default the beginning of today (UTC).")
@move_command
def retrain(context: MoveContext, bump: str, until: float | None) -> Exit:
    """Run the train command on the newest window of data, then register the version that it logged.

    First the model is evaluated: while a data-quality alert fires, or where W&B cannot tell, nothing is trained. The
    command finds the window in MODELWATCH_WINDOW_START and MODELWATCH_WINDOW_END.
    """
    from ..model.release import MoveState
    from ..release.move_request import MoveRequest
    from ..release.moves import make_move

    spec = context.model.release
    if spec is None or not spec.train:
        raise UserError(
            "the model has no train command.", hint="Give `release: {train: ...}`.", where=context.model.where
        )
    _print_last_retraining(context)
    require_sound_data(context)
    end = until if until is not None else context.now // DAY * DAY
    wish = MoveRequest(
        MoveVerb.RETRAIN,
        key=context.key,
        reason=context.reason,
        by=context.by,
        issue=context.issue,
        take_over=context.take_over,
        window=(end - spec.window, end),
    )
    trained = make_move(
        context.model, wish, context.env, retry_policy(), context.now, echo=context.print_message, workspace=Path()
    )
    if trained.state is not MoveState.DONE:
        return context.print_result(trained)
    context.print_message(f"The training logged {trained.made}.")
    given = MoveRequest(
        MoveVerb.REGISTER,
        trained.made,
        key=f"{trained.key}.register",
        reason=context.reason,
        by=context.by,
        issue=context.issue,
        bump=bump,
        take_over=context.take_over,
    )
    return context.execute(given)


def _print_last_retraining(context: MoveContext) -> None:
    """Nothing is refused for it: a schedule and a person know best."""
    from ..release.registry import read_registry
    from ..report.formatting import utc_time

    trained = [
        one
        for one in read_registry(context.model, context.env, retry_policy(), makers=False).moves
        if one.verb is MoveVerb.RETRAIN
    ]
    every = context.model.release.every if context.model.release else ""
    wanted = f" (`release.every` is {every})" if every else ""
    last = f"{utc_time(trained[0].at)}, {trained[0].state}" if trained else "never"
    context.print_message(f"Last retraining: {last}{wanted}.")


def require_sound_data(context: MoveContext) -> None:
    """UserError while a data-quality group of the model fires; SourceError where its metrics cannot be read."""
    from .. import pipeline
    from ..errors import SourceError
    from ..model.alert import AlertState

    judgement = pipeline.evaluate(context.run.only(context.model)).judgement
    if judgement.failures:
        failure = judgement.failures[0]
        raise SourceError(f"whether the data are sound cannot be told: {failure.error}", where=failure.model)
    bad = [one for one in judgement.groups if one.kind == "data-quality" and one.state is AlertState.FIRING]
    if bad:
        raise UserError(
            f"{', '.join(describe_alert(context.model, one.rule) for one in bad)} fires: a model trained on bad data "
            "is worse"
            " than an old one.",
            hint="Mend the data, or wait until the alert has recovered.",
            where=context.model.name,
        )


def describe_alert(model: Model, rule: str) -> str:
    return f"the data-quality alert {rule!r} of {model.name}"
