"""``modelwatch dashboard``: the fleet and every model as a static site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from ..config.annotations import annotations_path, read_annotations
from ..dashboard.collect import ReadAnnotations, Results, collect_live, collect_results, read_results
from ..dashboard.page import Annotation, AnnotationKind
from ..dashboard.site import check_extra, write_site
from ..errors import ConfigError, Exit, UserError
from ..model.monitored_model import Model
from ..report.markdown import plain_line
from .options import FOLDER, format_option, path_option, print_json, read_context, run_options
from .runner import progress_bar

MAX_NOTES, MAX_NOTE = 5, 600


@click.command("dashboard")
@run_options
@click.option(
    "--from",
    "results",
    type=FOLDER,
    help="Show the results that `modelwatch run --out` wrote into this folder, as of then. Asks no service.",
)
@click.option("--observe", is_flag=True, help="With --from: read GitHub and PagerDuty, too.")
@path_option("--out", default="site", help="Folder for the site.")
@format_option
def dashboard(
    config_path: Path,
    models: tuple[str, ...],
    results: Path | None,
    observe: bool,
    out: Path,
    style: str,
    now: float,
) -> Exit:
    """Write a static site: every model with its colour, and for each its metrics, inputs, alerts and what is done.

    Reads metrics, GitHub and PagerDuty, and changes nothing there. Open index.html of the folder, or publish it: pages
    load nothing from elsewhere. Only models that changed are written again. What cannot be read is named on its page;
    the exit code is then 3 (a source) or 4 (GitHub, PagerDuty, a registry).
    """
    if observe and results is None:
        raise click.UsageError("--observe goes with --from: without it GitHub and PagerDuty are read anyway.")
    check_extra()
    files = _read_results(results) if results is not None else None
    context = read_context(config_path, files.judgement.at if files else now, models, read_only=True)
    names = None if models else frozenset(model.name for model in context.config.models)
    added, unreadable = _read_added(annotations_path(config_path), names)
    if files is not None:
        collection = collect_results(context, files, observes=observe, added=added)
    else:
        with progress_bar(len(context.config.models)) as progress:
            collection = collect_live(replace(context, progress=progress), added)
    collection = replace(collection, problems=(*collection.problems, *unreadable))
    written = write_site(out, collection, others_stay=bool(models))
    if style == "json":
        parts = {"made": written.made, "kept": written.kept, "removed": written.removed}
        print_json({"index": str(out / "index.html"), **{name: list(names) for name, names in parts.items()}})
    else:
        made = "1 model" if len(written.made) == 1 else f"{len(written.made)} models"
        click.echo(f"{out / 'index.html'}: {made} written, {len(written.kept)} unchanged")
    for problem in (*collection.problems, *_shortened(collection.unread_sources), *collection.unread_targets):
        click.echo(f"note: {plain_line(problem, MAX_NOTE)}", err=True)
    if collection.unread_targets:
        return Exit.PARTIAL
    return Exit.SOURCE_DOWN if collection.unread_sources else Exit.OK


def _shortened(texts: Sequence[str]) -> list[str]:
    """The first of them, and how many more there are."""
    more = [f"and {len(texts) - MAX_NOTES} more models whose metrics cannot be read"] if len(texts) > MAX_NOTES else []
    return [*texts[:MAX_NOTES], *more]


def _read_results(folder: Path) -> Results:
    if not folder.is_dir():
        raise UserError("there is no such folder.", hint="`modelwatch run --out` writes it.", where=str(folder))
    return read_results(folder)


def _read_added(path: Path, models: frozenset[str] | None) -> tuple[ReadAnnotations, list[str]]:
    """What people added to the charts of each model, and why that cannot be read: a slip there hides no page."""
    try:
        entries, problems = read_annotations(path, models)
    except ConfigError as error:
        return lambda _: (), [f"The annotations are not shown: {problem}" for problem in error.problems]
    unreadable = [f"An annotation is not shown: {problem}" for problem in problems]

    def of_model(model: Model) -> tuple[Annotation, ...]:
        return tuple(
            Annotation(
                entry.at,
                AnnotationKind.PERSON,
                f"{entry.text} ({entry.by})" if entry.by else entry.text,
                until=entry.until,
                url=entry.url,
            )
            for entry in entries
            if entry.is_about(model.name)
        )

    return of_model, unreadable
