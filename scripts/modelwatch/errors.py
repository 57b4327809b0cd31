"""The errors that users see, and the exit codes of every command."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum

from .distribution import install_command

EXTRAS = {
    "dashboard": ("jinja2", "vl_convert"),
    "dask": ("dask",),
    "messages": ("apprise",),
    "profiling": ("pyarrow", "duckdb", "sklearn"),
    "ray": ("ray",),
    "relay": ("aiohttp", "httptools", "jwt", "prometheus_client", "starlette", "uvicorn", "uvloop"),
    "spark": ("pyspark",),
    "testing": ("modelwatch.testing", "graphql"),
    "workspaces": ("wandb_workspaces",),
}
"""The optional parts of the distribution, and the modules that ``pip install modelwatch`` does not bring."""


class Exit(IntEnum):
    """Exit codes; 10 and up report findings, and only with ``--exit-code``."""

    OK = 0
    BUG = 1
    USAGE = 2
    """Wrong usage or a wrong configuration; a name that does not exist, such as a column of a table."""
    SOURCE_DOWN = 3
    """A source could not be read: nothing was judged for it, so nothing was closed."""
    PARTIAL = 4
    """GitHub or PagerDuty could not be read, or some change failed or was refused there."""
    WARNING = 10
    ERROR = 11
    CRITICAL = 12
    INTERRUPTED = 130
    """What shells expect after Ctrl-C: 128 and the number of the signal."""


class UserError(Exception):
    """An error that the user can fix; shown as one paragraph, never as a traceback.

    ``message`` says what is wrong, ``where`` in which file (``file:line:column``), service or option, and ``hint``
    what to do about it.
    """

    exit_code: Exit = Exit.USAGE

    def __init__(self, message: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        if not self.hint:
            return text
        # A service's message can lack its full stop.
        stop = "" if text.endswith((".", "!", "?", "…")) else "."
        return f"{text}{stop} {self.hint}"


class MissingExtraError(UserError):
    """An extra of the distribution is not installed here."""


class ConfigError(UserError):
    """Everything that is wrong with a configuration, all at once."""

    def __init__(self, problems: tuple[UserError, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class CommandError(UserError):
    """The user's own command failed, or did not do what it has to."""

    exit_code = Exit.PARTIAL


class SourceError(UserError):
    """A source (W&B, a file) cannot be read. Nothing is closed or changed; the error is reported."""

    exit_code = Exit.SOURCE_DOWN
    is_shared = False
    """Whether every model that reads from the same server fails, too."""


class SourceNameError(SourceError):
    """The command or the configuration names what the source does not have, such as a column or a project: another try
    would fail as well."""

    exit_code = Exit.USAGE
    is_misconfigured = False
    """Whether it is the source itself that is not there."""


class SourceSetupError(SourceError):
    """The evaluator lacks something to read with, such as a key. The source itself can be fine."""


class TargetError(UserError):
    """A target (GitHub, PagerDuty) cannot be observed or changed."""

    exit_code = Exit.PARTIAL


class ServiceError(TargetError):
    """A request to GitHub or PagerDuty failed.

    ``status`` is the HTTP status, 0 where there was no answer or none that could be read. ``uncertain`` says that a
    write can have taken effect nevertheless: check before you repeat it.
    """

    def __init__(
        self, message: str, *, status: int = 0, uncertain: bool = False, hint: str = "", where: str = ""
    ) -> None:
        super().__init__(message, hint=hint, where=where)
        self.status = status
        self.uncertain = uncertain


@contextmanager
def require_extra(extra: str, *, where: str = "") -> Iterator[None]:
    """Report a module of ``extra`` that is not installed in one line which says how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = f"{error.name}."
        if not any(missing.startswith(f"{module}.") for module in EXTRAS[extra]):
            raise
        hint = f"Install it with `{install_command(extra)}`."
        raise MissingExtraError(f"{error.name} is not installed.", hint=hint, where=where) from error


def check_columns(wanted: Iterable[str], existing: Sequence[str], where: str) -> None:
    """Raises SourceNameError for the first of ``wanted`` that a table does not have."""
    for name in wanted:
        if name not in existing:
            hint = did_you_mean(name, existing, f"It has {', '.join(existing[:20])}.")
            raise SourceNameError(f"the table has no column {name!r}.", hint=hint, where=where)


def first_line(error: Exception) -> str:
    """The first line of an error's message; the name of its class where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def shorten(text: object, limit: int = 300) -> str:
    """``text`` on one line, at most ``limit`` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def unforeseen(action: str, error: Exception) -> str:
    """The text for an error that nobody foresaw, of one model or group: the others go on."""
    return f"{action} failed in an unforeseen way: {type(error).__name__}: {shorten(error, 200)}"


MIN_PREFIX = 3
"""Characters of a word that begins one known word alone (``prod`` for ``production``)."""


def did_you_mean(word: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """The hint that names the known word closest to ``word``; where none is close ``otherwise``, or all known words."""
    from difflib import get_close_matches  # 2 % of `modelwatch --help`

    names = sorted(known)
    folded = {name.lower().replace("-", "_"): name for name in names}
    wanted = word[:80].lower().replace("-", "_")
    longer = [name for name in folded if len(wanted) >= MIN_PREFIX and name.startswith(wanted)]
    cutoff = 0.6 if len(wanted) >= MIN_PREFIX else 0.75  # `wide` has both letters of `id`
    close = longer if len(longer) == 1 else get_close_matches(wanted, folded, n=1, cutoff=cutoff)
    if close:
        return f"Did you mean `{folded[close[0]]}`?"
    if otherwise is not None:
        return otherwise
    return f"Known: {', '.join(names)}." if names else ""


MAX_NAMES = 10
"""Names that a hint lists."""


def list_names(names: Iterable[str], limit: int = MAX_NAMES) -> str:
    """The first names of the alphabet, and how many more there are: ``a, b and 3 more``."""
    ordered = sorted(names)
    more = f" and {len(ordered) - limit} more" if len(ordered) > limit else ""
    return f"{', '.join(shorten(name, 80) for name in ordered[:limit])}{more}"
