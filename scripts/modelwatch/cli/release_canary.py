"""``modelwatch release canary``: start one, judge it, take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..errors import Exit, UserError
from ..model.release import CanaryDecision, Move, MoveVerb
from .release_options import Asked, moving

if TYPE_CHECKING:
    from ..model.release import CanaryVerdict
    from ..release.request import MoveRequest


@click.group("canary")
def canary() -> None:
    """A version that serves part of the traffic beside the champion, watched by the same rules."""


@canary.command("start")
@click.argument("version")
@click.option("--percent", type=click.FloatRange(0, 100, min_open=True), help="Of the traffic; as configured.")
@moving
def start(asked: Asked, version: str, percent: float | None) -> Exit:
    """Give VERSION the alias `canary` and run the deploy command with MODELWATCH_PERCENT."""
    spec = asked.model.release
    share = percent if percent is not None else spec.canary.percent if spec else None
    return asked.make(_request(asked, MoveVerb.CANARY, version, share))


@canary.command("abort")
@moving
def abort(asked: Asked) -> Exit:
    """Take the canary back: the deploy command is run with MODELWATCH_PERCENT=0."""
    return asked.make(_request(asked, MoveVerb.ABORT, "", 0.0))


@canary.command("judge")
@click.option("--act", is_flag=True, help="Do what the judgement says: take it back, promote it, or ask a person.")
@moving
def judge(asked: Asked, act: bool) -> Exit:
    """Hold the canary against the champion in the same hours, by the model's own rules.

    Says `continue`, `abort`, `promote` or `propose` (a person decides). To be called on a schedule; nothing waits.
    """
    from .. import lookback
    from ..release.registry import read_registry
    from .release_options import patience

    verdict = lookback.judge_canary(asked.config, asked.model, asked.now)
    if verdict is None:
        _leave_step("none", "")
        click.echo("{}" if asked.as_json else "There is no canary.")
        return Exit.OK
    _show(asked, verdict)
    _leave_step(str(verdict.decision), verdict.version)
    if not act or verdict.decision is CanaryDecision.CONTINUE:
        return Exit.OK
    registry = read_registry(asked.model, asked.env, patience())
    begun = next(
        (move for move in registry.moves if move.verb is MoveVerb.CANARY and move.target == verdict.version), None
    )
    if verdict.decision is CanaryDecision.PROPOSE:
        return _ask(asked, verdict, begun)
    return _act(asked, verdict, begun)


def _act(asked: Asked, verdict: CanaryVerdict, begun: Move | None) -> Exit:
    """The key follows from that of the canary: of two judges who say the same, one acts."""
    verb = MoveVerb.ABORT if verdict.decision is CanaryDecision.ABORT else MoveVerb.PROMOTE
    from ..release.request import MoveRequest

    key = asked.key or f"{begun.key if begun else verdict.version}.{verb}"
    issue = asked.issue or (begun.issue if begun else "")
    target = "" if verb is MoveVerb.ABORT else verdict.version
    percent = 0.0 if verb is MoveVerb.ABORT else None
    request = MoveRequest(verb, target, key, verdict.reasons[0], asked.by, issue, percent, take_over=asked.take_over)
    return asked.make(request)


def _ask(asked: Asked, verdict: CanaryVerdict, begun: Move | None) -> Exit:
    """On the issue that the canary belongs to; without one the summary has to do."""
    url = asked.issue or (begun.issue if begun else "")
    if not url:
        asked.tell("no issue belongs to this canary: start the workflow `promote` to promote it")
        return Exit.OK
    from ..clients.failure import ServiceError
    from ..report.canary import canary_markdown
    from ..targets.connect import open_sessions
    from ..targets.remark import comment_once, parse_issue_url
    from .secrecy import redactor

    targets = open_sessions(asked.config)
    repository, _ = parse_issue_url(url)
    text = redactor().redact_text(canary_markdown(verdict, asked.model.name))
    try:
        posted = comment_once(targets.github(asked.model.github, repository), url, f"propose.{verdict.version}", text)
    except (ServiceError, UserError) as error:
        asked.tell(f"warning: nobody could be asked on the issue: {error}")
        return Exit.PARTIAL
    asked.tell(f"{'asked' if posted else 'asked before'} on {url}")
    return Exit.OK


def _request(asked: Asked, verb: MoveVerb, target: str, percent: float | None) -> MoveRequest:
    from ..release.request import MoveRequest

    return MoveRequest(
        verb,
        target,
        key=asked.key,
        reason=asked.reason,
        by=asked.by,
        issue=asked.issue,
        percent=percent,
        take_over=asked.take_over,
    )


def _show(asked: Asked, verdict: CanaryVerdict) -> None:
    import os

    from ..report.canary import CANARY_COLUMNS, canary_headline, canary_json, canary_markdown, canary_rows

    if asked.as_json:
        import json

        click.echo(json.dumps(canary_json(verdict), indent=2))
    else:
        from .release_look import show_table

        click.echo(canary_headline(verdict))
        for reason in verdict.reasons:
            click.echo(f"- {reason}")
        if verdict.checks:
            show_table(CANARY_COLUMNS, canary_rows(verdict))
    if os.environ.get("GITHUB_STEP_SUMMARY"):
        from ..clients.commands import append_summary
        from .secrecy import redactor

        append_summary(redactor().redact_text(canary_markdown(verdict, asked.model.name)))


def _leave_step(step: str, version: str) -> None:
    from .surroundings import leave_outputs

    leave_outputs({"step": step, "version": version})
