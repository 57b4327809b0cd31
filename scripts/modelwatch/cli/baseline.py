"""``modelwatch baseline``: reference values from history."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import click

from ..errors import Exit, UserError
from . import LazyGroup
from .options import config_option, now_option, parse_time_option
from .secrecy import with_secrets

if TYPE_CHECKING:
    from ..model.watched import Model


class BaselineGroup(LazyGroup):
    """Its commands are attributes of their modules, named by the command."""

    table: ClassVar = {
        "capture": ("baseline", "Write what every metric was in a period of history, or a training set."),
        "propose": ("baseline_propose", "Propose the baseline of the version in production, by pull request."),
    }


@click.group("baseline", cls=BaselineGroup)
def baseline() -> None:
    """Capture reference values from history."""


@click.command("capture")
@config_option()
@click.option("--model", "name", required=True, help="The model whose baseline file is to be written.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Baseline file to write; entries of other series in it stay.",
)
@click.option("--since", callback=parse_time_option, help="Beginning of the period; by default 28 days before its end.")
@click.option("--until", callback=parse_time_option, help="End of the period; by default now.")
@click.option("--wandb-run", "wandb_run", default="", metavar="ID", help="Only this W&B run, whole.")
@click.option("--version", default="", help="Only points of this model version.")
@click.option(
    "--from-table",
    "table",
    metavar="PATH",
    help="Instead: profile this training set (Parquet or CSV: file, folder or pattern) as the model's `measure:` says.",
)
@click.option(
    "--artifact",
    metavar="ENTITY/PROJECT/NAME",
    help="With --from-table: also a new version of this W&B artifact, which `measure: {reference}` may name.",
)
@now_option()
def capture(
    config_path: Path,
    name: str,
    out: Path | None,
    since: float | None,
    until: float | None,
    wandb_run: str,
    version: str,
    table: str | None,
    artifact: str | None,
    now: float,
) -> Exit:
    """Write value, count, interval, percentiles, version and origin of every metric that the model's rules name."""
    import os

    from .. import lookback
    from ..config.load import load_config
    from ..files import read_baselines, write_baselines
    from ..report.words import number

    config = with_secrets(load_config(config_path, os.environ, require_secrets=False, require_baselines=False))
    model = config.model(name)
    if model is None:
        raise UserError(f"there is no model {name!r}.", where=str(config_path))
    if table is not None:
        return _capture_profile(model, table, out, artifact, version, now)
    if out is None or artifact:
        raise UserError("a baseline from history goes into a file: give --out, and no --artifact.")
    period = lookback.BaselinePeriod(since, until, wandb_run, version)
    entries = lookback.capture_baseline(config, model, period, now)
    known = {(entry.name, entry.labels): entry for entry in (read_baselines(out) if out.exists() else ())}
    known |= {(entry.name, entry.labels): entry for entry in entries}
    out.parent.mkdir(parents=True, exist_ok=True)
    write_baselines(out, tuple(known[key] for key in sorted(known)))
    for entry in entries:
        labels = "".join(f" {label}={value}" for label, value in entry.labels)
        click.echo(f"{entry.name}{labels}: {number(entry.value)} (n = {number(entry.n)}, {entry.points} points)")
    click.echo(f"{out}: {len(entries)} captured, {len(known)} in all.", err=True)
    return Exit.OK


def _capture_profile(
    model: Model, table: str, out: Path | None, artifact: str | None, version: str, now: float
) -> Exit:
    """The reference profile of a training set, which no measurement reads again."""
    import hashlib
    import os

    from ..clients.patience import RetryPolicy
    from ..measure.kept import upload_reference
    from ..measure.reading import open_log
    from ..measure.reference import capture_reference, write_reference
    from ..stats.profile.codec import to_bytes

    if model.measure is None:
        hint = "Give `measure: {files: ..., time: ...}`; it says what the columns mean."
        raise UserError(f"the model {model.name!r} names no prediction log.", hint=hint, where=model.where)
    if out is None and not artifact:
        raise UserError("there is no place for the profile.", hint="Give --out, --artifact or both.")
    if artifact and not re.fullmatch(r"[^/:\s]+/[^/:\s]+/[^/:\s]+", artifact):
        raise UserError(f"{artifact!r} is not the name of a W&B artifact.", hint="entity/project/name, without alias.")
    profile = capture_reference(open_log(table), model.measure)
    about = {"model": model.name, "version": version, "source": table, "captured": now}
    content = write_reference(out, profile, about) if out else to_bytes(profile, about)
    whole = profile.whole()
    digest = hashlib.sha256(content).hexdigest()
    size = f"{whole.rows} rows, {len(whole.columns)} columns, {len(content) // 1024 + 1} KiB, sha256 {digest}."
    if out:
        click.echo(f"{out}: {size}")
    if artifact:
        patience = RetryPolicy.from_env(os.environ)
        click.echo(f"{upload_reference(artifact, content, model, about, os.environ, patience)}: {size}")
    return Exit.OK
