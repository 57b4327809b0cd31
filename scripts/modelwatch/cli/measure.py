"""``modelwatch measure``: prediction logs into W&B metrics."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import Exit, UserError
from .options import config_option, models_option, now_option, parse_time_option, read_config

if TYPE_CHECKING:
    from ..clients.patience import RetryPolicy
    from ..measure.choice import WindowSelection
    from ..model.watched import Model


@click.command("measure")
@config_option()
@models_option()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the full profiles, a file a model.",
)
@click.option("--publish/--no-publish", default=True, show_default=True, help="Write the metrics to W&B.")
@click.option(
    "--since", callback=parse_time_option, help="From this time on, whole windows. Default: what W&B has not yet."
)
@click.option("--until", callback=parse_time_option, help="Only windows that are over by then.")
@click.option(
    "--partition",
    metavar="NAME",
    default="",
    help="The log is one part of the rows, of this name: other parts of the same days are added, this one replaced.",
)
@click.option(
    "--profile",
    "profiles",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    multiple=True,
    help="Instead of the log: a profile that --out wrote elsewhere; several, of distinct rows, are added up.",
)
@now_option()
def measure(
    config_path: Path,
    models: tuple[str, ...],
    out: Path | None,
    publish: bool,
    since: float | None,
    until: float | None,
    partition: str,
    profiles: tuple[Path, ...],
    now: float,
) -> Exit:
    """Count what prediction logs hold, by window, version and segment, and write metrics and profiles to W&B.

    Windows that are not over yet are left for later. Measuring a window again replaces what W&B said of it. Without
    --since those windows are measured of whose day W&B has nothing, and those that `measure: {late}` is longer than.
    """
    import os
    import tempfile

    from ..clients.patience import RetryPolicy
    from ..measure.publish import publish as write
    from ..measure.run import measure
    from ..stats.profile.codec import to_bytes

    config = read_config(config_path, models, read_only=True)  # It pages nobody: the secrets for that may be missing.
    patience = RetryPolicy.from_env(os.environ)
    wanted = [model for model in config.models if model.measure is not None or models]
    _check_options(partition, profiles, len(wanted))
    if not wanted:
        click.echo("No model of this configuration has a `measure:` section: there is nothing to measure.", err=True)
    for model in wanted:
        given = since is not None or until is not None or bool(profiles) or bool(partition)
        choice = _select_windows(model, since, until, partition, publish and not given, now, patience)
        with tempfile.TemporaryDirectory(prefix="modelwatch-measure-") as scratch:
            found = measure(model, now, os.environ, patience, Path(scratch), choice, profiles)
        for note in found.notes:
            click.echo(f"{model.name}: {note}", err=True)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{model.name}.npz").write_bytes(to_bytes(found.profile, {"model": model.name}))
        paths: list[str] = []
        if publish:
            paths = write(model, found.profile, found.rows, os.environ, patience, partition, found.other_partitions)
        click.echo(f"{model.name}: {found.profile.rows} rows, {len(found.rows)} windows.")
        for path in paths:
            click.echo(f"  {path}")
    return Exit.OK


def _select_windows(
    model: Model,
    since: float | None,
    until: float | None,
    partition: str,
    only_new: bool,
    now: float,
    patience: RetryPolicy,
) -> WindowSelection:
    import math
    import os

    from ..measure.choice import WindowSelection
    from ..measure.publish import find_measured_days

    known = find_measured_days(model, os.environ, patience) if only_new else frozenset()
    late = now - model.measure.late if model.measure and known else -math.inf
    first = -math.inf if since is None else since
    return WindowSelection(first, math.inf if until is None else until, known, late, partition)


def _check_options(partition: str, profiles: tuple[Path, ...], models: int) -> None:
    if partition and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}", partition):
        hint = "Letters, digits, `.`, `_` and `-`; at most 50."
        raise UserError(f"{partition!r} is no name of a partition.", hint=hint)
    if profiles and models != 1:
        raise UserError("profiles are of one model.", hint="Name it with --model.")
