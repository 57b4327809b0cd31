"""``modelwatch backtest --tune``: settings of each rule that find marked incidents sooner, as table, plot and patch."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial, wraps
from pathlib import Path
from typing import Any, TextIO

import click
from click.core import ParameterSource

from ..backtest.config_patch import ConfigPatch, make_patch, write_files
from ..backtest.logged_history import LoggedHistory, pull_history
from ..backtest.result import Span
from ..backtest.tuning import TuningOptions, suggest
from ..backtest.tuning_grid import LONGEST_WINDOW, MOST_SETTINGS
from ..config.literals import parse_duration
from ..context import RunContext
from ..errors import Exit, UserError, did_you_mean
from ..model.backtest import Marks
from ..model.monitored_model import Config
from ..model.tuning import AlertBudget, Suggestion
from ..report.console import make_table, make_text
from ..report.markdown import plain_line
from ..report.tuning import (
    CURVE_COLUMNS,
    HELD_OUT_COLUMNS,
    curve_plot,
    curve_rows,
    held_out_rows,
    tuning_json,
    tuning_lines,
    tuning_markdown,
)
from ..timeutil import DAY, HOUR
from .actions_env import write_summary
from .options import FILE, print_json
from .runner import count_up, one_line, progress_bar

TUNING_SINCE = "365d"
"""Of a budget of months, the usual 90 days say nothing."""
LEAST_BUDGET, MOST_BUDGET = 1 / (3650 * DAY), 1 / HOUR
"""Alerts a second."""
_BUDGET = re.compile(r"(\d+(?:\.\d+)?) *(?:per|in|/) *(\S.*)")
_PERIOD = re.compile(r"(\d*(?:\.\d+)?) *(day|week|month|year)s?")
_PERIODS = {"day": DAY, "week": 7 * DAY, "month": 30 * DAY, "year": 365 * DAY}


@dataclass(frozen=True, slots=True)
class TuningRequest:
    """What the options of ``--tune`` ask for."""

    rules: tuple[str, ...]
    budget: AlertBudget | None
    options: TuningOptions
    patch: Path | None
    write: bool


def _parse_budget(_ctx: click.Context, _param: click.Parameter, value: str | None) -> AlertBudget | None:
    if value is None:
        return None
    found = _BUDGET.fullmatch(value.strip())
    period = _parse_period(found[2]) if found else None
    if found is None or not period:
        raise click.BadParameter(f'{value!r} is no budget; write "1 per 90 days", or 2/365d.')
    if not LEAST_BUDGET <= float(found[1]) / period <= MOST_BUDGET:
        raise click.BadParameter(f"{value!r} is not between one in ten years and one an hour.")
    return AlertBudget(float(found[1]), period)


def _parse_period(text: str) -> float | None:
    """Seconds: ``90 days``, ``month``, or a duration as in the configuration."""
    found = _PERIOD.fullmatch(text.lower())
    return float(found[1] or 1) * _PERIODS[found[2]] if found else parse_duration(text)


def _parse_split(_ctx: click.Context, _param: click.Parameter, value: str) -> float:
    parts = value.split("/")
    try:
        share = (
            float(parts[0]) / float(parts[1]) if len(parts) == 2 else float(value.rstrip("%")) / 100 ** ("%" in value)
        )
    except (ValueError, ZeroDivisionError):
        share = -1.0
    if not 0.1 <= share <= 0.9:
        raise click.BadParameter(f"{value!r} is no share from 10% to 90%; write 2/3 or 70%.")
    return share


_OPTIONS = (
    click.option("--tune", is_flag=True, help="Suggest settings of the rules that find marked incidents sooner."),
    click.option(
        "--rule", "tuned_rules", multiple=True, metavar="NAME", help="With --tune: only this rule; repeatable."
    ),
    click.option(
        "--budget",
        metavar="N per TIME",
        callback=_parse_budget,
        help='With --tune: false alerts of each rule, such as "1 per 90 days"; by default its own budget.',
    ),
    click.option(
        "--settings",
        type=click.IntRange(2, 1000),
        default=MOST_SETTINGS,
        show_default=True,
        help="With --tune: the most settings of a rule that are tried.",
    ),
    click.option(
        "--split",
        default="2/3",
        show_default=True,
        callback=_parse_split,
        metavar="SHARE",
        help="With --tune: the first part of the time, to tune on; what is chosen is judged on the rest.",
    ),
    click.option("--patch", "patch_path", type=FILE, help="With --tune: write the patch of the configuration here."),
    click.option("--write", is_flag=True, help="With --tune: change the configuration."),
)


_TUNING_ONLY = ("tuned_rules", "budget", "settings", "split", "patch_path", "write")


def _is_stated(name: str) -> bool:
    return click.get_current_context().get_parameter_source(name) is not ParameterSource.DEFAULT


def _flag(name: str) -> str:
    """``--rule`` of ``tuned_rules``"""
    options = (option for option in click.get_current_context().command.params if option.name == name)
    return next(options).opts[0]


def tuning_options(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """Give ``command`` the options of ``--tune``, which it gets as one ``tuning``: ``None`` without ``--tune``."""

    @wraps(command)
    def call(
        *args: Any,
        tune: bool,
        tuned_rules: tuple[str, ...],
        budget: AlertBudget | None,
        settings: int,
        split: float,
        patch_path: Path | None,
        write: bool,
        **more: Any,
    ) -> Exit:
        if not tune and (stated := [name for name in _TUNING_ONLY if _is_stated(name)]):
            belong = "belong" if len(stated) > 1 else "belongs"
            raise UserError(f"{' and '.join(map(_flag, stated))} {belong} to --tune.", hint="Add --tune.")
        options = TuningOptions(split=split, settings=settings, processes=min(2, os.cpu_count() or 1))
        request = TuningRequest(tuned_rules, budget, options, patch_path, write) if tune else None
        return command(*args, tuning=request, **more)

    for option in reversed(_OPTIONS):
        call = option(call)
    return call


def tune_rules(
    context: RunContext, span: Span, marks: Marks, request: TuningRequest, style: str, out: Path | None
) -> Exit:
    """Tune every rule, show what that gave, and write the patch where that is wished."""
    config = context.config
    _check_names(config, request.rules)
    histories = _pull(context, span)
    failed = [(name, history.error) for name, history in histories.items() if history.error]
    suggestions = _suggest(config, histories, span, marks, request)
    patch = make_patch(suggestions)
    _write_result(suggestions, patch, style, out)
    write_summary(lambda: tuning_markdown(suggestions, patch.diff, patch.by_hand))
    for name, reason in failed:
        click.echo(f"{plain_line(name)}: not tuned: {plain_line(reason, 400)}", err=True)
    if request.patch is not None and patch.diff:
        _write_text(request.patch, patch.diff)
    elif request.patch is not None:
        click.echo(f"{request.patch}: not written, since nothing is to be changed.", err=True)
    if request.write:
        write_files(patch)
        for file in patch.files:
            click.echo(f"{file.path}: changed.", err=True)
    return Exit.SOURCE_DOWN if failed else Exit.OK


def _check_names(config: Config, names: tuple[str, ...]) -> None:
    known = sorted({rule.name for model in config.models for rule in model.rules})
    for name in names:
        if name not in known:
            raise UserError(
                f"there is no rule {plain_line(name, 80)!r}.", hint=did_you_mean(name, known), where="--rule"
            )


def _pull(context: RunContext, span: Span) -> dict[str, LoggedHistory]:
    """What was logged; a little more than the rules read, since longer windows are tried."""
    with progress_bar(len(context.config.models)) as progress:
        reading = replace(context, progress=progress)
        return pull_history(reading, replace(span, since=span.since - LONGEST_WINDOW))


def _suggest(
    config: Config, histories: Mapping[str, LoggedHistory], span: Span, marks: Marks, request: TuningRequest
) -> list[Suggestion]:
    found = []
    for model in config.models:
        history = histories[model.name]
        for rule in model.rules if not history.error else ():
            if request.rules and rule.name not in request.rules:
                continue
            label = one_line(f"Tuning {model.name} / {rule.name}")
            with count_up(label, request.options.settings) as advance:
                show = partial(_show_progress, advance, request.options.settings)
                found.append(
                    suggest(model, rule, history, span, marks.incidents, request.budget, request.options, show)
                )
    return found


def _show_progress(advance: Callable[[int], None], length: int, done: int, total: int) -> None:
    """The grid may hold less than the most settings that the bar has room for."""
    advance(done * length // total)


def _write_result(suggestions: list[Suggestion], patch: ConfigPatch, style: str, out: Path | None) -> None:
    """To the file or standard output."""
    if out is None:
        _write_to(suggestions, patch, style, None)
        return
    try:
        with out.open("w", encoding="utf-8") as file:
            _write_to(suggestions, patch, style, file)
    except OSError as error:
        raise UserError(f"the file cannot be written: {error.strerror}.", where=str(out)) from error
    click.echo(f"{out}: written.", err=True)


def _write_to(suggestions: list[Suggestion], patch: ConfigPatch, style: str, file: TextIO | None) -> None:
    if style == "json":
        print_json(tuning_json(suggestions, patch.diff, patch.by_hand), file)
    elif style == "markdown":
        click.echo(tuning_markdown(suggestions, patch.diff, patch.by_hand).rstrip(), file)
    else:
        _show(suggestions, patch, file)


def _write_text(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise UserError(f"the file cannot be written: {error.strerror}.", where=str(path)) from error
    click.echo(f"{path}: written.", err=True)


def _show(suggestions: list[Suggestion], patch: ConfigPatch, file: TextIO | None) -> None:
    from rich.console import Console

    console = Console(file=file, soft_wrap=False, highlight=False, emoji=False)
    for found in suggestions:
        first, *rest = tuning_lines(found)
        console.print(make_text(plain_line(first, 400), "bold"))
        for line in rest:
            console.print(make_text(plain_line(line, 1000)))
        if rows := curve_rows(found):
            console.print()
            console.print(make_table(CURVE_COLUMNS, rows))
        if plot := curve_plot(found):
            console.print()
            console.print(make_text(plot))
        if rows := held_out_rows(found):
            console.print()
            console.print("On the span that nothing was chosen by:")
            console.print(make_table(HELD_OUT_COLUMNS, rows))
        console.print()
    for line in patch.by_hand:
        console.print(make_text(plain_line(line, 1000)))
    click.echo(patch.diff, file, nl=False)  # a console would break its lines
