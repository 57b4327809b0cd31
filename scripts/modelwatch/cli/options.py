"""Options that several commands share, and what they turn into."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from ..clients.environment import workflow_run_url
from ..clients.retry import RetryPolicy
from ..config.loader import load_config
from ..context import SECOND_LOOK, RunContext, make_context
from ..errors import UserError, did_you_mean
from ..step_files import make_results_folder
from ..timeutil import parse_iso

if TYPE_CHECKING:
    from ..model.monitored_model import Config

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

DEFAULT_CONFIG = "modelwatch.yml"


RESULTS = Path("modelwatch-out")
"""The folder of what the steps hand over, in the working directory."""
FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)


class Choice(click.Choice[str]):
    """One of a few words; after a slip it names the likely one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        word = str(value)
        if word in self.choices:
            return word
        hint = did_you_mean(word, self.choices, "")
        raise click.BadParameter(f"{word!r} is none of {', '.join(self.choices)}. {hint}".strip(), ctx, param)


def path_option(*names: str, **settings: Any) -> Decorator:
    """An option that takes a path, and shows its default; ``settings`` as in ``click.option``."""
    return click.option(*names, **{"type": click.Path(path_type=Path), "show_default": True, **settings})


def result_option(name: str, file: str, text: str, *names: str) -> Decorator:
    """An option that takes the path of a result, by default ``file`` in the folder of results. ``text``: its help."""
    return path_option(name, *names, default=str(RESULTS / file), help=text)


def prepare_results(path: Path) -> None:
    """Make the folder of results, where ``path`` is in it."""
    if path.parent == RESULTS:
        make_results_folder(RESULTS)


def _parse_now(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float:
    """The one place where the clock is read."""
    return time.time() if value is None else parse_time(value)


def time_option(name: str, text: str) -> Decorator:
    """An option that takes a time: seconds (UTC), or ``None``. ``text``: its help."""
    return click.option(name, callback=_parse_time_option, metavar="TIME", help=text)


def _parse_time_option(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    return None if value is None else parse_time(value)


def parse_time(value: str) -> float:
    """Seconds (UTC) of an ISO 8601 time, which is UTC where it names no zone, or of a plain number of seconds."""
    with suppress(ValueError):
        return float(value)
    try:
        return parse_iso(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no time; write 2026-11-20 or 2026-11-20T14:00:00Z.") from error


config_option = path_option(
    "--config",
    "config_path",
    default=DEFAULT_CONFIG,
    envvar="MODELWATCH_CONFIG",
    help="Configuration file, or a folder of them.",
)
models_option = click.option("--model", "models", multiple=True, metavar="NAME", help="Only this model; repeatable.")
format_option = click.option(
    "--format",
    "style",
    type=Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Tables, or JSON for scripts.",
)
exit_code_option = click.option(
    "--exit-code", is_flag=True, help="Exit with 10, 11 or 12 if the worst alert is a warning, error or critical."
)
now_option = click.option(
    "--now",
    callback=_parse_now,
    metavar="TIME",
    help="Use this time (ISO 8601, or seconds since the epoch) instead of the clock; for replays.",
)


def rows_option(text: str) -> Decorator:
    """The volume of a metric; ``text``: its help."""
    return click.option("--rows-per-hour", type=click.FloatRange(0, min_open=True), metavar="N", help=text)


level_option = click.option(
    "--level",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.9,
    show_default=True,
    help="With --rows-per-hour: the usual value of the metric.",
)


def run_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What is evaluated, as of when: ``--config``, ``--model`` and ``--now``."""
    return config_option(models_option(now_option(function)))


def retry_policy() -> RetryPolicy:
    return RetryPolicy().scale(os.environ)


def print_json(value: object, file: TextIO | None = None) -> None:
    """``value`` as JSON, which has no number that is none: it becomes null. ``file``: instead of standard output."""
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), indent=2, ensure_ascii=False)
    click.echo(text, file)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value


def read_config(path: Path, models: tuple[str, ...] = (), *, read_only: bool = False, judges: bool = True) -> Config:
    """The configuration at ``path``, reduced to ``models`` where some are named; warnings go to standard error.

    ``read_only``: a command that changes nothing also works where a secret is not set, as on your own machine.
    ``judges``: a command that judges no rule also works where a baseline is not captured yet, which can take what the
    command writes.
    """
    config = load_config(path, os.environ, require_secrets=not read_only, require_baselines=judges)
    for warning in config.warnings:
        click.echo(f"warning: {warning}", err=True)
    return select_models(config, models, path) if models else config


def select_models(config: Config, models: tuple[str, ...], path: Path) -> Config:
    """``config``, which was read from ``path``, with these models only. Raises UserError where it lacks one."""
    unknown = [name for name in models if config.model(name) is None]
    if unknown:
        names = [model.name for model in config.models]
        hint = did_you_mean(unknown[0], names, f"Its models: {', '.join(names[:10])}.")
        raise UserError(f"there is no model {unknown[0]!r}.", hint=hint, where=str(path))
    return replace(config, models=tuple(model for model in config.models if model.name in models))


def read_context(path: Path, now: float, models: tuple[str, ...] = (), *, read_only: bool = False) -> RunContext:
    """What the command and everything below it share; see ``read_config``."""
    return make_context(read_config(path, models, read_only=read_only), now, run_url=workflow_run_url(os.environ))


def second_look() -> float | None:
    """Seconds until what was down is read once more; ``None`` on a terminal, where a person can try again."""
    return None if sys.stderr.isatty() else SECOND_LOOK
