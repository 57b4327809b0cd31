"""The client of GitHub's REST API: PyGithub with bounded retries, and its errors as messages that say what to do."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urljoin, urlsplit

from ..errors import ServiceError, UserError, shorten
from .http import is_secure_url
from .redaction import Redactor
from .retry import CircuitBreaker, RetryPolicy, timeout_scale

if TYPE_CHECKING:
    from github import Github, GithubException

DEFAULT_API_URL = "https://api.github.com"
ACTIONS_LOGIN = "github-actions[bot]"
"""The login that writes with the GITHUB_TOKEN of a workflow."""
USER_TOKEN_PREFIXES = ("ghp_", "github_pat_", "gho_", "ghu_")
"""Prefixes of the tokens of accounts; older servers use others."""
APP_TOKEN_PREFIX = "ghs_"  # noqa: S105 - what tokens of a GitHub App begin with
"""Prefix of the tokens of Apps and workflows."""
NOT_A_USER_MESSAGE = "not accessible by integration"
"""GitHub's answer to a token that belongs to no account."""
PER_PAGE = 100
MAX_PAGES = 100
"""Of one list, more than anybody reads."""
MAX_REDIRECTS = 5

_LOGIN_ACTION = "find out whose token this is"
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_NEXT_LINK = re.compile(r'<([^>]+)>;\s*rel="?next"?')
_LAST_LINK = re.compile(r'[?&]page=(\d{1,6})[^>]*>;\s*rel="?last"?')
_REPOSITORY_URL = re.compile(r"https?://[^?#]*?/(?:repositories/\d+|repos/[^/?#]+/[^/?#]+)")
_HINTS = {
    401: "The token is wrong, expired or revoked: check the secret behind GITHUB_TOKEN.",
    404: "The repository or workflow does not exist, or the token cannot see it.",
    410: "Issues are switched off in this repository, or this one was deleted.",
}
_PROXY_HINT = "A proxy may be in the way."
_RATE_WORDS = ("rate limit", "abuse detection", "submitted too quickly")
_ODD_ERRORS = (ValueError, TypeError, AttributeError, KeyError, AssertionError, RuntimeError)
"""What PyGithub raises, besides its own exceptions, for an answer that is not GitHub's."""


def github_retry_policy(env: Mapping[str, str]) -> RetryPolicy:
    """Four requests of at most 12 s with waits of 1, 2 and 4 s between them, and 25 s in all: GitHub itself gives up
    after 10 s."""
    return RetryPolicy(max_attempts=4, initial_wait=1.0, max_wait=8.0, timeout=12.0, call_timeout=25.0).scale(env)


def github_breaker(env: Mapping[str, str]) -> CircuitBreaker:
    """For one GitHub in one run, which it can delay by at most 55 s: 30 s that were lost, and one more call."""
    return CircuitBreaker(30.0 * timeout_scale(env))


def github_token(env: Mapping[str, str]) -> str:
    """The token to use, empty where there is none."""
    return (env.get("GITHUB_TOKEN") or env.get("GH_TOKEN") or "").strip()


def github_api_url(env: Mapping[str, str], configured: str = "") -> str:
    """The API's base URL: as configured, else as the runner says, else github.com's."""
    return (configured or env.get("GITHUB_API_URL") or DEFAULT_API_URL).rstrip("/")


def open_github(api_url: str, token: str, retry: RetryPolicy) -> Github:
    """A PyGithub client: GET alone is repeated, a bounded number of times with bounded waits. A request ends within
    ``retry.deadline()`` seconds.

    Raises UserError where ``token`` is empty or ``api_url`` is not a URL.
    """
    if not token:
        raise UserError(
            "there is no GitHub token.",
            hint="Set GITHUB_TOKEN (or GH_TOKEN) in the environment; `gh auth token` prints yours.",
        )
    if not is_secure_url(api_url):
        raise UserError(
            f"{api_url!r} is not the https URL of a GitHub API", hint="It looks like https://api.github.com."
        )
    from github import Auth, Github

    from .github_connection import bound_requester, bounded_retry

    # PyGithub writes every refused request to stderr, urllib3 every retry; what matters is in the errors we raise.
    for name in ("github", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.ERROR)
    client = Github(
        auth=Auth.Token(token),
        base_url=api_url,
        timeout=max(1, round(retry.timeout)),
        retry=bounded_retry(retry),
        lazy=True,
        per_page=PER_PAGE,
        user_agent="modelwatch",
        seconds_between_requests=None,
        seconds_between_writes=retry.wait_scale,
    )
    bound_requester(client.requester, retry.deadline())
    return client


def repository_path(repository: str) -> str:
    """``/repos/owner/name``; raises UserError where ``repository`` is not of that form."""
    if not _REPOSITORY.fullmatch(repository) or ".." in repository:
        raise UserError(f"{repository!r} is not a repository", hint="Write it as `owner/name`.")
    return f"/repos/{repository}"


def read_number(value: Any) -> int:
    """The number or id of something at GitHub. Raises ValueError."""
    if type(value) is not int or not 0 < value < 2**63:
        raise ValueError("it is not the number of anything")
    return value


def quote_segment(text: str) -> str:
    """``text`` as one part of a path."""
    return quote(text, safe="")


class Page(list[dict[str, Any]]):
    """One page of a list; ``more`` says that another one follows, and ``last`` is the number of the last one."""

    def __init__(self, rows: list[dict[str, Any]], *, more: bool, last: int = 0) -> None:
        super().__init__(rows)
        self.more = more
        self.last = last


class GitHubClient:
    """Requests to one GitHub, one at a time (a PyGithub connection must not be shared between threads)."""

    def __init__(
        self,
        api_url: str,
        token: str,
        retry: RetryPolicy,
        breaker: CircuitBreaker | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        self.api_url = api_url
        self.retry = retry
        self._breaker = breaker or CircuitBreaker()
        self._redactor = redactor or Redactor(())
        self._token = token
        self._lock = threading.RLock()
        self._client: Github | None = None
        self._login: str | None = None

    def get(self, path: str, action: str, *, permission: str = "") -> dict[str, Any]:
        """GET one object. Raises ServiceError."""
        _, data = self._request("GET", path, action, permission)
        if not isinstance(data, dict):
            raise malformed_answer(action, self.api_url, uncertain=False)
        return data

    def get_with_headers(self, path: str, action: str) -> tuple[dict[str, str], dict[str, Any]]:
        """(headers by their names in lower case, the object). Raises ServiceError."""
        headers, data = self._request("GET", path, action, "")
        if not isinstance(data, dict):
            raise malformed_answer(action, self.api_url, uncertain=False)
        return {str(name).lower(): str(value) for name, value in headers.items()}, data

    def paginate(
        self, path: str, action: str, params: Mapping[str, str | int], *, permission: str = "", item: str = ""
    ) -> Iterator[Page]:
        """The pages of a list, each as a list of objects, by the ``Link`` header. Raises ServiceError, also for a list
        that leads back to one of its pages, or does not end."""
        following: dict[str, str | int] = {"per_page": PER_PAGE, **params}
        seen: set[str] = set()
        while path:
            if path in seen or len(seen) >= MAX_PAGES:
                raise ServiceError(
                    f"could not {action}: its pages do not end", where=f"GitHub ({self.api_url})", hint=_PROXY_HINT
                )
            seen.add(path)
            headers, data = self._request("GET", path, action, permission, following)
            rows = data.get(item) if item and isinstance(data, dict) else data
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise malformed_answer(action, self.api_url, uncertain=False)
            links = str(headers.get("link", ""))
            link, last = _NEXT_LINK.search(links), _LAST_LINK.search(links)
            path, following = (link.group(1), {}) if link else ("", {})
            yield Page(rows, more=bool(path), last=int(last.group(1)) if last else 0)

    def write(self, verb: str, path: str, action: str, body: Mapping[str, Any], *, permission: str = "") -> Any:
        """POST, PATCH or DELETE, once, with secrets in ``body`` masked. Raises ServiceError; ``uncertain`` in it says
        that the write may have taken effect anyway."""
        _, data = self._request(verb, path, action, permission, body=self._redactor.redact(dict(body)) or None)
        return data

    def require_object(self, data: Any, action: str, *names: str) -> dict[str, Any]:
        """``data`` if it is an object that has ``names``; raises ServiceError otherwise. A field that is called
        ``number``, ``id`` or ``..._id`` has to be the number of something."""
        try:
            if not isinstance(data, dict):
                raise TypeError
            for name in names:
                if data[name] is None:
                    raise ValueError
                if name == "number" or name.endswith("id"):
                    read_number(data[name])
        except (LookupError, TypeError, ValueError) as error:
            raise malformed_answer(action, self.api_url) from error
        return data

    def login(self) -> str:
        """The login that this token writes as: of an account, an App or GitHub Actions. Raises ServiceError."""
        if self._login is None:
            self._login = self._app_login() if self._token.startswith(APP_TOKEN_PREFIX) else self._user_login()
        return self._login

    def _user_login(self) -> str:
        try:
            user = self.get("/user", _LOGIN_ACTION)
        except ServiceError as error:
            if (
                error.status != 403
                or self._token.startswith(USER_TOKEN_PREFIXES)
                or NOT_A_USER_MESSAGE not in error.message
            ):
                raise
            return self._app_login()
        return str(self.require_object(user, _LOGIN_ACTION, "login")["login"])

    def _app_login(self) -> str:
        """The login of a token that belongs to no account, from GraphQL, since REST does not have it.

        Where GraphQL does not answer either, the token counts as a workflow's own. A wrong guess does no harm: the
        issue of another bot then blocks its group, and no second one is opened.
        """
        path = f"{self.api_url.removesuffix('/v3')}/graphql"
        try:
            answer = self.write("POST", path, _LOGIN_ACTION, {"query": "query { viewer { login } }"})
            return str(answer["data"]["viewer"]["login"] or ACTIONS_LOGIN)
        except (ServiceError, KeyError, TypeError):
            return ACTIONS_LOGIN

    @contextmanager
    def calls(self, action: str, *, permission: str = "", reads: bool = False) -> Iterator[Github]:
        """PyGithub's client, for calls of its own methods; whatever goes wrong in them is raised as ServiceError.

        ``reads`` says that nothing is written: then what got no answer is not tried again by later calls.
        """
        from github import BadAttributeException, GithubException
        from requests.exceptions import RequestException
        from urllib3.exceptions import HTTPError

        with self._lock:
            if reason := self._breaker.refusal(action):
                raise ServiceError(f"could not {action}: {reason}", where=f"GitHub ({self.api_url})")
            if self._client is None:
                self._client = open_github(self.api_url, self._token, self.retry)
            try:
                with self._breaker.measure():
                    yield self._client
            except (GithubException, BadAttributeException, RequestException, HTTPError, *_ODD_ERRORS) as error:
                if isinstance(error, GithubException) and 300 <= error.status < 400 and _location(error, self.api_url):
                    raise self._moved_error(error, action) from error
                failure = translate_github_error(error, action, permission, self.api_url)
                failure.uncertain &= not reads
                if _is_unreachable(error):
                    self._breaker.trip(CircuitBreaker.EVERYTHING, failure, self.retry)
                elif reads and (failure.status >= 500 or isinstance(error, RequestException)):
                    self._breaker.trip(action, failure, self.retry)
                raise failure from error

    def redact(self, text: str) -> str:
        """``text`` with secrets masked, for bodies that do not go through :meth:`write`."""
        return self._redactor.redact_text(text)

    def _request(
        self,
        verb: str,
        path: str,
        action: str,
        permission: str,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, Any], Any]:
        with self.calls(action, permission=permission, reads=verb == "GET") as client:
            headers, data = self._send(client, verb, path, params or {}, body)
        if isinstance(data, dict) and data.keys() <= {"data", "url"} and isinstance(data.get("data"), str):
            # PyGithub's way to hand over an answer that is no JSON at all.
            raise malformed_answer(action, self.api_url, uncertain=verb != "GET")
        return headers, data

    def _send(
        self, client: Github, verb: str, path: str, params: Mapping[str, Any], body: Mapping[str, Any] | None
    ) -> tuple[dict[str, Any], Any]:
        """One request; a redirected GET is sent again to the new address, with its query."""
        from github import GithubException

        for _ in range(MAX_REDIRECTS):
            try:
                return client.requester.requestJsonAndCheck(verb, path, parameters=dict(params), input=body)
            except GithubException as error:
                location = _location(error, self.api_url)
                if verb != "GET" or not 300 <= error.status < 400 or not location:
                    raise
                query, target = urlsplit(path).query, urlsplit(location)
                params = {**dict(parse_qsl(query)), **params, **dict(parse_qsl(target.query))}
                path = target._replace(query="", fragment="").geturl()
        raise RuntimeError(f"it was redirected {MAX_REDIRECTS} times in a row")

    def _moved_error(self, error: GithubException, action: str) -> ServiceError:
        """The error of a redirected write: nothing happened, since GitHub redirects only what it does not do."""
        match, name = _REPOSITORY_URL.match(_location(error, self.api_url)), ""
        if match:
            try:
                name = str(self.get(match[0], "read the repository that has moved").get("full_name") or "")
            except ServiceError:
                name = ""
        text = f"could not {action}: {error.status} the repository has moved{f' to {name}' if name else ''}"
        hint = f"Nothing was changed. Write its new name{f', {name},' if name else ''} in the configuration."
        return ServiceError(text, status=error.status, hint=hint, where=f"GitHub ({self.api_url})")


def _location(error: GithubException, api_url: str) -> str:
    """The address that a redirect names; empty where it names none."""
    location = str((error.headers or {}).get("location", ""))
    try:
        return urlsplit(urljoin(f"{api_url}/", location)).geturl() if location else ""
    except ValueError:
        return ""


def translate_github_error(error: Exception, action: str, permission: str, api_url: str) -> ServiceError:
    """The :class:`ServiceError` for anything that a request through PyGithub can raise.

    ``action`` says what was tried (``list the issues of acme/churn``), ``permission`` what the token needs for it.
    """
    from github import GithubException
    from requests.exceptions import ConnectionError as NoConnection
    from requests.exceptions import RequestException, Timeout

    where = f"GitHub ({api_url})"
    uncertain, hint = not isinstance(error, (AssertionError, RuntimeError)), ""
    if isinstance(error, GithubException):
        return _error_from_github_answer(error, action, permission, where)
    if isinstance(error, Timeout) or _is_timeout(error):
        text, hint = "no answer in time", "GitHub is slow or unreachable; try again later."
    elif isinstance(error, NoConnection):
        text = f"the connection failed ({shorten(_root_cause_text(error), 160)})"
        hint = "Is the address right, and the network up?"
    elif isinstance(error, (RequestException, RuntimeError)):
        text = shorten(error, 200)
    elif isinstance(error, AssertionError):
        text = f"the answer points to another host or port ({shorten(error, 100)})"
        hint = "Set `github.api_url` to the address that GitHub itself uses."
    else:
        text, hint = "the answer is not the JSON that GitHub sends", _PROXY_HINT
    return ServiceError(f"could not {action}: {text}", uncertain=uncertain, hint=hint, where=where)


def malformed_answer(action: str, api_url: str, *, uncertain: bool = True) -> ServiceError:
    """The error for an answer that is JSON of another form than GitHub's."""
    error = translate_github_error(ValueError(), action, "", api_url)
    error.uncertain = uncertain
    return error


def _error_from_github_answer(error: GithubException, action: str, permission: str, where: str) -> ServiceError:
    status, headers, message = error.status, error.headers or {}, github_message(error.data)
    text = f"could not {action}: {status} {message}".rstrip()
    if status < 400:
        # Neither did it take effect nor was it refused, as far as anybody can tell.
        return ServiceError(
            f"{text}, which is no answer of GitHub's", status=status, uncertain=True, hint=_PROXY_HINT, where=where
        )
    limited = status == 429 or (status == 403 and _is_rate_limit(message, headers))
    hint = _rate_limit_hint(headers) if limited else _github_hint(status, message, permission)
    return ServiceError(text, status=status, uncertain=status >= 500, hint=hint, where=where)


def _github_hint(status: int, message: str, permission: str) -> str:
    if status == 403 and "archived" in message.lower():
        return "The repository is archived, so nothing can be written to it: unarchive it, or configure another one."
    if status == 403:
        remedy = f"It needs `{permission}`" if permission else "Check its permissions"
        return f"The token may not do this. {remedy} (in a workflow: under `permissions:`)."
    return _HINTS.get(status, "GitHub has trouble; try again later (githubstatus.com)." if status >= 500 else "")


def _is_rate_limit(message: str, headers: Mapping[str, Any]) -> bool:
    if any(word in message.lower() for word in _RATE_WORDS):
        return True
    return "retry-after" in headers or str(headers.get("x-ratelimit-remaining", "")) == "0"


def _rate_limit_hint(headers: Mapping[str, Any]) -> str:
    after = str(headers.get("retry-after", ""))
    reset = str(headers.get("x-ratelimit-reset", "")).partition(".")[0]
    if after.isascii() and after.isdigit():
        when = f" GitHub says to wait {after} s."
    elif reset.isascii() and reset.isdigit() and len(reset) < 12:
        when = f" It ends at {datetime.fromtimestamp(int(reset), UTC):%Y-%m-%d %H:%M:%S} UTC."
    else:
        when = ""
    return f"This is a rate limit.{when} The next evaluation tries again."


def github_message(data: Any) -> str:
    """GitHub's message in an error's body, with the fields it complains about."""
    if isinstance(data, bytes):
        return shorten(data.decode("utf-8", errors="replace"), 200)
    if not isinstance(data, Mapping):
        return shorten(data, 200) if data else ""
    parts = [str(data.get("message") or data.get("data") or "")]
    errors = data.get("errors")
    for item in errors if isinstance(errors, list) else []:
        if isinstance(item, Mapping):
            fields = [str(item[name]) for name in ("resource", "field", "code", "message") if item.get(name)]
            parts.append(" ".join(fields))
        else:
            parts.append(str(item))
    return shorten("; ".join(part for part in parts if part))


def _is_timeout(error: BaseException) -> bool:
    """Whether the last of several attempts timed out, which ``requests`` reports as a failed connection."""
    from urllib3.exceptions import ReadTimeoutError

    inner = error.args[0] if error.args else None
    return isinstance(getattr(inner, "reason", None), ReadTimeoutError)


def _is_unreachable(error: BaseException) -> bool:
    """Whether there was not even a connection."""
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    inner = error.args[0] if error.args else None
    return isinstance(getattr(inner, "reason", None), (ConnectTimeoutError, NewConnectionError))


def _root_cause_text(error: BaseException) -> str:
    """The innermost reason of a failed connection, without object addresses."""
    root: BaseException = error
    for _ in range(6):
        inner = getattr(root, "reason", None) or (root.args[0] if root.args else None)
        if not isinstance(inner, BaseException):
            break
        root = inner
    reason = root.__cause__.strerror if isinstance(root.__cause__, OSError) else None
    text = reason or re.sub(r"^(?:<.*>|\w+\(host=[^()]*\)): ", "", str(root))
    return text or type(root).__name__
