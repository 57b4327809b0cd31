"""``modelwatch backtest``: what the configuration would have found and done over history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TextIO

import click
from click.core import ParameterSource

from ..backtest.comparison import compare, join_for_pull
from ..backtest.git_ref import NoConfigurationError, load_config_at
from ..backtest.incidents import annotated_incidents, join_marks, read_incidents
from ..backtest.ledger_marks import read_ledger_marks
from ..backtest.logged_history import LoggedHistory, pull_history
from ..backtest.pull_request_comment import comment_marker, parse_pull_request, upsert_comment
from ..backtest.replay import replay
from ..backtest.result import ReplayResult, Span
from ..backtest.scoring import score
from ..clients.github import github_token
from ..config.annotations import annotations_path
from ..config.literals import parse_duration
from ..context import RunContext, make_context
from ..errors import ConfigError, Exit, UserError
from ..model.backtest import BacktestComparison, BacktestReport, Marks
from ..model.monitored_model import Config, GitHubSpec
from ..report.backtest import (
    INCIDENT_COLUMNS,
    RULE_COLUMNS,
    backtest_markdown,
    backtest_text,
    incident_cells,
    rule_rows,
)
from ..report.backtest_comparison import (
    comparison_markdown,
    comparison_sentence,
    comparison_text,
    failure_markdown,
    has_same_outcome,
    summary_rows,
)
from ..report.console import make_table, make_text
from ..report.markdown import plain_line
from ..timeutil import MINUTE
from .actions_env import write_outputs, write_summary
from .backtest_tuning import TUNING_SINCE, TuningRequest, tune_rules, tuning_options
from .options import (
    FILE,
    Choice,
    config_option,
    models_option,
    now_option,
    parse_time,
    print_json,
    read_config,
    select_models,
    time_option,
)
from .runner import count_up, one_line, progress_bar

if TYPE_CHECKING:
    from rich.console import Console

SINCE = "90d"
EVERY = "1h"
"""As the workflow that ``init`` writes evaluates."""


def _parse_every(_ctx: click.Context, _param: click.Parameter, value: str) -> float:
    seconds = parse_duration(value)
    if seconds is None or seconds < MINUTE:
        raise click.BadParameter(f"{value!r} is no duration of a minute or more; write 1h or 30m.")
    return seconds


@click.command("backtest")
@config_option
@models_option
@click.option(
    "--since",
    default=SINCE,
    show_default=True,
    metavar="TIME",
    help="Where the replay begins: a time, or how long before its end (90d).",
)
@time_option("--until", "Where it ends; by default now.")
@click.option(
    "--every",
    callback=_parse_every,
    default=EVERY,
    show_default=True,
    metavar="DURATION",
    help="Time between two evaluations, as your schedule has it.",
)
@click.option("--incidents", "incidents_path", type=FILE, help="YAML list of known incidents and false alarms.")
@click.option(
    "--issues/--no-issues",
    default=None,
    help="Read what people said of earlier alerts on closed issues; by default where there is a GitHub token.",
)
@click.option(
    "--against", metavar="REF", help="Compare with the configuration of a git ref, such as main; REF:PATH, too."
)
@click.option(
    "--comment", metavar="PULL", help="Write the result as one comment on this pull request (number or address)."
)
@click.option(
    "--format",
    "style",
    type=Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="Tables, Markdown, or JSON for scripts.",
)
@click.option("--out", type=FILE, help="Write it to this file instead of standard output.")
@tuning_options
@now_option
def backtest(
    config_path: Path,
    models: tuple[str, ...],
    since: str,
    until: float | None,
    every: float,
    incidents_path: Path | None,
    issues: bool | None,
    against: str | None,
    comment: str | None,
    style: str,
    out: Path | None,
    tuning: TuningRequest | None,
    now: float,
) -> Exit:
    """Replay history through the present rules: what would have fired, been paged and been started, and when.

    Each evaluation sees only what was logged by then. Nothing is sent anywhere, but for --comment. With --incidents,
    with `modelwatch annotate --incident` or with what people said on issues it also says what was found, how soon, and
    what was a false alarm. --tune suggests settings instead.
    """
    if against is not None and not against.strip():
        raise UserError("--against has no git ref; its variable may be empty.", where="--against")
    if tuning is not None:
        since = _tuning_since(since, against, comment)
    with _failure_comment(comment, config_path, now), TemporaryDirectory(prefix="modelwatch-") as folder:
        whole = read_config(config_path, read_only=True)
        config = select_models(whole, models, config_path) if models else whole
        context = make_context(config, now)
        span = _make_span(since, now if until is None else until, every, now)
        other = _read_other(context, config_path, against, models, Path(folder)) if against else None
        marks = _read_marks(whole, other, config_path, incidents_path)
        if issues or (issues is None and github_token(context.env)):
            marks = join_marks(marks, read_ledger_marks(context, span))
        if tuning is not None:
            return tune_rules(context, span, marks, tuning, style, out)
        histories, moved = _pull(context, config, other, span)
        report = score(config, _replay(config, histories, span, "Replaying"), marks)
        result: BacktestReport | BacktestComparison = report
        if other is not None and other.config is not None:
            replayed = _replay(other.config, histories | moved, span, f"Replaying {against}")
            before = score(other.config, replayed, marks)
            result = compare(other.ref, before, report, other.config, config)
        elif other is not None:
            result = BacktestComparison(other.ref, report, None, other.reason)
        result = context.redactor.redact(result)
        _write(result, style, out)
        write_summary(lambda: _markdown(result))
        outputs = {"alerts": str(len(report.alerts)), "pages": str(report.pages)}
        if comment:
            outputs["comment"] = _comment(context, comment, config_path, _markdown(result))
        write_outputs(outputs)
    if report.errors:
        return Exit.SOURCE_DOWN
    return Exit.PARTIAL if issues and marks.problems else Exit.OK


@dataclass(frozen=True, slots=True)
class _BaseConfig:
    """The configuration to compare with; ``None`` where there is none, with the reason."""

    ref: str
    config: Config | None
    reason: str = ""


def _tuning_since(since: str, against: str | None, comment: str | None) -> str:
    """A year, where nothing else is stated."""
    if against or comment:
        raise UserError("--tune goes with neither --against nor --comment.", hint="Tune first, then compare the patch.")
    stated = click.get_current_context().get_parameter_source("since")
    return since if stated is not ParameterSource.DEFAULT else TUNING_SINCE


def _make_span(since: str, until: float, every: float, now: float) -> Span:
    """At multiples of ``every``, so that the same hour gives the same figures."""
    if until > now:
        raise UserError("the replay ends in the future.", hint="--until is now at the latest.", where="--until")
    length = parse_duration(since)
    begin = parse_time(since) if length is None else until - length
    if begin >= until:
        raise UserError("the replay ends before it begins.", hint="--since is before --until.", where="--since")
    span = Span(-(-begin // every) * every, until // every * every, every)
    if len(span.times) < 2:
        raise UserError("that is less than two evaluations.", hint="Begin earlier, or set a shorter --every.")
    return span


def _read_other(context: RunContext, path: Path, ref: str, models: tuple[str, ...], folder: Path) -> _BaseConfig:
    """The configuration of ``ref``, of the same models. One that is missing or broken is no error of this one."""
    try:
        config = load_config_at(path, ref, folder, context.env)
    except NoConfigurationError as error:
        return _BaseConfig(ref, None, error.message)
    except ConfigError as error:
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        return _BaseConfig(ref, None, f"the configuration of {ref} is broken: {error.problems[0]}{more}")
    if models:
        config = replace(config, models=tuple(model for model in config.models if model.name in models))
    return _BaseConfig(ref, config)


def _read_marks(whole: Config, other: _BaseConfig | None, path: Path, incidents: Path | None) -> Marks:
    """What files mark, of all models that either configuration has."""
    rules: dict[str, frozenset[str]] = {}
    for config in (whole, other.config if other else None):
        for model in config.models if config else ():
            names = frozenset(rule.name for rule in model.rules)
            rules[model.name] = rules.get(model.name, frozenset()) | names
    marks = annotated_incidents(annotations_path(path), frozenset(rules))
    return join_marks(read_incidents(incidents, rules), marks) if incidents else marks


def _pull(
    context: RunContext, config: Config, other: _BaseConfig | None, span: Span
) -> tuple[dict[str, LoggedHistory], dict[str, LoggedHistory]]:
    """What was logged, read once for both configurations; and that of models that read elsewhere in the other one."""
    joined, moved = join_for_pull(other.config, config) if other and other.config else (config, ())
    with progress_bar(len(joined.models)) as progress:
        reading = replace(context, config=joined, progress=progress)
        histories = pull_history(reading, span)
        apart: dict[str, LoggedHistory] = {}
        if moved and other and other.config:
            models = tuple(model for model in other.config.models if model.name in moved)
            apart = pull_history(replace(reading, config=replace(joined, models=models)), span)
    return histories, apart


def _replay(config: Config, histories: dict[str, LoggedHistory], span: Span, label: str) -> ReplayResult:
    with count_up(one_line(label), len(span.times)) as advance:
        return replay(config, histories, span, progress=lambda _now, done, _total: advance(done))


def _markdown(result: BacktestReport | BacktestComparison) -> str:
    if isinstance(result, BacktestComparison):
        return comparison_markdown(result)
    return backtest_markdown(result)


def _write(result: BacktestReport | BacktestComparison, style: str, out: Path | None) -> None:
    """To the file or standard output."""
    if out is None:
        _write_to(result, style, None)
        return
    try:
        with out.open("w", encoding="utf-8") as file:
            _write_to(result, style, file)
    except OSError as error:
        raise UserError(f"the file cannot be written: {error.strerror}.", where=str(out)) from error
    click.echo(f"{out}: written.", err=True)


def _write_to(result: BacktestReport | BacktestComparison, style: str, file: TextIO | None) -> None:
    if style == "json":
        print_json(_to_json(result), file)
    elif style == "markdown":
        click.echo(_markdown(result).rstrip(), file)
    else:
        from rich.console import Console

        _show(Console(file=file, soft_wrap=False, highlight=False, emoji=False), result)


def _to_json(result: BacktestReport | BacktestComparison) -> object:
    import msgspec

    def describe(report: BacktestReport) -> dict[str, object]:
        found: dict[str, object] = msgspec.to_builtins(report)
        totals = ("weeks", "issues", "pages", "workflows", "proposals", "messages")
        return found | {"totals": {name: getattr(report, name) for name in totals}}

    if isinstance(result, BacktestReport):
        return describe(result)
    found: dict[str, object] = msgspec.to_builtins(result)
    before = None if result.before is None else describe(result.before)
    sentence = comparison_sentence(result, plain_line)
    return {"sentence": sentence} | found | {"after": describe(result.after), "before": before}


def _show(console: Console, result: BacktestReport | BacktestComparison) -> None:
    """The sentences, then tables."""
    report = result.after if isinstance(result, BacktestComparison) else result
    if isinstance(result, BacktestComparison):
        console.print(make_text(comparison_text(result), "bold"))
        console.print()
        if result.before is not None and not has_same_outcome(result):
            columns = ("", plain_line(result.ref, 40), "this change", "difference")
            console.print(make_table(columns, summary_rows(result.before, report)))
            console.print()
        console.print(make_text("This change alone", "bold"))
    console.print(make_text(backtest_text(report)))
    console.print()
    console.print(make_table(RULE_COLUMNS, list(map(_plain, rule_rows(report)))))
    if report.incidents:
        console.print()
        console.print(make_table(INCIDENT_COLUMNS, [_plain(incident_cells(found)) for found in report.incidents]))
    console.print()


def _plain(cells: Sequence[str]) -> tuple[str, ...]:
    return tuple(plain_line(cell, 80) for cell in cells)


def _comment(context: RunContext, pull: str, config_path: Path, text: str) -> str:
    """Write the comment; returns its address."""
    specs = {model.github.repository: model.github for model in context.config.models if model.github.repository}
    own = context.env.get("GITHUB_REPOSITORY") or (next(iter(specs)) if len(specs) == 1 else "")
    repository, number = parse_pull_request(pull, own)
    client = context.sessions.issue_client(specs.get(repository) or GitHubSpec(repository=repository))
    url = upsert_comment(client, number, text, comment_marker(config_path))
    click.echo(f"comment: {url}", err=True)
    return url


@contextmanager
def _failure_comment(pull: str | None, config_path: Path, now: float) -> Iterator[None]:
    """A comment about an earlier commit must not stay where this one could not be replayed."""
    try:
        yield
    except UserError as error:
        if pull:
            problems = error.problems if isinstance(error, ConfigError) else (error,)
            with suppress(UserError):
                _comment(make_context(Config((), ""), now), pull, config_path, failure_markdown(problems))
        raise
