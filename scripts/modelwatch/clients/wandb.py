"""W&B through its own client: one bounded session, runs with everything in one call, history row by row."""

from __future__ import annotations

import atexit
import json
import math
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from ..errors import SourceError, SourceNameError, SourceSetupError, shorten
from .http import is_secure_url
from .retry import RetryPolicy

if TYPE_CHECKING:
    import wandb


DEFAULT_URL = "https://api.wandb.ai"
MIN_KEY_LENGTH = 40
"""W&B's API keys have at least this many characters after the prefix that a server of one's own gives them."""
PER_PAGE = 100
_SESSION_KEY = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")
"""A token of W&B's own machines: three parts, of any length."""
_RETRY_HINT = "Nothing was judged; the next evaluation tries again."
_HTTP = re.compile(r"\bHTTP (\d{3})\b|\bstatus(?: code)?:? (\d{3})\b")
_ATTEMPTS = re.compile(r"(?:POST|GET) \S+ giving up after \d+ attempt\(s\):? ?(?:(?:Post|Get) \"\S+\": )?")
_lock = threading.Lock()


class WandbDownError(SourceError):
    """W&B itself is down: the next request would fail as well."""

    is_shared = True


class WandbKeyError(SourceError):
    """W&B refuses the API key."""

    is_shared = True


PROJECT_NOT_FOUND = "Could not find project"
"""In W&B's answer."""


class WandbProjectError(SourceNameError):
    """W&B has no such project, or does not show it to the API key."""

    is_misconfigured = True


def open_api(base_url: str, key: str, retry: RetryPolicy, entity: str = "") -> wandb.Api:
    """A session with the W&B at ``base_url``; raises SourceError where the key is refused or nobody answers.

    Every call ends within about ``retry.deadline()`` seconds. ``entity`` only saves a call that would ask W&B for the
    key's default entity; paths still name theirs. The session may be shared by threads.
    """
    url = (base_url or DEFAULT_URL).rstrip("/")
    if not is_secure_url(url):
        raise SourceSetupError("the W&B server's address is not https", hint=f"It looks like {DEFAULT_URL}.", where=url)
    check_api_key(key, url)
    configure_environment(retry)
    with refusing_redirects(url, retry):
        import wandb  # takes as long as the question where the server leads

    with _lock:  # The first session starts the client's service process: once.
        _configure_settings(retry)
        try:
            return wandb.Api(
                overrides={"base_url": url, "entity": entity or "modelwatch"},
                api_key=key,
                timeout=math.ceil(call_timeout(retry)),
            )
        except Exception as error:
            raise translate_wandb_error(error, url) from error


@contextmanager
def refusing_redirects(url: str, retry: RetryPolicy) -> Iterator[None]:
    """Ask the server at ``url``, while the block runs, whether it redirects. The client would follow (without the key),
    and believe the answer: raises SourceSetupError where that leads to another host, or away from https."""
    import requests

    from .request_deadline import bound_session

    location: list[str] = []

    def ask() -> None:
        options: dict[str, Any] = {"timeout": retry.timeout, "allow_redirects": False, "stream": True}
        # Not with what ~/.netrc has for this host: that is the key.
        options |= {"json": {"query": "query RedirectCheck { __typename }"}, "auth": lambda request: request}
        with (
            suppress(requests.RequestException, ValueError),  # the client says what is wrong
            bound_session(requests.Session(), retry.timeout) as session,
            session.post(f"{url}/graphql", **options) as answer,
        ):
            if answer.is_redirect:
                location.append(urljoin(answer.url, answer.headers["location"]))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    yield
    thread.join(retry.timeout)
    for target in location:
        if not is_secure_url(target) or urlsplit(target).netloc != urlsplit(url).netloc:
            text = (
                f"the W&B server answers with another address ({urlsplit(target).scheme}://{urlsplit(target).netloc})"
            )
            hint = "It is not followed. Give the right one in `wandb: {base_url}`, or in WANDB_BASE_URL."
            raise SourceSetupError(text, hint=hint, where=url)


def start_client(env: Mapping[str, str]) -> None:
    """Import W&B's client, and start its service process in the background.

    The client looks for that process every 0.2 s: long enough to import all that reads and judges.
    """
    configure_environment(RetryPolicy().scale(env))
    try:
        from wandb.sdk import wandb_setup
    except ImportError:
        return  # reported where it is used

    def start() -> None:
        with suppress(Exception), _lock:  # a failure comes again, and is reported, when a session opens
            wandb_setup.singleton().ensure_service()

    threading.Thread(target=start, daemon=True).start()


MAX_FAILURES = 3
"""After this many failures of one server the other models fail without another call."""


class WandbSessions:
    """One session for each W&B server, opened on first use and shared by all threads. Failures are shared, too."""

    def __init__(self, env: Mapping[str, str]) -> None:
        """``env`` holds WANDB_API_KEY, and WANDB_BASE_URL for configurations that name no server."""
        self.retry = RetryPolicy().scale(env)
        self._env = env
        self._lock = threading.Lock()
        self._open: dict[str, wandb.Api | SourceError] = {}
        self._failures: dict[str, int] = {}
        self.calls = 0
        """Calls that listed W&B runs or read their history."""

    def count_calls(self, calls: int = 1) -> None:
        with self._lock:
            self.calls += calls

    def session(self, base_url: str, entity: str = "") -> wandb.Api:
        """Raises SourceError if the session cannot be opened, or after too many failures of the server."""
        url = self._url(base_url)
        with self._lock:
            if url not in self._open:
                try:
                    self._open[url] = open_api(url, self._env.get("WANDB_API_KEY", ""), self.retry, entity)
                except SourceError as error:
                    self._open[url] = error
            session = self._open[url]
        if isinstance(session, SourceError):
            raise session
        return session

    @property
    def cache_folder(self) -> Path:
        """The folder of the files of W&B that later runs use again."""
        return Path(self._env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelwatch"

    def record_failure(self, base_url: str, error: SourceError) -> None:
        """Count a failure of a server, so that not every model waits for a server that is down."""
        url = self._url(base_url)
        with self._lock:
            self._failures[url] = self._failures.get(url, 0) + 1
            if self._failures[url] >= MAX_FAILURES:
                self._open[url] = error

    def forget_outages(self) -> bool:
        """Ask servers that were down again; returns whether any was."""
        with self._lock:
            left = {url: found for url, found in self._open.items() if not isinstance(found, WandbDownError)}
            was_down = bool(self._failures) or len(left) < len(self._open)
            self._open = left
            self._failures.clear()
        return was_down

    def _url(self, base_url: str) -> str:
        return base_url or self._env.get("WANDB_BASE_URL", "")


def find_runs(api: wandb.Api, path: str, filters: Mapping[str, Any], stop: Callable[[Any], bool]) -> list[Any]:
    """The W&B runs of ``entity/project`` that match, config and summary included (one call a page).

    They come by heartbeat, newest first; reading ends at the first one for which ``stop`` is true, which is left out.
    """
    try:
        with _lock:
            # The client keeps one iterator for each query and gives it to everyone who asks: never share it.
            api.flush()  # type: ignore[no-untyped-call]
            runs = api.runs(path, filters=dict(filters), order="-heartbeat_at", per_page=PER_PAGE, lazy=False)
        return list(takewhile(lambda run: not stop(run), runs))
    except Exception as error:
        raise translate_wandb_error(error, path) from error


def find_projects(sessions: WandbSessions, base_url: str, entity: str) -> list[str]:
    """The names of an entity's projects. Raises SourceError where they cannot be read."""
    api = sessions.session(base_url, entity)
    try:
        return [str(project.name) for project in api.projects(entity)]
    except Exception as error:
        raise translate_wandb_error(error, entity) from error


def list_projects(sessions: WandbSessions, base_url: str, entity: str) -> list[str]:
    """The names of an entity's projects, for hints: empty where they cannot be read."""
    try:
        return find_projects(sessions, base_url, entity)
    except SourceError:  # what is wrong was reported already
        return []


def default_entity(sessions: WandbSessions) -> str:
    """The entity that the API key logs to by default. Raises SourceError where it cannot be read."""
    try:
        return str(sessions.session("").default_entity or "")
    except SourceError:
        raise
    except Exception as error:
        raise translate_wandb_error(error, "W&B") from error


class RunHistory:
    """The rows of one W&B run, from any step on, as often as needed; opening it costs one call, a page another."""

    def __init__(
        self,
        run: Any,
        last_step: int,
        retry: RetryPolicy,
        keys: list[str] | None = None,
        on_call: Callable[[], None] = lambda: None,
    ) -> None:
        """``last_step`` as the list of runs gave it: the client's own ``scan_history`` would ask for it again.
        ``on_call`` is called before each call."""
        from wandb.apis.public import HistoryScan

        self._where = "/".join(run.path)
        try:
            self._scan = HistoryScan(
                run,
                service_api=_TimeoutService(run._service_api, call_timeout(retry), on_call),  # type: ignore[arg-type]
                min_step=0,
                max_step=last_step + 1,
                keys=keys,
                use_cache=False,  # The client's cache loses rows of a W&B run that is exported again.
            )
        except Exception as error:
            raise translate_wandb_error(error, self._where) from error

    def rows(self, min_step: int, page_size: int) -> Iterator[dict[str, Any]]:
        """Rows from ``min_step`` on, ``page_size`` steps a call. Starting anew ends the iteration before."""
        self._scan.min_step = min_step
        self._scan.page_size = page_size
        try:
            yield from self._scan
        except Exception as error:
            raise translate_wandb_error(error, self._where) from error


class _TimeoutService:
    """The client's service with a time-out on every request; the client waits for history without one."""

    def __init__(self, service: Any, deadline: float, on_call: Callable[[], None]) -> None:
        self._service = service
        self._deadline = deadline
        self._on_call = on_call

    def send_api_request(self, request: Any, timeout: float | None = None) -> Any:
        self._on_call()
        return self._service.send_api_request(request, timeout=timeout or self._deadline)

    def finalize(self, scan: Any, cleanup: Any) -> Any:
        return self._service.finalize(scan, cleanup)


def translate_wandb_error(error: BaseException, where: str) -> SourceError:
    """The SourceError for what the client raised, with what to do about it."""
    if isinstance(error, SourceError):
        return error
    status, text = _http_status(error), _error_text(error)
    kind, hint = SourceError, ""
    if status in (401, 403):
        kind = WandbKeyError
        text = f"W&B refuses the API key (HTTP {status}): {text}"
        hint = "Set WANDB_API_KEY to a key of the right server that may read this project."
    elif PROJECT_NOT_FOUND in text:
        kind = WandbProjectError
        text = f"W&B has no such project, or the API key may not see it: {text}"
        hint = "Check `wandb: {entity, project}` and the key's access."
    elif status == 404:  # As a rule of something else, such as a proxy.
        text = f"this is not there (HTTP 404): {text}"
        hint = "Check `wandb: {base_url, entity, project}` and the key's access."
    elif status == 429:
        kind, text = WandbDownError, f"W&B limits the rate of requests (HTTP 429): {text}"
        hint = "The next evaluation tries again; evaluate less often, or split the models over several API keys."
    elif status >= 500:
        kind, text, hint = WandbDownError, f"W&B is down (HTTP {status}): {text}", _RETRY_HINT
    elif "Corrupt footer" in text or "Invalid Parquet file" in text:
        # As a rule what the storage sent instead is the XML of an error.
        text = "W&B's storage did not send the exported history: the address that W&B signed for it has expired."
        hint = _RETRY_HINT
    elif "did not respond in time" in text:
        kind, hint = WandbDownError, _RETRY_HINT
        text = "W&B did not answer in time: it is down, or limits the rate of requests."
    else:
        kind = SourceError if status or _is_about_data(error) else WandbDownError
        text = f"W&B cannot be read: {text}"
        hint = "Is the address (`wandb: {base_url}`, or WANDB_BASE_URL) right, and reachable from here?"
    return kind(text, hint=hint, where=where)


def _is_about_data(error: BaseException) -> bool:
    """Whether the client failed over what somebody has logged, which says nothing about the server. Its own errors keep
    such a one."""
    kinds = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
    found = [link for link in (error, getattr(error, "exc", None)) if isinstance(link, kinds)]
    return bool(found) and not any(isinstance(link, json.JSONDecodeError) for link in found)


def check_api_key(key: str, url: str) -> None:
    """Refuse a key that cannot be one; the client's own error does not name the variable."""
    secret = key.partition("-")[2] or key
    if _SESSION_KEY.fullmatch(key) or (re.fullmatch(r"[\w-]+", secret) and len(secret) >= MIN_KEY_LENGTH):
        return
    if not key:
        text = "there is no W&B API key."
        hint = "Set WANDB_API_KEY in the environment (a secret of the workflow)."
    elif not re.fullmatch(r"[\w-]+", secret):
        text = "the W&B API key has a character that no key has: a space, a quote or a line end."
        hint = "Set WANDB_API_KEY to the key alone."
    else:
        prefix = " after its prefix" if secret != key else ""
        text = f"the W&B API key has {len(secret)} characters{prefix}; keys have at least {MIN_KEY_LENGTH}."
        hint = "Set WANDB_API_KEY to the whole key."
    raise SourceSetupError(text, hint=hint, where=url)


def call_timeout(retry: RetryPolicy) -> float:
    """Seconds after which one call ends, retries included, even where the server requests longer waits."""
    return min(retry.max_attempts * retry.timeout + sum(_whole_second_waits(retry)) + 2.0, 58.0)


def _whole_second_waits(retry: RetryPolicy) -> list[int]:
    """Whole seconds, at least 1: what the client understands (it takes 0 for "the default")."""
    return [max(math.ceil(pause), 1) for pause in retry.backoffs()]


def _retry_settings(retry: RetryPolicy) -> dict[str, int]:
    waits = _whole_second_waits(retry) or [1]
    bounds = {}
    for what in ("graphql", "file_transfer"):
        bounds[f"x_{what}_retry_max"] = retry.max_retries
        bounds[f"x_{what}_retry_wait_min_seconds"] = waits[0]
        bounds[f"x_{what}_retry_wait_max_seconds"] = waits[-1]
        bounds[f"x_{what}_timeout_seconds"] = max(math.ceil(retry.timeout), 1)
    return bounds


def configure_environment(retry: RetryPolicy) -> None:
    """The client reads its settings from the environment, once, when it is first used."""
    os.environ.update({f"WANDB_{name.upper()}": str(value) for name, value in _retry_settings(retry).items()})
    os.environ.update(
        WANDB_SILENT="true",
        WANDB_QUIET="true",
        WANDB_CONSOLE="off",
        WANDB_ERROR_REPORTING="false",
        WANDB_DIR=_scratch_dir(),
    )


def _configure_settings(retry: RetryPolicy) -> None:
    """The same settings for a process that has used the client before."""
    from wandb.sdk import wandb_setup

    settings = wandb_setup.singleton().settings
    for name, value in _retry_settings(retry).items():
        setattr(settings, name, value)


@cache
def _scratch_dir() -> str:
    """The folder for files that the client writes; removed at exit. (It makes a folder for every run it lists.)"""
    folder = tempfile.mkdtemp(prefix="modelwatch-wandb-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _exception_chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def _http_status(error: BaseException) -> int:
    """The HTTP status behind an error; 0 where there was no answer."""
    for link in _exception_chain(error):
        response = getattr(link, "response", None)
        for attribute in ("http_status", "status_code"):
            status = getattr(response, attribute, None)
            if status:
                return int(status)
    matches = _HTTP.findall(" ".join(str(link) for link in _exception_chain(error)))
    return int(matches[-1][0] or matches[-1][1]) if matches else 0


def _error_text(error: BaseException) -> str:
    """The client's message without its list of attempts ("POST x giving up after 3 attempts: why while retrying")."""
    text = " ".join(str(error).split()) or type(error).__name__
    return shorten(_ATTEMPTS.sub("", text.partition(" while retrying: ")[0]))
