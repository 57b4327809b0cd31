"""``modelwatch release register`` and ``retrain``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import Exit, UserError
from ..model.release import MoveVerb
from .options import parse_time_option
from .release_options import MoveContext, move_command, retry_policy

if TYPE_CHECKING:
    from ..model.watched import Model

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
    from ..release.request import MoveRequest

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
    from ..release.move import make_move
    from ..release.request import MoveRequest

    spec = context.model.release
    if spec is None or not spec.train:
        raise UserError(
            "the model has no train command.", hint="Give `release: {train: ...}`.", where=context.model.where
        )
    _print_last_retraining(context)
    require_sound_data(context)
    end = until if until is not None else context.now // 86_400.0 * 86_400.0
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
    from ..release.registry import read_releases
    from ..report.words import utc_time

    trained = [
        one for one in read_releases(context.model, context.env, retry_policy()).moves if one.verb is MoveVerb.RETRAIN
    ]
    every = context.model.release.every if context.model.release else ""
    wanted = f" (`release.every` is {every})" if every else ""
    last = f"{utc_time(trained[0].at)}, {trained[0].state}" if trained else "never"
    context.print_message(f"Last retraining: {last}{wanted}.")


def require_sound_data(context: MoveContext) -> None:
    """UserError while a data-quality group of the model fires; SourceError where its metrics cannot be read."""
    from dataclasses import replace

    from .. import pipeline
    from ..errors import SourceError
    from ..model.alert import AlertState

    config = replace(context.config, models=(context.model,))
    judgement = pipeline.judge(config, pipeline.pull(config, context.now), context.now)
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
