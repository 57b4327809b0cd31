"""``modelwatch release``: the group of commands about releases, and what these commands share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click

from ..clients.workflow_commands import annotation
from ..context import RunContext, make_context
from ..errors import Exit, ServiceError, UserError
from ..model.release import Move, MoveState, MoveVerb
from ..release.move_request import MoveRequest
from ..release.moves import make_move
from ..report.markdown import code
from ..report.release import move_json, move_result
from ..targets.register.authorization import trusted_authors
from ..targets.register.client import IssueClient, parse_issue_url
from . import LazyGroup
from .actions_env import write_outputs, write_summary
from .options import config_option, format_option, now_option, print_json, read_config, retry_policy
from .runner import OutputClosedError, reporting, write_workflow_command

if TYPE_CHECKING:
    from ..model.monitored_model import Config, Model


class ReleaseGroup(LazyGroup):
    table: ClassVar = {
        "status": ("release_status", "Show which version is in production, canary, staging, ...; since when, and why."),
        "history": ("release_status", "List every move, the newest first."),
        "diff": ("release_status", "Compare two versions."),
        "validate": ("release_validate", "Judge a candidate against the champion."),
        "register": ("release_moves", "Give a version a number and make it the candidate."),
        "retrain": ("release_moves", "Train on the newest data and register the new version."),
        "canary": ("release_moves", "Start, judge or abort a canary."),
        "promote": ("release_moves", "Put a version into production."),
        "rollback": ("release_moves", "Go back to a version that was healthy."),
        "degrade": ("release_moves", "Replace the model by a simpler fallback."),
        "restore": ("release_moves", "Restore the model after it was degraded."),
        "finish": ("release_moves", "Finish or undo open moves."),
    }


@click.group("release", cls=ReleaseGroup)
def release() -> None:
    """See which version serves, and change it.

    W&B's aliases say what serves, and every move is a W&B run. An interrupted move is finished or undone by the next
    one, or by `finish`. Exit codes: 0 done, or nothing to do; 2 refused; 3 W&B is down; 4 the command failed or the
    move could not be ended.
    """


model_option = click.option(
    "--model", "name", metavar="NAME", default="", help="The model; not needed where only one has a release."
)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--format``, and its short form ``--json``; the function gets ``as_json``."""

    @wraps(function)
    def call(as_json: bool, style: str, **values: Any) -> Any:
        return function(as_json=as_json or style == "json", **values)

    flag = click.option("--json", "as_json", is_flag=True, help="The same as `--format json`.")
    return format_option(flag(call))


def move_command(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that moves a release; the function gets them as one ``MoveContext``."""
    options = (
        config_option,
        model_option,
        click.option("--key", default="", help="Idempotency key: a move with the same key is made once."),
        click.option("--reason", default="", help="The reason, one line, shown in the history."),
        click.option(
            "--by", default=_current_user, help="Who requests the move; by default GITHUB_ACTOR or your login."
        ),
        click.option("--issue", default="", metavar="URL", help="The issue that the move belongs to."),
        click.option("--take-over", is_flag=True, help="Treat open moves as abandoned."),
        json_option,
        now_option,
    )
    names = ("key", "reason", "by", "issue", "take_over", "as_json", "now")

    @wraps(function)
    def call(config_path: Path, name: str, **values: Any) -> Any:
        context = MoveContext(*read_model(config_path, name), **{option: values.pop(option) for option in names})
        return function(context, **values)

    wrapped: Callable[..., Any] = call
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped


@dataclass(frozen=True)
class MoveContext:
    """The request of a move: for which model, by whom and why."""

    config: Config
    model: Model
    now: float
    key: str = ""
    reason: str = ""
    by: str = ""
    issue: str = ""
    take_over: bool = False
    as_json: bool = False
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    """As the user's commands find it, taken before the W&B client changes its own settings there."""

    @cached_property
    def run_context(self) -> RunContext:
        """What reads of the history of metrics share."""
        return make_context(self.config, self.now)

    def make_move(self, verb: MoveVerb, target: str = "", **values: Any) -> Move:
        """Make the move that is requested; ``values`` are further fields of the request."""
        common: dict[str, Any] = {"key": self.key, "by": self.by, "issue": self.issue, "take_over": self.take_over}
        common["reason"] = " ".join(self.reason.split())
        request = MoveRequest(verb, target, **(common | values))
        return make_move(self.model, request, self.env, retry_policy(), self.now, echo=self.print_message)

    def execute(self, verb: MoveVerb, target: str = "", **values: Any) -> Exit:
        """Make the move and print its result."""
        return self.print_result(self.make_move(verb, target, **values))

    def print_message(self, text: str) -> None:
        """Print a line of the user's command, or of the move."""
        warning, _, rest = text.partition("warning: ")
        if rest and not warning and os.environ.get("GITHUB_ACTIONS") == "true":
            write_workflow_command(annotation("warning", rest))
        else:
            with suppress(OutputClosedError):  # the move goes on, and its result reports it
                click.echo(text, err=self.as_json)

    def print_result(self, move: Move) -> Exit:
        with reporting([move_result(move)]):
            if self.as_json:
                print_json(move_json(move))
            else:
                print_moves([move], as_json=False)
            outputs = {"state": move.state, "verb": move.verb, "version": move.target, "from-version": move.source}
            write_outputs(outputs | {"key": move.key, "history": move.url})
            write_summary(lambda: f"{code(move.model)}: {code(move_result(move), 1000)}\n\n")
        return Exit.OK if move.state is MoveState.DONE else Exit.PARTIAL


def read_model(config_path: Path, name: str) -> tuple[Config, Model]:
    """The configuration, and the model called ``name``; it can be empty where only one model has releases."""
    # A missing secret that only other commands need is a warning: it must not prevent a rollback.
    config = read_config(config_path, (name,) if name else (), read_only=True)
    released = [model for model in config.models if model.release is not None]
    if name:
        return config, config.models[0]
    if len(released) == 1:
        return config, released[0]
    names = ", ".join(model.name for model in released[:10])
    if not released:
        hint = "For example `release: {artifact: acme/churn-train/churn, deploy: ./deploy.sh}`."
        raise UserError("no model of this configuration has a `release:`.", hint=hint, where=str(config_path))
    raise UserError("several models have releases.", hint=f"Give --model: {names}.", where=str(config_path))


def comment_on_issue(
    context: RunContext, model: Model, issue: str, key: str, text: str, echo: Callable[[str], None]
) -> Exit:
    """Comment once on an issue of the model's repository. ``echo`` gets the result as text; a failure is a warning."""
    try:
        repository, number = parse_issue_url(issue)
        client = IssueClient(context.sessions.github(model.github, repository), repository)
        authors = trusted_authors(client, model.github) | {client.github.login().lower()}
        is_new = client.comment_once(number, key, text, authors)
    except (ServiceError, UserError) as error:
        echo(f"warning: the issue could not be commented on: {error}")
        return Exit.PARTIAL
    echo(f"{'commented' if is_new else 'commented before'} on {issue}")
    return Exit.OK


def print_moves(moves: Sequence[Move], as_json: bool) -> None:
    if as_json:
        print_json([move_json(move) for move in moves])
        return
    for move in moves:
        click.echo(move_result(move))
        if move.url:
            click.echo(f"History: {move.url}")


def _current_user() -> str:
    return os.environ.get("GITHUB_ACTOR") or os.environ.get("USER") or os.environ.get("LOGNAME") or ""
