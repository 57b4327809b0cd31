"""``modelwatch baseline propose``: the baseline of the version in production, by pull request."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import Exit, UserError
from ..model.release import PRODUCTION
from .options import config_option, now_option
from .release_options import model_option, read_model, retry_policy

if TYPE_CHECKING:
    from ..model.release import Registry, Version
    from ..model.rule import BaselineEntry
    from ..model.watched import Config, Model

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
    from ..release.registry import read_releases
    from .surroundings import write_outputs

    config, model = read_model(config_path, name, read_only=True)
    if out.is_absolute() or ".." in out.parts or out.parts[:1] == (".github",):
        raise UserError(f"{str(out)!r} is not a file within the repository.", hint="For example baselines/churn.json.")
    registry = read_releases(model, os.environ, retry_policy())
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
    from ..files import encode_baselines, read_baselines
    from ..model.release import CanarySpec
    from ..targets.connect import open_sessions
    from ..targets.pull_request import FileProposal, find_pull_request, propose_file

    least = (model.release.canary if model.release else CanarySpec()).length
    if now - since < least:
        return f"{version.title} has served {(now - since) / 3600:.1f} of {least / 3600:g} h: its baseline waits.", ""
    known = read_baselines(out) if out.exists() else ()
    if any(version.is_called(entry.version) and (entry.captured or 0.0) >= since for entry in known):
        return f"{out} holds the baseline of {version.title} already.", ""
    home = repository or os.environ.get("GITHUB_REPOSITORY") or model.github.repository
    github = open_sessions(config).github(model.github, home)
    branch = f"modelwatch/baseline-{_UNSAFE_IN_BRANCH.sub('-', model.name)[:60]}-{version.name}-{int(since)}"
    there = find_pull_request(github, home, branch)
    if there:
        return f"The baseline of {version.title} was proposed before: {there}", there
    entries = _capture(config, model, version, since, now)
    merged = {(entry.name, entry.labels): entry for entry in (*known, *entries)}
    content = encode_baselines(tuple(merged[key] for key in sorted(merged))).encode()
    title = f"Baseline of {model.name} {version.title}"
    made = propose_file(
        github, home, FileProposal(branch, out.as_posix(), content, title, _pull_request_body(known, entries, version))
    )
    return f"The baseline of {version.title} is proposed: {made.url}", made.url


def _capture(config: Config, model: Model, version: Version, since: float, now: float) -> tuple[BaselineEntry, ...]:
    from .. import lookback

    names = (version.name, version.number, *version.aliases)
    return lookback.capture_baseline(config, model, lookback.BaselinePeriod(since, now, version_aliases=names), now)


def _pull_request_body(known: tuple[BaselineEntry, ...], entries: tuple[BaselineEntry, ...], version: Version) -> str:
    """A table of what changes, for whoever decides."""
    from ..report.escape import code
    from ..report.tables import table
    from ..report.words import number

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
        from ..clients.commands import append_summary
        from ..report.escape import code
        from .secrecy import make_redactor

        append_summary(make_redactor().redact_text(f"{code(text, 600)}\n\n"))
