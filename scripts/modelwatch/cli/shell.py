"""What every command has around it: masked output, one paragraph an error, the right exit code."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import click

from ..errors import ConfigError, Exit, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SECRET_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)", re.IGNORECASE)
_SHORTEST_SECRET = 8


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


def secrets_in_environment() -> tuple[str, ...]:
    """Values of every variable whose name says secret, and those of MODELWATCH_SECRETS: what is masked everywhere."""
    found = {value for name, value in os.environ.items() if _SECRET_NAMES.search(name)}
    bundle = os.environ.get("MODELWATCH_SECRETS", "")
    if bundle:
        from ..config.secrets import parse_dotenv

        found |= set(parse_dotenv(bundle)[0].values())
    return tuple(value for value in found if len(value) >= _SHORTEST_SECRET)


def _mask_output() -> None:
    values = secrets_in_environment()
    if values:
        from ..clients.redact import Redactor

        redactor = Redactor(values)
        sys.stdout = redactor.stream(sys.stdout)
        sys.stderr = redactor.stream(sys.stderr)


def _tell_bug(error: Exception) -> None:
    import traceback

    click.echo("".join(traceback.format_exception(error)), err=True)
    click.echo(
        "This is a bug in modelwatch, not in your configuration; please report it with the lines above.", err=True
    )
