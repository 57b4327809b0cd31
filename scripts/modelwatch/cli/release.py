"""``modelwatch release``: what serves, and how that changes. One module a family of commands, imported when asked."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click

from ..errors import Exit, UserError
from . import LazyGroup
from .options import Decorator, config_option, now_option, read_config

if TYPE_CHECKING:
    from ..clients.retry import RetryPolicy
    from ..context import RunContext
    from ..model.monitored_model import Config, Model
    from ..model.release import Move, Registry
    from ..release.move_request import MoveRequest


class ReleaseGroup(LazyGroup):
    """Its commands are attributes of their modules, named by the command."""

    table: ClassVar = {
        "status": (
            "release_status",
            "Who is in production, canary, staging, candidate and before; since when, and why.",
        ),
        "history": ("release_status", "Every move that was ever made."),
        "diff": ("release_status", "What differs between two versions."),
        "validate": ("release_validate", "Judge a candidate against the champion."),
        "register": ("release_moves", "Give a version a number and make it the candidate."),
        "retrain": ("release_moves", "Train on the newest data and register what comes out."),
        "canary": ("release_moves", "Start, judge or take back a canary."),
        "promote": ("release_moves", "Put a version into production."),
        "rollback": ("release_moves", "Go back to a version that was healthy."),
        "degrade": ("release_moves", "Put something simpler in the model's place."),
        "restore": ("release_moves", "Take the model back after it was degraded."),
        "finish": ("release_moves", "Finish or undo whatever was left open."),
    }


@click.group("release", cls=ReleaseGroup)
def release() -> None:
    """Versions, aliases and moves: what serves, and how that changes.

    W&B's aliases are the truth, and every move is a W&B run of its own. A move that was interrupted is finished or
    undone by the next one, or by `finish`. Exit codes: 0 done or already so, 2 refused, 3 W&B is down, 4 the command
    failed or the move could not be ended.
    """


def model_option() -> Decorator:
    return click.option(
        "--model", "name", metavar="NAME", default="", help="The model; may be left out where there is one."
    )


def json_option() -> Decorator:
    return click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")


def move_command(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that moves a release; the function gets them as one ``Asked``."""
    options = (
        config_option(),
        model_option(),
        click.option("--key", default="", help="Identity of the move: the same key is the same move, however often."),
        click.option("--reason", default="", help="Why; one line that people will read in the history."),
        click.option("--by", default=_current_user, help="Who asks; by default GITHUB_ACTOR or the login."),
        click.option("--issue", default="", metavar="URL", help="The issue that it is about."),
        click.option("--take-over", is_flag=True, help="Count whatever is open as abandoned."),
        json_option(),
        now_option(),
    )

    @wraps(function)
    def called(
        config_path: Path, name: str, key: str, reason: str, by: str, issue: str, take_over: bool, as_json: bool,
        now: float, **rest: Any,
    ) -> Any:  # fmt: skip
        return function(MoveContext(config_path, name, key, reason, by, issue, take_over, as_json, now), **rest)

    wrapped: Callable[..., Any] = called
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped


class MoveContext:
    """Who asks for a move, why, of which model."""

    def __init__(
        self, config_path: Path, name: str, key: str, reason: str, by: str, issue: str, take_over: bool, as_json: bool,
        now: float,
    ) -> None:  # fmt: skip
        # A secret that only other commands need must not stand in the way of a rollback: it is a warning.
        self.config, self.model = read_model(config_path, name, read_only=True)
        self.key, self.reason, self.by, self.issue = key, " ".join(reason.split()), by, issue
        self.env = dict(os.environ)
        """As the user's commands are to find it: the W&B client is given bounds of its own later."""
        self.take_over, self.as_json, self.now = take_over, as_json, now

    @cached_property
    def run(self) -> RunContext:
        """What questions to the history of metrics share."""
        from ..context import make_context

        return make_context(self.config, self.now)

    def print_message(self, text: str) -> None:
        """What the user's command and the move say as they go."""
        warning, _, rest = text.partition("warning: ")
        if rest and not warning and os.environ.get("GITHUB_ACTIONS") == "true":
            from ..clients.workflow_commands import annotation
            from .runner import write_workflow_command

            write_workflow_command(annotation("warning", rest))
        else:
            click.echo(text, err=self.as_json)

    def execute(self, request: MoveRequest) -> Exit:
        """Make the move and tell of it."""
        from ..release.moves import make_move

        return self.print_result(
            make_move(self.model, request, self.env, retry_policy(), self.now, echo=self.print_message)
        )

    def print_result(self, made: Move) -> Exit:
        from ..model.release import MoveState
        from ..report.release import move_json

        if self.as_json:
            import json

            click.echo(json.dumps(move_json(made, _empty_registry(made)), indent=2))
        else:
            _print_move(made)
        write_move_outputs(made)
        return Exit.OK if made.state is MoveState.DONE else Exit.PARTIAL


def read_model(config_path: Path, name: str, *, read_only: bool = False) -> tuple[Config, Model]:
    """The configuration, and the model called ``name``; where only one has releases, the name may be left out."""
    config = read_config(config_path, (name,) if name else (), read_only=read_only)
    released = [model for model in config.models if model.release is not None]
    if name:
        return config, config.models[0]
    if len(released) == 1:
        return config, released[0]
    names = ", ".join(model.name for model in released[:10])
    if not released:
        hint = "For example `release: {artifact: acme/churn-train/churn, deploy: ./deploy.sh}`."
        raise UserError("no model of this configuration has a `release:`.", hint=hint, where=str(config_path))
    raise UserError("which model?", hint=f"Give --model: {names}.", where=str(config_path))


def retry_policy() -> RetryPolicy:
    from ..clients.retry import RetryPolicy

    return RetryPolicy.from_env(os.environ)


def print_results(ended: tuple[Move, ...], as_json: bool) -> None:
    """What became of several moves."""
    from ..report.release import move_json

    if as_json:
        import json

        click.echo(json.dumps([move_json(made, _empty_registry(made)) for made in ended], indent=2))
        return
    for made in ended:
        _print_move(made)
    if not ended:
        click.echo("Nothing is open.")


def _print_move(made: Move) -> None:
    from ..report.release import move_result

    click.echo(move_result(made))
    if made.url:
        click.echo(f"History: {made.url}")


def write_move_outputs(made: Move) -> None:
    """Outputs and a line in the summary, where the command runs in a step of a workflow."""
    from ..report.release import move_result
    from .actions_env import write_outputs

    outputs = {"state": str(made.state), "verb": str(made.verb), "version": made.target, "from-version": made.source}
    write_outputs(outputs | {"key": made.key, "history": made.url})
    if os.environ.get("GITHUB_STEP_SUMMARY"):
        from ..clients.workflow_commands import append_summary
        from ..report.markdown import code
        from .secrets import make_redactor

        append_summary(make_redactor().redact_text(f"{code(made.model)}: {code(move_result(made), 1000)}\n\n"))


def _empty_registry(made: Move) -> Registry:
    from ..model.release import Registry

    return Registry(made.model, "", ())


def _current_user() -> str:
    return os.environ.get("GITHUB_ACTOR") or os.environ.get("USER") or os.environ.get("LOGNAME") or ""
