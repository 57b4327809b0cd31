"""``modelwatch baseline``: reference values from history."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import click

from ..context import RunContext, make_context
from ..errors import Exit, UserError
from ..model.release import PRODUCTION
from ..timeutil import HOUR
from . import LazyGroup
from .options import config_option, now_option, parse_time_option
from .release import model_option, read_model, retry_policy
from .secrets import with_secrets

if TYPE_CHECKING:
    from ..model.monitored_model import Config, Model
    from ..model.release import Registry, Version
    from ..model.rule import BaselineEntry


class BaselineGroup(LazyGroup):
    """Its commands are attributes of their modules, named by the command."""

    table: ClassVar = {
        "capture": ("baseline", "Write what every metric was in a period of history, or a training set."),
        "propose": ("baseline", "Propose the baseline of the version in production, by pull request."),
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

    from .. import history
    from ..config.loader import load_config
    from ..report.formatting import number
    from ..step_files import read_baselines, write_baselines

    config = with_secrets(load_config(config_path, os.environ, require_secrets=False, require_baselines=False))
    model = config.model(name)
    if model is None:
        raise UserError(f"there is no model {name!r}.", where=str(config_path))
    if table is not None:
        return _capture_profile(model, table, out, artifact, version, now)
    if out is None or artifact:
        raise UserError("a baseline from history goes into a file: give --out, and no --artifact.")
    period = history.BaselinePeriod(since, until, wandb_run, version)
    entries = history.capture_baseline(make_context(config, now), model, period)
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

    from ..clients.retry import RetryPolicy
    from ..profiling.readers import open_log
    from ..profiling.reference_store import capture_reference, upload_reference, write_reference
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


_UNSAFE_IN_BRANCH = re.compile(r"[^A-Za-z0-9_.-]+")


@click.command("propose")
@config_option()
@model_option()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Baseline file, within the repository.")
@click.option("--repository", default="", metavar="OWNER/NAME", help="By default GITHUB_REPOSITORY, or the model's.")
@now_option()
def propose(config_path: Path, name: str, out: Path, repository: str, now: float) -> Exit:
    """Capture the reference values of the version in production anew, and propose them by pull request.

    Only once it has served as long as a canary has to (`release: {canary: {length}}`), as one or in production, and
    once for each time that it was put there: to be called after a promotion, and on a schedule.
    """
    from ..release.registry import read_registry
    from .actions_env import write_outputs

    config, model = read_model(config_path, name, read_only=True)
    if out.is_absolute() or ".." in out.parts or out.parts[:1] == (".github",):
        raise UserError(f"{str(out)!r} is not a file within the repository.", hint="For example baselines/churn.json.")
    registry = read_registry(model, os.environ, retry_policy(), makers=False)
    version = registry.holder(PRODUCTION)
    if version is None:
        raise UserError("nothing is in production.", where=registry.artifact)
    since = serving_since(registry, version)
    told, url = _propose(config, model, version, since, out, repository, now)
    click.echo(told)
    write_outputs({"pull-request": url})
    _write_summary(told)
    return Exit.OK


def serving_since(registry: Registry, version: Version) -> float:
    """Since when it has served, as a canary first if it was one; when it was made, where no move tells."""
    put = next((one.at for one in registry.deployments if one.target == version.name), None)
    tried = [one.since for one in registry.canary_periods if one.version == version.name and one.promoted]
    return min([*tried[-1:], put] if put is not None else [version.created])


def _propose(
    config: Config, model: Model, version: Version, since: float, out: Path, repository: str, now: float
) -> tuple[str, str]:
    """What came of it, and the address of the pull request."""
    from ..clients.pull_request import FileProposal, find_pull_request, propose_file
    from ..model.monitored_model import CanarySpec
    from ..step_files import encode_baselines, read_baselines

    least = (model.release.canary if model.release else CanarySpec()).length
    if now - since < least:
        return f"{version.title} has served {(now - since) / HOUR:.1f} of {least / HOUR:g} h: its baseline waits.", ""
    known = read_baselines(out) if out.exists() else ()
    if any(version.is_called(entry.version) and (entry.captured or 0.0) >= since for entry in known):
        return f"{out} holds the baseline of {version.title} already.", ""
    home = repository or os.environ.get("GITHUB_REPOSITORY") or model.github.repository
    context = make_context(config, now)
    github = context.sessions.github(model.github, home)
    branch = f"modelwatch/baseline-{_UNSAFE_IN_BRANCH.sub('-', model.name)[:60]}-{version.name}-{int(since)}"
    there = find_pull_request(github, home, branch)
    if there:
        return f"The baseline of {version.title} was proposed before: {there}", there
    entries = _capture(context, model, version, since)
    merged = {(entry.name, entry.labels): entry for entry in (*known, *entries)}
    content = encode_baselines(tuple(merged[key] for key in sorted(merged))).encode()
    title = f"Baseline of {model.name} {version.title}"
    made = propose_file(
        github, home, FileProposal(branch, out.as_posix(), content, title, _pull_request_body(known, entries, version))
    )
    return f"The baseline of {version.title} is proposed: {made.url}", made.url


def _capture(context: RunContext, model: Model, version: Version, since: float) -> tuple[BaselineEntry, ...]:
    from .. import history

    names = (version.name, version.number, *version.aliases)
    return history.capture_baseline(context, model, history.BaselinePeriod(since, context.now, version_aliases=names))


def _pull_request_body(known: tuple[BaselineEntry, ...], entries: tuple[BaselineEntry, ...], version: Version) -> str:
    """A table of what changes, for whoever decides."""
    from ..report.formatting import number
    from ..report.markdown import code, table

    before = {(entry.name, entry.labels): entry for entry in known}
    rows = []
    for entry in entries:
        old = before.get((entry.name, entry.labels))
        labels = "".join(f" {label}={value}" for label, value in entry.labels)
        rows.append(
            (code(f"{entry.name}{labels}"), number(old.value) if old else "", number(entry.value), number(entry.n))
        )
    text = table(("metric", "before", "now", "n"), rows[:200])
    more = f"\n\n{len(rows) - 200} more." if len(rows) > 200 else ""
    return f"{code(version.title)} is in production. What it measures there becomes the reference:\n\n{text}{more}"


def _write_summary(text: str) -> None:
    if os.environ.get("GITHUB_STEP_SUMMARY"):
        from ..clients.workflow_commands import append_summary
        from ..report.markdown import code
        from .secrets import make_redactor

        append_summary(make_redactor().redact_text(f"{code(text, 600)}\n\n"))
