"""Suggests settings for rules over their budget of false alarms, and proposes them by pull request."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..backtest.config_patch import make_patch, name_in_repository
from ..backtest.incidents import join_marks
from ..backtest.ledger_marks import read_ledger_marks
from ..backtest.logged_history import pull_history
from ..backtest.result import Span
from ..backtest.tuning import TuningOptions, suggest
from ..backtest.tuning_grid import LONGEST_WINDOW
from ..clients.github import GitHubClient
from ..clients.pull_request import FileProposal, propose_file
from ..context import RunContext
from ..model.backtest import Marks
from ..model.scorecard import RuleFigures, Scorecard
from ..model.tuning import Suggestion
from ..report.markdown import plain_line
from ..report.tuning import tuning_markdown
from ..timeutil import HOUR

MAX_RULES = 5
"""Tuning a rule takes up to a minute; of more the worst are tuned."""
MAX_TITLE = 120


def rules_over_budget(card: Scorecard) -> list[RuleFigures]:
    """The worst first, by how many times their false alarms exceed the budget."""
    rows = [row for row in card.figures.rules if row.over_budget] if card.figures else []
    return sorted(rows, key=lambda row: (-row.false.count / (row.allowed or 1.0), row.model, row.rule))


def suggest_settings(
    context: RunContext,
    card: Scorecard,
    marks: Marks,
    options: TuningOptions,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Suggestion, ...]:
    """A suggestion for each of the five worst rules over their budget, tuned on the period and the one before it.

    ``progress`` gets the name of each before it is tuned.
    """
    rows = rules_over_budget(card)[:MAX_RULES]
    models = {model.name: model for model in context.config.models if any(row.model == model.name for row in rows)}
    if not models:
        return ()
    narrow = replace(context, config=replace(context.config, models=tuple(models.values())))
    span = Span(-(-card.period.before.start // HOUR) * HOUR, card.period.end // HOUR * HOUR, HOUR)
    histories = pull_history(narrow, replace(span, since=span.since - LONGEST_WINDOW))
    incidents = join_marks(marks, read_ledger_marks(narrow, span)).incidents
    found = []
    for row in rows:
        model, history = models[row.model], histories[row.model]
        rule = next(one for one in model.rules if one.name == row.rule)
        progress(f"{row.model} {row.rule}")
        if history.error:
            reason = f"Its history cannot be read: {history.error}"
            found.append(Suggestion(row.model, row.rule, rule.where, None, (), reason))
        else:
            found.append(suggest(model, rule, history, span, incidents, options=options))
    return context.redactor.redact(tuple(found))


def propose_settings(github: GitHubClient, repository: str, suggestions: Sequence[Suggestion]) -> list[str]:
    """One pull request for each file of the configuration that the suggestions change: their addresses.

    The branch is named after the suggestions, so the same ones are proposed once, also where people have closed the
    pull request. Raises UserError where a file is another one on the default branch, or GitHub fails.
    """
    patch = make_patch(suggestions)
    urls = []
    for file in patch.files:
        name = name_in_repository(file.path)
        own = [one for one in suggestions if one.changes_something and _file_of(one) == file.path]
        title = plain_line(f"Tune {', '.join(f'{one.model} {one.rule}' for one in own)}", MAX_TITLE)
        body = tuning_markdown(own, patch.diff if len(patch.files) == 1 else "", patch.by_hand)
        proposal = FileProposal(_branch(name, own), name, file.after, title, body, before=file.before)
        if url := propose_file(github, repository, proposal):
            urls.append(url)
    return urls


def _file_of(suggestion: Suggestion) -> Path:
    """``where`` is ``file:line:column``."""
    return Path(suggestion.where.rsplit(":", 2)[0])


def _branch(name: str, suggestions: Sequence[Suggestion]) -> str:
    """Equal for the same changes of the same rules."""
    changes = [(one.model, one.rule, one.chosen.changes if one.chosen else ()) for one in suggestions]
    return f"modelwatch/tune-{hashlib.sha256(repr((name, changes)).encode()).hexdigest()[:12]}"
