"""``modelwatch baseline``: captures reference values, and proposes new ones by pull request."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import history
from ..clients.pull_request import FileProposal, find_pull_request, propose_file
from ..config.baselines import MAX_BASELINE_BYTES, read_profile_header
from ..config.loader import load_config
from ..context import make_context
from ..errors import Exit, SourceError, UserError
from ..evaluate.baseline_capture import origin_of
from ..model.baseline_origin import foreign_origin
from ..model.monitored_model import CanarySpec, Config, Model
from ..model.release import PRODUCTION, Registry, Version
from ..profiling.measure import omitted_column_notes, text_number_notes
from ..profiling.readers import open_log
from ..profiling.reference_store import (
    capture_metrics,
    capture_reference,
    describe_columns,
    reference_notes,
    upload_reference,
    write_reference,
)
from ..regular_file import read_regular_file
from ..release.move_request import NOTHING_PROMOTED_HINT
from ..release.registry import read_registry
from ..report.formatting import number
from ..report.markdown import bullet_list, code, table
from ..stats.profile.codec import to_bytes
from ..step_files import encode_baselines, read_baselines, write_baselines
from ..timeutil import HOUR
from . import CommandGroup
from .actions_env import write_outputs, write_summary
from .baseline_accept import accept
from .options import (
    config_option,
    format_option,
    now_option,
    path_option,
    print_json,
    retry_policy,
    select_models,
    time_option,
)
from .release import model_option, read_model
from .runner import one_line

if TYPE_CHECKING:
    from ..model.rule import BaselineEntry


@click.group("baseline", cls=CommandGroup)
def baseline() -> None:
    """Capture baselines from history, or propose new ones by pull request."""


@baseline.command("capture", short_help="Write reference values from a period of history, or from a training set.")
@config_option
@click.option("--model", "name", required=True, help="The model whose baseline file is written.")
@path_option("--out", help="Baseline file to write; it keeps entries of other series.")
@time_option("--since", "Beginning of the period; by default 28 days before its end.")
@time_option("--until", "End of the period; by default now.")
@click.option("--wandb-run", "wandb_run", default="", metavar="ID", help="Read only this W&B run.")
@click.option("--version", default="", help="Use only points of this model version.")
@click.option(
    "--from-table",
    "table",
    metavar="PATH",
    help="Profile this training set instead (Parquet or CSV: file, folder or pattern), by the model's `measure:`.",
)
@click.option(
    "--artifact",
    metavar="ENTITY/PROJECT/NAME",
    help="With --from-table: also log a version of this W&B artifact, for `measure: {reference}`.",
)
@click.option("--force", is_flag=True, help="Let other models and sources use it; overwrite what is another's.")
@format_option
@now_option
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
    force: bool,
    style: str,
    now: float,
) -> Exit:
    """Write value, count, interval, percentiles, version and source of every metric in the model's rules."""
    config = load_config(config_path, os.environ, require_secrets=False, require_baselines=False)
    model = select_models(config, (name,), config_path).models[0]
    if table is not None:
        return _capture_profile(model, table, out, artifact, version, force, style, now)
    if out is None or artifact:
        raise UserError("a baseline from history needs --out, and takes no --artifact.")
    if since is not None and until is not None and until <= since:
        raise UserError("--until is not later than --since.", hint="The period goes from --since to --until.")
    period = history.BaselinePeriod(since, until, wandb_run, version)
    context = make_context(config, now)
    captured = history.capture_baseline(context, model, period)
    entries = tuple(replace(entry, shared=force) for entry in captured.entries)
    known = read_baselines(out) if out.exists() else ()
    if not force:
        _refuse_foreign_values(model, known, out)
    merged = _merge(model, known, entries)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_baselines(out, merged)
    for doubt in (*captured.doubts, *history.incidents_within(context, model, *history.period_bounds(period, now))):
        click.echo(f"{click.style('warning', fg='yellow')}: {one_line(doubt)}", err=True)
    if style == "json":
        print_json({"file": str(out), "captured": [asdict(entry) for entry in entries], "total": len(merged)})
        return Exit.OK
    for entry in entries:
        click.echo(f"{_title(entry)}: {number(entry.value)} (n = {number(entry.n)}, {entry.points:,} points)")
    click.echo(f"{out}: {len(entries)} captured, {len(merged)} in total.", err=True)
    return Exit.OK


def _refuse_foreign_values(model: Model, known: Iterable[BaselineEntry], out: Path) -> None:
    """Raises UserError where the file holds values of another model."""
    other = next((entry.model for entry in known if entry.model not in ("", model.name)), "")
    if other:
        hint = "Give --out another file for each model, or --force to keep both in one."
        raise UserError(f"this file holds values of the model {other}.", hint=hint, where=str(out))


def _merge(
    model: Model, known: tuple[BaselineEntry, ...], entries: tuple[BaselineEntry, ...]
) -> tuple[BaselineEntry, ...]:
    """``known``, in which ``entries`` replace those of the same series, in order of name and labels. What the model had
    from another source is left out: it would be refused."""
    own = origin_of(model)
    kept = [
        entry
        for entry in known
        if entry.shared or entry.model != model.name or not foreign_origin(model.name, own, entry.model, entry.source)
    ]
    merged = {(entry.name, entry.labels): entry for entry in (*kept, *entries)}
    if left := len({(entry.name, entry.labels) for entry in known} - set(merged)):
        click.echo(f"{left} value{'' if left == 1 else 's'} of another source left out.", err=True)
    return tuple(merged[key] for key in sorted(merged))


def _title(entry: BaselineEntry) -> str:
    return entry.name + "".join(f" {label}={value}" for label, value in entry.labels)


def _capture_profile(
    model: Model, table: str, out: Path | None, artifact: str | None, version: str, force: bool, style: str, now: float
) -> Exit:
    """Write the reference profile of a training set, so that no measurement reads the set again."""
    if model.measure is None:
        hint = "Give `measure: {files: ..., time: ...}`; it says what the columns mean."
        raise UserError(f"the model {model.name!r} names no prediction log.", hint=hint, where=model.where)
    if out is None and not artifact:
        raise UserError("there is no place for the profile.", hint="Give --out, --artifact or both.")
    if artifact and not re.fullmatch(r"[^/:\s]+/[^/:\s]+/[^/:\s]+", artifact):
        raise UserError(f"{artifact!r} is not the name of a W&B artifact.", hint="entity/project/name, without alias.")
    if out is not None and out.exists() and not force:
        _refuse_foreign_profile(model, out)
    try:
        log = open_log(table)
    except SourceError as error:
        hint = error.hint.replace("`measure: {files}`", "--from-table")
        raise UserError(error.message, hint=hint, where=error.where) from error
    for note in reference_notes(log, model.measure):
        click.echo(f"{table}: {note}", err=True)
    profile, omitted = capture_reference(log, model.measure)
    metadata: dict[str, Any] = {"model": model.name, "version": version, "source": table, "captured": now}
    if force:
        metadata["shared"] = True
    entries = [
        replace(entry, model=model.name, version=version, source=table, captured=now)
        for entry in capture_metrics(log, model.measure, model.rules)
    ]
    about = {**metadata, "entries": [asdict(entry) for entry in entries]} if entries else metadata
    content = write_reference(out, profile, about) if out else to_bytes(profile, about)
    summary = profile.whole()
    for note in (*text_number_notes(summary), *omitted_column_notes(omitted)):
        click.echo(f"{table}: {note}", err=True)
    digest = hashlib.sha256(content).hexdigest()
    size = f"{summary.rows:,} rows, {len(summary.columns)} columns, {len(content) // 1024 + 1} KiB, sha256 {digest}."
    uploaded = upload_reference(artifact, content, model, metadata, os.environ, retry_policy()) if artifact else ""
    if style == "json":
        counts = {"rows": summary.rows, "columns": list(describe_columns(summary)), "sha256": digest}
        counts["metrics"] = [asdict(entry) for entry in entries]
        print_json({"file": str(out) if out else "", "artifact": uploaded, **counts})
        return Exit.OK
    if out:
        click.echo(f"{out}: {size}")
    if uploaded:
        click.echo(f"{uploaded}: {size}")
    for entry in entries:
        click.echo(f"  {_title(entry)}: {number(entry.value)} (n = {number(entry.n)})")
    for line in describe_columns(summary):
        click.echo(f"  {line}")
    return Exit.OK


def _refuse_foreign_profile(model: Model, out: Path) -> None:
    """Raises UserError where the file is the profile of another model."""
    header = read_profile_header(read_regular_file(out, MAX_BASELINE_BYTES))
    other = header.model if not isinstance(header, str) else ""
    if other not in ("", model.name):
        hint = "Give --out another file, or --force to overwrite it."
        raise UserError(f"this is the profile of the model {other}.", hint=hint, where=str(out))


_UNSAFE_IN_BRANCH = re.compile(r"[^A-Za-z0-9_.-]+")


@baseline.command("propose", short_help="Propose the baseline of the version in production, by pull request.")
@config_option
@model_option
@path_option("--out", required=True, help="Baseline file, within the repository.")
@click.option("--repository", default="", metavar="OWNER/NAME", help="By default GITHUB_REPOSITORY, or the model's.")
@format_option
@now_option
def propose(config_path: Path, name: str, out: Path, repository: str, style: str, now: float) -> Exit:
    """Capture new reference values of the version in production, and propose them by pull request.

    Waits until the version has served as long as a canary must (`release: {canary: {length}}`), and proposes once for
    each deployment. Run it after a promotion, and on a schedule.
    """
    config, model = read_model(config_path, name)
    if out.is_absolute() or ".." in out.parts or out.parts[:1] == (".github",):
        raise UserError(f"{str(out)!r} is not a file within the repository.", hint="For example baselines/churn.json.")
    registry = read_registry(model, os.environ, retry_policy(), producers=False)
    version = registry.holder(PRODUCTION)
    if version is None:
        raise UserError("nothing is in production.", hint=NOTHING_PROMOTED_HINT, where=registry.artifact)
    since = serving_since(registry, version)
    text, url = _propose(config, model, version, since, out, repository, now)
    if style == "json":
        print_json({"result": text, "pull_request": url})
    else:
        click.echo(text)
    write_outputs({"pull-request": url})
    write_summary(lambda: f"{code(text, 600)}\n\n")
    return Exit.OK


def serving_since(registry: Registry, version: Version) -> float:
    """Since when the version has served, including as a canary; its creation where no move is recorded."""
    deployed_at = next((move.at for move in registry.deployments if move.target == version.name), None)
    canary_starts = [
        period.since for period in registry.canary_periods if period.version == version.name and period.promoted
    ]
    return min([*canary_starts[-1:], deployed_at] if deployed_at is not None else [version.created])


def _propose(
    config: Config, model: Model, version: Version, since: float, out: Path, repository: str, now: float
) -> tuple[str, str]:
    """The result as text, and the address of the pull request."""
    length = (model.release.canary if model.release else CanarySpec()).length
    if now - since < length:
        return f"{version.title} has served {(now - since) / HOUR:.1f} of {length / HOUR:g} h: its baseline waits.", ""
    known = read_baselines(out) if out.exists() else ()
    if any(version.is_called(entry.version) and (entry.captured or 0.0) >= since for entry in known):
        return f"{out} holds the baseline of {version.title} already.", ""
    home = repository or os.environ.get("GITHUB_REPOSITORY") or model.github.repository
    context = make_context(config, now)
    github = context.sessions.github(model.github, home)
    branch = f"modelwatch/baseline-{_UNSAFE_IN_BRANCH.sub('-', model.name)[:60]}-{version.name}-{int(since)}"
    existing = find_pull_request(github, home, branch)
    if existing:
        return f"The baseline of {version.title} was proposed before: {existing}", existing
    names = (version.name, version.number, *version.aliases)
    period = history.BaselinePeriod(since, now, version_aliases=names)
    entries = history.capture_baseline(context, model, period).entries
    _refuse_foreign_values(model, known, out)
    content = encode_baselines(_merge(model, known, entries)).encode()
    title, body = f"Baseline of {model.name} {version.title}", _pull_request_body(known, entries, version)
    if doubts := history.incidents_within(context, model, since, now):
        body += f"\n\n### Before you merge\n\n{bullet_list(doubts)}"
    url = propose_file(github, home, FileProposal(branch, out.as_posix(), content, title, body))
    return f"The baseline of {version.title} is proposed: {url}", url


def _pull_request_body(known: tuple[BaselineEntry, ...], entries: tuple[BaselineEntry, ...], version: Version) -> str:
    """A table of the changes, for the reviewer."""
    before = {(entry.name, entry.labels): entry for entry in known}
    rows = []
    for entry in entries:
        old = before.get((entry.name, entry.labels))
        rows.append((code(_title(entry)), number(old.value) if old else "", number(entry.value), number(entry.n)))
    text = table(("metric", "before", "now", "n"), rows[:200])
    more = f"\n\n{len(rows) - 200} more." if len(rows) > 200 else ""
    return f"{code(version.title)} is in production. Its values there become the reference:\n\n{text}{more}"


baseline.add_command(accept)
