"""``modelwatch measure``: prediction logs into W&B metrics."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import Exit
from .options import config_option, models_option, now_option, read_config


@click.command("measure")
@config_option()
@models_option()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the full profiles, a file a model.",
)
@click.option("--publish/--no-publish", default=True, show_default=True, help="Write the metrics to W&B.")
@now_option()
def command(config_path: Path, models: tuple[str, ...], out: Path | None, publish: bool, now: float) -> Exit:
    """Count what prediction logs hold, by window, version and segment, and write metrics and profiles to W&B.

    Windows that are not over yet are left for later. Measuring a window again replaces what W&B said of it.
    """
    import os
    import tempfile

    from ..clients.patience import Patience
    from ..measure.publish import publish as write
    from ..measure.run import measure
    from ..stats.profile.codec import to_bytes

    config = read_config(config_path, models)
    patience = Patience.from_env(os.environ)
    for model in config.models:
        if model.measure is None and not models:
            continue
        with tempfile.TemporaryDirectory(prefix="modelwatch-measure-") as scratch:
            found = measure(model, now, os.environ, patience, Path(scratch))
        for note in found.notes:
            click.echo(f"{model.name}: {note}", err=True)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{model.name}.npz").write_bytes(to_bytes(found.profile, {"model": model.name}))
        paths = write(model, found.profile, list(found.rows), os.environ, patience) if publish else []
        click.echo(f"{model.name}: {found.profile.rows} rows, {len(found.rows)} windows.")
        for path in paths:
            click.echo(f"  {path}")
    return Exit.OK
