"""What every command has around it: masked output, one paragraph an error, the right exit code."""

from __future__ import annotations

import errno
import gc
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO, cast

import click

from ..clients.environment import share_ca_file
from ..clients.redaction import RedactedStream, Redactor
from ..config.secrets import BUNDLE_VARIABLE, Vault, parse_dotenv
from ..errors import ConfigError, Exit, UserError, did_you_mean

if TYPE_CHECKING:
    from ..sources.pull import Progress

MAX_MODELS_WITHOUT_BAR = 3
"""Up to this many models a progress bar would only flicker."""
EXIT_TIMEOUT = 10.0
"""Seconds."""
MAX_DONE = 20
"""Changes that an error lists."""
COMPLETE_VARIABLE = "_MODELWATCH_COMPLETE"
"""What a shell sets that completes our command."""
READERS = frozenset({"pull", "check", "run", "watch", "sensitivity", "diagnose", "doctor"})
"""Commands that read W&B first of all."""
GC_THRESHOLD = 50_000
"""So many more objects made than freed, and garbage is looked for (by default after 700)."""


def run_group(group: click.Group, arguments: Sequence[str] | None) -> None:
    """Invoke ``group`` and exit: a ``UserError`` is a paragraph on standard error, a bug its masked traceback.

    With ``arguments`` from a caller the process is the caller's: its environment and its end are left alone.
    """
    own_process = arguments is None
    if own_process:
        _export_bundle()
        share_ca_file(os.environ)
        # GitHub's runner cancels a job by SIGINT, then SIGTERM: the same end for both.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        # What a command imports never dies: looking for garbage among it costs a small check 3 % of its time.
        gc.set_threshold(GC_THRESHOLD)
    if own_process and os.environ.get(COMPLETE_VARIABLE):
        group.main(prog_name="modelwatch", complete_var=COMPLETE_VARIABLE)  # writes bytes, and ends the process
    with _mask_output():
        code = _invoke(group, arguments)
    if own_process:
        _start_exit_watchdog(code)
    sys.exit(code)


def make_redactor() -> Redactor:
    """A redactor of every secret of the environment."""
    return Redactor(secret.reveal() for secret in Vault(os.environ).all_secrets())


def _export_bundle() -> None:
    """Give every NAME=value of MODELWATCH_SECRETS to the clients too; a variable that is set already stays."""
    for name, value in parse_dotenv(os.environ.get(BUNDLE_VARIABLE, ""))[0].items():
        os.environ.setdefault(name, value)


def _start_exit_watchdog(code: int) -> None:
    """The W&B client waits for its own process at exit, and has been seen to wait for ever; apprise waits for services
    that it has given up. Everything is written by now, so they get a few seconds."""
    if {"wandb", "apprise"} & sys.modules.keys():
        watchdog = threading.Timer(EXIT_TIMEOUT, os._exit, (code,))
        watchdog.daemon = True
        watchdog.start()


def _start_client(arguments: Sequence[str]) -> None:
    """Start W&B's client, where the command is going to read from W&B, before the command's own modules are imported:
    a tenth of a small check's time."""
    reads = arguments[:1] and arguments[0] in READERS and not {"-h", "--help"}.intersection(arguments)
    if reads and os.environ.get("WANDB_API_KEY"):
        from ..clients.wandb import start_client

        start_client(os.environ)


def _invoke(group: click.Group, arguments: Sequence[str] | None) -> int:
    try:
        if arguments is None:
            _start_client(sys.argv[1:])
        code = group.main(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo(
            "Interrupted; nothing is lost: the next evaluation goes on from what GitHub and PagerDuty say.", err=True
        )
        return Exit.INTERRUPTED
    except click.ClickException as error:
        _explain_usage(error).show()
        return Exit.USAGE
    except UserError as error:
        print_error(error)
        return error.exit_code
    except OutputClosedError as error:
        if not error.reason:
            return Exit.OK
        print_error(UserError(str(error)))
        return Exit.USAGE
    except Exception as error:  # noqa: BLE001 - the last line of defence: shown in full, with exit code 1
        if lack := _missing_resource(error):
            print_error(UserError(lack))
            return Exit.USAGE
        import traceback

        click.echo(traceback.format_exc(), err=True)
        click.echo(
            "This is a bug in modelwatch, not in your configuration; please report it with the lines above.", err=True
        )
        return Exit.BUG
    return int(code) if isinstance(code, int) else Exit.OK


def _explain_usage(error: click.ClickException) -> click.ClickException:
    """``error``, which names the likely option where one is misspelled."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return error
    known = [name for param in error.ctx.command.get_params(error.ctx) for name in (*param.opts, *param.secondary_opts)]
    options = [name for name in known if name.startswith("--")]
    hint = did_you_mean(error.option_name, options, f"See {error.ctx.command_path} --help.")
    return click.UsageError(f"There is no option {error.option_name!r}. {hint}", error.ctx)


def _missing_resource(error: BaseException) -> str:
    """What this machine has no more of, where that is what ``error`` says."""
    if isinstance(error, MemoryError):
        return "there is not enough memory."
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return f"{error}." if full else ""


class UnreportedError(UserError):
    """A command has acted, and could not write what came of it."""

    exit_code = Exit.PARTIAL

    def __init__(self, reason: str, done: Sequence[str]) -> None:
        more = f"; and {len(done) - MAX_DONE} more" if len(done) > MAX_DONE else ""
        listed = f"Done: {'; '.join(done[:MAX_DONE])}{more}." if done else "Nothing was changed."
        super().__init__(f"the result could not be written ({reason})", hint=listed)


@contextmanager
def reporting(done: Sequence[str] | None) -> Iterator[None]:
    """Around what a command writes after it has acted. If that fails, the error says what was ``done``, and the exit
    code is 4. ``None``: the command did not act."""
    try:
        yield
    except (UserError, OSError, MemoryError, OutputClosedError) as error:
        if done is None:
            raise
        raise UnreportedError(_missing_resource(error) or str(error), done) from error


def print_error(error: UserError) -> None:
    """Show a user's error: on the terminal a paragraph, in GitHub Actions an annotation beside it."""
    problems = error.problems if isinstance(error, ConfigError) else (error,)
    for problem in problems:
        click.echo(f"{click.style('error', fg='red', bold=True)}: {one_line(problem)}", err=True)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            from ..clients.workflow_commands import annotation  # brings pathlib and secrets: a sixth of `--help`

            write_workflow_command(annotation("error", str(problem), problem.where))
    if len(problems) > 1:
        click.echo(f"{len(problems)} problems.", err=True)


def print_warning(text: str) -> None:
    """Show a warning on standard error; in GitHub Actions with an annotation beside it."""
    click.echo(f"warning: {one_line(text)}", err=True)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from ..clients.workflow_commands import annotation

        write_workflow_command(annotation("warning", text))


def one_line(text: object) -> str:
    """One line, whatever a service said: a line that began with ``::`` would be a command to GitHub's runner."""
    return " ".join(str(text).split())


def write_workflow_command(command: str) -> None:
    """Write a workflow command on standard error, past the guard that makes such lines harmless."""
    stream = sys.stderr
    if isinstance(stream, _GuardedStream):
        stream.write_command(command)
    else:
        click.echo(command, err=True)


@contextmanager
def progress_bar(models: int) -> Iterator[Progress | None]:
    """A bar on standard error, where that is a terminal and many models are read: what to call for every model done."""
    if models <= MAX_MODELS_WITHOUT_BAR or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=models, label="Reading", item_show_func=_item_text, file=sys.stderr) as shown:

        def advance(model: str, done: int, _total: int) -> None:
            shown.update(done - shown.pos, model)

        yield advance


@contextmanager
def count_up(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where that is a terminal: what to call with the number of steps that are done."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    with click.progressbar(length=total, label=label, file=sys.stderr) as shown:
        yield lambda done: shown.update(done - shown.pos)


def _item_text(model: str | None) -> str:
    return model or ""


@contextmanager
def _mask_output() -> Iterator[None]:
    """Secrets are masked in both streams until the block ends; what is then still held back is written."""
    before = sys.stdout, sys.stderr
    masked = _GuardedStream(make_redactor(), sys.stdout), _GuardedStream(make_redactor(), sys.stderr, needed=False)
    sys.stdout, sys.stderr = (cast("TextIO", stream) for stream in masked)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in masked:
            with suppress(OutputClosedError):
                stream.close()


class OutputClosedError(Exception):
    """Standard output takes no more. Not an ``OSError``, which click would turn into exit code 1."""

    def __init__(self, error: OSError) -> None:
        self.reason = "" if isinstance(error, BrokenPipeError) else error.strerror or type(error).__name__
        """Empty where the other end of a pipe was closed: it has seen enough."""
        super().__init__(f"standard output cannot be written: {self.reason or 'it is closed'}.")


_WORKFLOW_COMMAND = re.compile(r"(^|[\r\n])([^\S\r\n]*)::")
_CONTROL_CHARACTERS = re.compile(r"\x1b(?!\[[0-9;]*[mK]|\[\?25[hl])|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
"""All that a terminal obeys, but for line ends, colours and what a progress bar needs."""


def replace_control_characters(text: str) -> str:
    """``text`` without what could take over a terminal: an error may quote a name that somebody made up."""
    return _CONTROL_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", text)


def disarm_workflow_commands(text: str) -> str:
    """``text`` in which GitHub's runner finds no command, wherever lines were wrapped: it looks behind leading spaces,
    and for the old form (``##[``) anywhere."""
    return _WORKFLOW_COMMAND.sub("\\1\\2∷", text).replace("##[", "## [")


class _GuardedStream(RedactedStream):
    """Masks; in GitHub Actions no line is a command by chance. What cannot be written any more ends the command if the
    stream is ``needed``; messages on standard error are not, and a command that acts goes on without."""

    def __init__(self, redactor: Redactor, stream: TextIO, *, needed: bool = True) -> None:
        super().__init__(redactor, stream)
        self._needed = needed
        self._error: OutputClosedError | None = None
        self._in_actions = os.environ.get("GITHUB_ACTIONS") == "true"

    def _mask(self, text: str) -> str:
        masked = replace_control_characters(super()._mask(text))
        return disarm_workflow_commands(masked) if self._in_actions else masked

    def write_command(self, command: str) -> None:
        """A line of its own, masked, that the runner shall obey."""
        self.flush()
        self._attempt(lambda: self._stream.write(f"{super(_GuardedStream, self)._mask(command)}\n"))
        self._attempt(self._stream.flush)

    def write(self, text: str) -> int:
        self._attempt(lambda: super(_GuardedStream, self).write(text))
        return len(text)

    def flush(self) -> None:
        self._attempt(super().flush)

    def close(self) -> None:
        self._attempt(super().close)

    def _attempt(self, write: Callable[[], object]) -> None:
        """Call ``write``, unless the stream has failed before."""
        try:
            if self._error is None:
                write()
        except OSError as error:
            self._error = OutputClosedError(error)
            # What is left in the buffer goes nowhere, so that the interpreter does not complain about it when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        if self._needed and self._error is not None:
            raise self._error
