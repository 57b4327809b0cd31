"""``modelwatch release canary``: start one, judge it, take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..errors import Exit, UserError
from ..model.release import CanaryDecision, Move, MoveVerb
from .release_options import MoveContext, move_command

if TYPE_CHECKING:
    from ..model.release import CanaryVerdict
    from ..release.request import MoveRequest


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
    from .. import lookback
    from ..release.registry import read_registry
    from .release_options import retry_policy

    verdict = lookback.judge_canary(context.config, context.model, context.now)
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
    from ..release.request import MoveRequest

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
    from ..clients.failure import ServiceError
    from ..report.canary import canary_markdown
    from ..targets.connect import open_sessions
    from ..targets.remark import comment_once, parse_issue_url
    from .secrecy import make_redactor

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
    from ..release.request import MoveRequest

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

    from ..report.canary import CANARY_COLUMNS, canary_headline, canary_json, canary_markdown, canary_rows

    if context.as_json:
        import json

        click.echo(json.dumps(canary_json(verdict), indent=2))
    else:
        from .release_look import print_table

        click.echo(canary_headline(verdict))
        for reason in verdict.reasons:
            click.echo(f"- {reason}")
        if verdict.checks:
            print_table(CANARY_COLUMNS, canary_rows(verdict))
    if os.environ.get("GITHUB_STEP_SUMMARY"):
        from ..clients.commands import append_summary
        from .secrecy import make_redactor

        append_summary(make_redactor().redact_text(canary_markdown(verdict, context.model.name)))


def _write_step_outputs(step: str, version: str) -> None:
    from .surroundings import write_outputs

    write_outputs({"step": step, "version": version})
