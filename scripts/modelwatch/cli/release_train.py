"""``modelwatch release register`` and ``retrain``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import Exit, UserError
from ..model.release import MoveVerb
from .options import read_time
from .release_options import Asked, moving, patience

if TYPE_CHECKING:
    from ..model.watched import Model

_bump = click.option(
    "--bump",
    type=click.Choice(["major", "minor", "patch"]),
    default="minor",
    show_default=True,
    help="Which part of the number goes up: another algorithm, a retraining, a fix.",
)


@click.command("register")
@click.argument("version")
@_bump
@moving
def register(asked: Asked, version: str, bump: str) -> Exit:
    """Make VERSION (v7, or an alias such as latest) the candidate, with the next semantic number as an alias."""
    from ..release.request import MoveRequest

    return asked.make(
        MoveRequest(
            MoveVerb.REGISTER, version, key=asked.key, reason=asked.reason, by=asked.by, issue=asked.issue, bump=bump,
            take_over=asked.take_over,
        )
    )  # fmt: skip


@click.command("retrain")
@_bump
@click.option("--until", callback=read_time, help="End of the data; by default the beginning of today (UTC).")
@moving
def retrain(asked: Asked, bump: str, until: float | None) -> Exit:
    """Run the train command on the newest window of data, then register the version that it logged.

    First the model is evaluated: while a data-quality alert fires, or where W&B cannot tell, nothing is trained. The
    command finds the window in MODELWATCH_WINDOW_START and MODELWATCH_WINDOW_END.
    """
    from ..model.release import MoveState
    from ..release.move import make_move
    from ..release.request import MoveRequest

    spec = asked.model.release
    if spec is None or not spec.train:
        raise UserError(
            "the model has no train command.", hint="Give `release: {train: ...}`.", where=asked.model.where
        )
    _tell_the_last(asked)
    refuse_bad_data(asked)
    end = until if until is not None else asked.now // 86_400.0 * 86_400.0
    wish = MoveRequest(
        MoveVerb.RETRAIN, key=asked.key, reason=asked.reason, by=asked.by, issue=asked.issue, take_over=asked.take_over,
        window=(end - spec.window, end),
    )  # fmt: skip
    trained = make_move(asked.model, wish, asked.env, patience(), asked.now, echo=asked.tell, workspace=Path())
    if trained.state is not MoveState.DONE:
        return asked.show(trained)
    asked.tell(f"The training logged {trained.made}.")
    given = MoveRequest(
        MoveVerb.REGISTER, trained.made, key=f"{trained.key}.register", reason=asked.reason, by=asked.by,
        issue=asked.issue, bump=bump, take_over=asked.take_over,
    )  # fmt: skip
    return asked.make(given)


def _tell_the_last(asked: Asked) -> None:
    """Nothing is refused for it: a schedule and a person know best."""
    from ..release.registry import read_releases
    from ..report.words import utc_time

    trained = [one for one in read_releases(asked.model, asked.env, patience()).moves if one.verb is MoveVerb.RETRAIN]
    every = asked.model.release.every if asked.model.release else ""
    wanted = f" (`release.every` is {every})" if every else ""
    last = f"{utc_time(trained[0].at)}, {trained[0].state}" if trained else "never"
    asked.tell(f"Last retraining: {last}{wanted}.")


def refuse_bad_data(asked: Asked) -> None:
    """UserError while a data-quality group of the model fires; SourceError where its metrics cannot be read."""
    from dataclasses import replace

    from .. import pipeline
    from ..errors import SourceError
    from ..model.alert import AlertState

    config = replace(asked.config, models=(asked.model,))
    judgement = pipeline.judge(config, pipeline.pull(config, asked.now), asked.now)
    if judgement.failures:
        failure = judgement.failures[0]
        raise SourceError(f"whether the data are sound cannot be told: {failure.error}", where=failure.model)
    bad = [one for one in judgement.groups if one.kind == "data-quality" and one.state is AlertState.FIRING]
    if bad:
        raise UserError(
            f"{', '.join(told_of(asked.model, one.rule) for one in bad)} fires: a model trained on bad data is worse"
            " than an old one.",
            hint="Mend the data, or wait until the alert has recovered.",
            where=asked.model.name,
        )


def told_of(model: Model, rule: str) -> str:
    return f"the data-quality alert {rule!r} of {model.name}"
