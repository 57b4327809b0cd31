"""What every command has around it: masked output, one paragraph an error, the right exit code."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from ..errors import ConfigError, Exit, UserError
from . import secrecy

if TYPE_CHECKING:
    from collections.abc import Sequence


def guarded(group: click.Group, arguments: Sequence[str] | None) -> None:
    """Invoke ``group`` and exit: a ``UserError`` is a paragraph on standard error, a bug its masked traceback."""
    _mask_output()
    try:
        code = group.main(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except click.exceptions.Abort:
        click.echo(
            "Interrupted; nothing is lost: the next evaluation goes on from what GitHub and PagerDuty say.", err=True
        )
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(Exit.USAGE)
    except UserError as error:
        tell(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.OK)
    except Exception as error:  # noqa: BLE001 - the last line of defence: told in full, with exit code 1
        _tell_bug(error)
        sys.exit(Exit.BUG)
    sys.exit(int(code) if isinstance(code, int) else Exit.OK)


def tell(error: UserError) -> None:
    """Show a user's error: on the terminal a paragraph, in GitHub Actions an annotation beside it."""
    problems = error.problems if isinstance(error, ConfigError) else (error,)
    for problem in problems:
        click.echo(f"{click.style('error', fg='red', bold=True)}: {problem}", err=True)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            annotate(problem)
    if len(problems) > 1:
        click.echo(f"{len(problems)} problems.", err=True)


def annotate(problem: UserError) -> None:
    """A workflow command that puts the problem beside its line."""
    from ..clients.commands import error_command

    click.echo(error_command(str(problem), problem.where), err=True)


def _mask_output() -> None:
    redactor = secrecy.redactor()
    if redactor:
        sys.stdout = redactor.stream(sys.stdout)
        sys.stderr = redactor.stream(sys.stderr)


def _tell_bug(error: Exception) -> None:
    import traceback

    click.echo("".join(traceback.format_exception(error)), err=True)
    click.echo(
        "This is a bug in modelwatch, not in your configuration; please report it with the lines above.", err=True
    )
