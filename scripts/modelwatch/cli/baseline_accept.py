"""``modelwatch baseline accept``: a change that is here to stay becomes the baseline, by pull request."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import history
from ..clients.pull_request import FileProposal, find_pull_request, propose_file
from ..config.baselines import PROFILE_SUFFIX
from ..context import RunContext, make_context
from ..errors import Exit, SourceError, UserError, did_you_mean
from ..evaluate.baseline_capture import capture_model
from ..model.drift import drift_spec
from ..model.label_maturity import follow_labels
from ..model.rule import BaselineKind, BaselineSpec
from ..pipeline import pull
from ..profiling.renewed_reference import renew_reference
from ..report.formatting import number
from ..report.markdown import bullet_list, code, plain_line, table
from ..step_files import encode_baselines, read_baselines
from ..timeutil import DAY, format_utc
from .actions_env import write_outputs, write_summary
from .options import config_option, format_option, now_option, print_json, read_config, retry_policy, time_option

if TYPE_CHECKING:
    from ..model.monitored_model import Model
    from ..model.rule import BaselineEntry, Rule
    from ..model.series import PulledSeries

PERIOD = 7 * DAY
"""How much of what was judged last becomes the baseline, by default."""
_UNSAFE_IN_BRANCH = re.compile(r"[^A-Za-z0-9_.-]+")
_MOVING = {
    BaselineKind.ROLLING: "a rolling baseline takes a lasting change in after a while",
    BaselineKind.SEASONAL: "a seasonal baseline takes a lasting change in after a while",
    BaselineKind.VERSION: "the baseline is another version",
}


@dataclass(frozen=True, slots=True)
class NewBaseline:
    """The new content of a baseline file, and what changes in it: rows of name, before and now."""

    path: str
    content: bytes
    changes: tuple[tuple[str, str, str], ...]


@click.command("accept", short_help="Propose what a rule sees now as its new baseline, by pull request.")
@config_option
@click.option("--model", "name", required=True, help="The model of the rule.")
@click.option("--rule", "rule_name", required=True, help="The rule whose baseline is renewed; others keep theirs.")
@click.option("--because", required=True, help="Why the change is right; the reviewer reads it.")
@time_option("--since", "Beginning of the period; by default 7 days before its end.")
@time_option("--until", "End of the period; by default the newest window that the rule judges.")
@click.option("--repository", default="", metavar="OWNER/NAME", help="By default GITHUB_REPOSITORY, or the model's.")
@format_option
@now_option
def accept(
    config_path: Path,
    name: str,
    rule_name: str,
    because: str,
    since: float | None,
    until: float | None,
    repository: str,
    style: str,
    now: float,
) -> Exit:
    """Propose what a rule sees now as its new baseline, by pull request.

    For a change that is real and lasts, such as labels whose mix has changed: no retraining ends such an alert. Only
    the values of this rule change in its baseline file. The same baseline is proposed once; merge or close it.
    """
    config = read_config(config_path, (name,), read_only=True)
    model = config.models[0]
    rule = next((one for one in model.rules if one.name == rule_name), None)
    if rule is None:
        hint = did_you_mean(rule_name, [one.name for one in model.rules])
        raise UserError(f"the model {model.name!r} has no rule {rule_name!r}.", hint=hint, where=model.where)
    if not because.strip():
        raise UserError("--because is empty.", hint="Say why the change is right, for the reviewer.")
    specs = [spec for spec in (rule.baseline, *rule.also) if spec.kind is BaselineKind.FILE]
    context = make_context(config, now)
    home = repository or os.environ.get("GITHUB_REPOSITORY") or model.github.repository
    if not specs:
        raise _no_file(rule, lambda: _values_now(context, model, rule, since, until))
    texts, urls = [], []
    for spec in specs:
        text, url = _propose(context, model, rule, spec, because, (since, until), home, config_path.parent)
        texts.append(text)
        urls.append(url)
    if style == "json":
        print_json({"results": texts, "pull_requests": urls})
    else:
        for text in texts:
            click.echo(text)
    write_outputs({"pull-request": " ".join(filter(None, urls))})
    write_summary(lambda: "".join(f"{code(text, 600)}\n\n" for text in texts))
    return Exit.OK


def _propose(
    context: RunContext,
    model: Model,
    rule: Rule,
    spec: BaselineSpec,
    because: str,
    stated: tuple[float | None, float | None],
    home: str,
    folder: Path,
) -> tuple[str, str]:
    """The result as text, and the address of the pull request."""
    path = Path(spec.path)
    if path.is_absolute() or ".." in path.parts:
        hint = "Keep it in the repository, or capture it again with `modelwatch baseline capture`."
        raise UserError(f"{spec.path!r} is not a file within the repository.", hint=hint, where=rule.where)
    if not (folder / path).exists():
        message = f"{spec.path!r} is no file here, so no pull request can change it."
        command = f"modelwatch baseline capture --model {model.name} --from-table TABLE --artifact NAME"
        raise UserError(message, hint=f"`{command}` logs a new version of an artifact.", where=rule.where)
    github = context.sessions.github(model.github, home)
    # The rule's digest follows from what the file says: the same baseline is proposed once.
    digest = hashlib.sha256(f"{rule.digest} {spec.path}".encode()).hexdigest()[:10]
    names = (_UNSAFE_IN_BRANCH.sub("-", text)[:50] for text in (model.name, rule.name))
    branch = f"modelwatch/accept-{'-'.join(names)}-{digest}"
    if existing := find_pull_request(github, home, branch):
        return f"A new baseline of {rule.name} was proposed before: {existing}", existing
    pulled = _pull(context, model)
    period = _period(model, rule, pulled, stated)
    baseline = _new_baseline(context, model, rule, spec, pulled, period, folder)
    title = f"Accept a new baseline of {model.name} / {rule.name}"
    body = _body(rule, because, baseline, period)
    if doubts := history.incidents_within(context, model, *period):
        body += f"\n\n### Before you merge\n\n{bullet_list(doubts)}"
    url = propose_file(github, home, FileProposal(branch, path.as_posix(), baseline.content, title, body))
    if not url:
        return f"{spec.path} holds this baseline already.", ""
    return f"A new baseline of {rule.name} is proposed: {url}", url


def _pull(context: RunContext, model: Model) -> PulledSeries:
    pulled = context.redactor.redact(pull(context.only(model))[model.name])
    if pulled.error:
        raise SourceError(pulled.error, where=model.name)
    return pulled


def _period(
    model: Model, rule: Rule, pulled: PulledSeries, stated: tuple[float | None, float | None]
) -> tuple[float, float]:
    """From when until when (seconds, UTC): by default the last week that the rule judges."""
    followed = next(one for one in follow_labels(model, pulled).rules if one.name == rule.name)
    drift = drift_spec(rule.metric)
    names = {rule.metric.name, *(drift.names if drift else ())}
    judged = [one.times for one in pulled.series if one.name in names]
    judged += [one.times for one in pulled.histograms if one.name in names]
    times = [column[-1] for column in judged if len(column)]
    if not times:
        hint = "See `modelwatch check`; labels may not have come yet."
        raise UserError(f"{rule.metric.text} has no point that could become a baseline.", hint=hint, where=rule.where)
    until = max(times) if stated[1] is None else stated[1]
    since = until - max(PERIOD, followed.window) + 1.0 if stated[0] is None else stated[0]
    if since >= until:
        raise UserError("--until is not later than --since.", hint="The period goes from --since to --until.")
    return since, until


def _new_baseline(
    context: RunContext,
    model: Model,
    rule: Rule,
    spec: BaselineSpec,
    pulled: PulledSeries,
    period: tuple[float, float],
    folder: Path,
) -> NewBaseline:
    drift = drift_spec(rule.metric)
    if spec.profile and drift is not None:
        with tempfile.TemporaryDirectory(prefix="modelwatch-accept-") as scratch:
            content, counts = renew_reference(
                model, drift, folder / spec.path, period, os.environ, retry_policy(), Path(scratch), context.now
            )
        cells = tuple((name, f"{before:,} cells", f"{after:,} cells") for name, (before, after) in counts.items())
        return NewBaseline(spec.path, content, cells)
    if spec.path.endswith(PROFILE_SUFFIX):
        hint = "Capture it again: `modelwatch baseline capture --from-table TABLE --out FILE`."
        raise UserError(f"{spec.path} is a profile of a training set, which holds one value.", hint=hint)
    entries = _captured(context, model, rule, pulled, period)
    known = read_baselines(folder / spec.path)
    before = {(entry.name, entry.labels): entry for entry in known}
    merged, changes = dict(before), list[tuple[str, str, str]]()
    for entry in entries:
        old = before.get((entry.name, entry.labels))
        merged[entry.name, entry.labels] = replace(entry, shared=old is not None and old.shared)
        changes.append((_title(entry), number(old.value) if old else "", number(entry.value)))
    content = encode_baselines(tuple(merged[key] for key in sorted(merged))).encode()
    return NewBaseline(spec.path, content, tuple(changes))


def _captured(
    context: RunContext, model: Model, rule: Rule, pulled: PulledSeries, period: tuple[float, float]
) -> tuple[BaselineEntry, ...]:
    return capture_model(replace(model, rules=(rule,)), pulled, *period, version="", now=context.now)


def _values_now(
    context: RunContext, model: Model, rule: Rule, since: float | None, until: float | None
) -> Iterable[BaselineEntry]:
    pulled = _pull(context, model)
    return _captured(context, model, rule, pulled, _period(model, rule, pulled, (since, until)))


def _no_file(rule: Rule, values: Callable[[], Iterable[BaselineEntry]]) -> UserError:
    kind = rule.baseline.kind
    if kind in _MOVING:
        return UserError(
            f"the rule {rule.name!r} has no baseline file: {_MOVING[kind]}.",
            hint="Silence the alert until then, or give the rule `baseline: {file: ...}`.",
            where=rule.where,
        )
    if kind is BaselineKind.CONSTANT:
        entry = next(iter(values()))
        shown = f"value: {entry.value:.6g}" + (f", n: {entry.n:.0f}" if entry.n else "")
        hint = f"Write `baseline: {{{shown}}}` in a pull request of your own."
        message = f"the baseline of {rule.name!r} is a number in the configuration."
        return UserError(message, hint=hint, where=rule.where)
    return UserError(
        f"the rule {rule.name!r} compares with no baseline, only with fixed limits.",
        hint="Change its limits in the configuration.",
        where=rule.where,
    )


def _title(entry: BaselineEntry) -> str:
    return entry.name + "".join(f" {label}={value}" for label, value in entry.labels)


def _body(rule: Rule, because: str, baseline: NewBaseline, period: tuple[float, float]) -> str:
    rows = [(code(name), before, after) for name, before, after in baseline.changes]
    text = table(("what", "before", "now"), rows[:200])
    return (
        f"The rule {code(rule.name)} shall compare with what it sees now, from {format_utc(period[0])} to "
        f"{format_utc(period[1])}.\n\nWhy: {plain_line(because, 1000)}\n\n{text}\n\nOther rules keep their baselines. "
        "Merge it only if the change is real and stays; a baseline that holds an incident hides the next one."
    )
