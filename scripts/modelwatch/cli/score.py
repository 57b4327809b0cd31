"""``modelwatch score``: a fixed holdout, scored by the versions that serve, into W&B metrics."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import click

from ..clients.redaction import Redactor
from ..context import RunContext, make_context
from ..errors import CommandError, Exit, UserError
from ..model.monitored_model import Model
from ..model.release import CANDIDATE, PREVIOUS, PRODUCTION, Registry
from ..release.holdout import MemoryLog, ScoringVersion, read_holdout, require_holdout, score_holdout
from ..release.holdout_scores import (
    holdout_scalars,
    publish_scores,
    read_history,
    require_same_holdout,
)
from ..report.formatting import number
from .options import format_option, print_json, read_config, retry_policy, run_options

SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)
"""Names of variables whose values a command must not show."""


@click.command("score")
@run_options
@click.option(
    "--version",
    "names",
    multiple=True,
    metavar="VERSION",
    help="Score this version; repeatable, the one that serves first. By default production, and candidate or previous.",
)
@click.option("--again", is_flag=True, help="Also if these versions were scored today; replaces what was logged.")
@click.option("--publish/--no-publish", default=True, show_default=True, help="Write the scores to W&B.")
@format_option
def score(
    config_path: Path,
    models: tuple[str, ...],
    names: tuple[str, ...],
    again: bool,
    publish: bool,
    style: str,
    now: float,
) -> Exit:
    """Let the versions that serve score a fixed holdout, and write metrics and agreement to W&B.

    Runs `measure: {holdout: {predict: ...}}` for each version. A day and versions have one point, however often this
    is run. A holdout whose rows changed is refused until it has a new name.
    """
    env = dict(os.environ)  # Before the W&B client changes its own settings there.
    config = read_config(config_path, models, read_only=True)
    chosen = [model for model in config.models if models or (model.measure and model.measure.holdout)]
    if not chosen:
        click.echo("No model of this configuration has a `measure: {holdout}`: there is nothing to score.", err=True)
    if names and len(chosen) > 1:
        raise UserError("--version is for one model.", hint="Name it with --model.")
    context = make_context(config, now)
    results = []
    for model in chosen:
        require_holdout(model)
        versions = _named_versions(context, model, names)
        result = _score_model(context, model, versions, again, publish, env, partial(click.echo, err=style == "json"))
        results.append(result)
    if style == "json":
        print_json({"models": results})
    return Exit.PARTIAL if any(result["failed"] for result in results) else Exit.OK


def _score_model(
    context: RunContext,
    model: Model,
    versions: list[ScoringVersion],
    again: bool,
    publish: bool,
    env: Mapping[str, str],
    echo: Callable[[str], None],
) -> dict[str, object]:
    measure, spec = require_holdout(model)
    holdout = read_holdout(spec, measure)
    where = f"{model.where}: measure: {{holdout}}"
    result: dict[str, object] = {"model": model.name, "digest": holdout.digest, "rows": holdout.rows, "failed": []}
    if publish:
        history = read_history(model, measure, versions, env, retry_policy(), context.now)
        require_same_holdout(holdout, history, measure, where)
        if history.done and not again:
            titles = ", ".join(version.title for version in versions)
            echo(f"{model.name}: {titles} scored this holdout today already; --again replaces what was logged.")
            return result | {"scalars": {}, "published": ""}
    redact = _redactor(context, env)
    scored: list[tuple[ScoringVersion, MemoryLog]] = []
    failures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="modelwatch-score-") as scratch:
        for place, version in enumerate(versions):
            try:
                outputs = score_holdout(holdout, model, version, env, Path(scratch) / str(place), redact)
            except CommandError as error:
                if not scored:  # Without the version that serves there is nothing to compare with.
                    raise
                failures.append(str(error))
                click.echo(f"{model.name}: {error}", err=True)
                continue
            scored.append((version, outputs))
        scalars = holdout_scalars(holdout, measure, scored)
    if measure.label not in holdout.table.names():
        echo(f"{model.name}: the holdout has no column {measure.label!r}: agreement only, no metrics.")
    echo(f"{model.name}: {holdout.rows:,} rows, scored by {', '.join(version.title for version, _ in scored)}.")
    for key, value in scalars.items():
        if not key.endswith(("/low", "/high", "_n", "/n")) and "=" not in key:
            echo(f"  {key}: {number(value)}")
    path = ""
    if publish and scalars:
        done = [version for version, _ in scored]
        path = publish_scores(model, measure, holdout, done, scalars, env, retry_policy(), context.now)
        echo(f"  {path}")
    return result | {"scalars": scalars, "published": path, "failed": failures}


def _named_versions(context: RunContext, model: Model, names: tuple[str, ...]) -> list[ScoringVersion]:
    """The versions to score, the one that serves first."""
    if model.release is None:
        if not names:
            hint = "Give --version, or `release: {artifact: ...}`, whose aliases say which version serves."
            raise UserError(f"nothing says which version of {model.name!r} serves.", hint=hint, where=model.where)
        return [ScoringVersion(name, role="" if not place else name) for place, name in enumerate(dict.fromkeys(names))]
    registry = context.read_registry(model, producers=False)
    if not names:
        return _serving_versions(registry, model)
    found: list[ScoringVersion] = []
    for name in names:
        version = registry.version(name)
        if version is None:
            titles = ", ".join(version.title for version in registry.versions[:5]) or "none"
            raise UserError(f"there is no version {name!r}.", hint=f"It has {titles}.", where=registry.artifact)
        role = next((alias for alias in (CANDIDATE, PREVIOUS) if alias in version.aliases), version.name)
        if all(version.name != other.name for other in found):
            found.append(ScoringVersion(version.name, version.number, role if found else ""))
    return found


def _serving_versions(registry: Registry, model: Model) -> list[ScoringVersion]:
    """Production, and the candidate if there is one, else the version that was in production before."""
    serving = registry.holder(PRODUCTION)
    if serving is None:
        hint = "Promote one, or give --version."
        raise UserError(f"no version of {model.name!r} is in production.", hint=hint, where=registry.artifact)
    versions = [ScoringVersion(serving.name, serving.number)]
    for alias in (CANDIDATE, PREVIOUS):
        other = registry.holder(alias)
        if other is not None and other.name != serving.name:
            return [*versions, ScoringVersion(other.name, other.number, alias)]
    return versions


def _redactor(context: RunContext, env: Mapping[str, str]) -> Callable[[str], str]:
    """Masks the configuration's secrets, and the values of variables that are named like secrets."""
    named = Redactor(value for name, value in env.items() if SECRET_NAME.search(name))
    return lambda text: named.redact_text(context.redactor.redact_text(text))
