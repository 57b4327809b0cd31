"""PyGithub's connection with what it lacks: a bound on whole requests, bounded retries, and addresses of IPv6."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .request_deadline import DeadlineAdapter, seconds_left
from .retry import RetryPolicy

if TYPE_CHECKING:
    from github.GithubRetry import GithubRetry
    from github.Requester import Requester, RequestsResponse

MAX_ERROR_BYTES = 64 * 1024
"""Of the body of a 403, in which PyGithub looks for a rate limit."""
MAX_NAMED_WAIT = 7_200.0
"""Seconds; GitHub never names more than an hour."""


def bound_requester(requester: Requester, seconds: float) -> None:
    """End each request of ``requester``, its repetitions included, after ``seconds``, however slowly GitHub sends.

    Its class of connections can be replaced for the whole process only (``injectConnectionClasses``), and then it no
    longer keeps one open; so it is replaced here, for this requester.
    """
    from github.Requester import RequestsResponse

    name = "_Requester__connectionClass"
    kind: Any = getattr(requester, name)

    class BoundedConnection(kind):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            sizes = {"pool_connections": self.pool_size, "pool_maxsize": self.pool_size}
            self.session.mount(f"{self.protocol}://", DeadlineAdapter(seconds, max_retries=self.retry, **sizes))

        def getresponse(self) -> RequestsResponse:
            host = f"[{self.host}]" if ":" in self.host else self.host
            address = f"{self.protocol}://{host}:{self.port}{self.url}"
            options = {"timeout": self.timeout, "verify": self.verify, "allow_redirects": False}
            return RequestsResponse(
                self.session.request(self.verb, address, headers=self.headers, data=self.input, **options)
            )

    setattr(requester, name, BoundedConnection)


def _is_neither(method: str, status: int) -> bool:
    """Whether an answer is neither success nor an error."""
    return (not 200 <= status < 300 and status < 400) or (status == 202 and method == "GET")


def bounded_retry(policy: RetryPolicy) -> GithubRetry:
    """PyGithub's retry with every wait bounded and scaled.

    It also raises for every redirect and every other answer that is neither success nor an error. PyGithub takes a 103,
    302, 307 or 308 for success, so a dispatch that never happened would be reported as sent; it follows a 301 without
    the query, so a filtered list would come unfiltered; and it repeats a GET that is answered 202 every two seconds,
    for ever.
    """
    from github import GithubException
    from github.GithubRetry import GithubRetry
    from urllib3.exceptions import InvalidHeader, MaxRetryError

    class BoundedRetry(GithubRetry):
        def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
            return _is_neither(method, status_code) or super().is_retry(method, status_code, has_retry_after)

        def increment(self, method: Any = None, url: Any = None, response: Any = None, *rest: Any, **named: Any) -> Any:
            if response is not None and _is_neither(str(method), response.status):
                response.drain_conn()
                headers = {name.lower(): value for name, value in response.headers.items()}
                raise GithubException(response.status, {}, headers)
            if response is not None and self._named_wait(response) > policy.max_wait:
                raise MaxRetryError(named["_pool"], str(url))  # the answer stands: it says how long to wait
            following = super().increment(method, url, response, *rest, **named)
            wait = (following.get_retry_after(response) if response is not None else 0) or following.get_backoff_time()
            if wait >= seconds_left():
                raise MaxRetryError(named["_pool"], str(url), named.get("error"))
            return following

        @staticmethod
        def get_content(resp: Any, url: str) -> bytes:
            """The beginning of the body, in which PyGithub looks for the words of a rate limit."""
            return bytes(resp.read(MAX_ERROR_BYTES, decode_content=True))

        def get_backoff_time(self) -> float:
            return policy.backoff(len(self.history) - 1) if self.history else 0.0

        def get_retry_after(self, response: Any) -> float | None:
            seconds = self._named_wait(response)
            return policy.backoff(0, seconds) if seconds else None

        def _named_wait(self, response: Any) -> float:
            """Seconds to wait by the server's own word; 0 where it names none that makes sense."""
            try:
                seconds = super().get_retry_after(response) or 0.0
            except (InvalidHeader, ValueError, OverflowError):
                return 0.0
            return seconds if seconds <= MAX_NAMED_WAIT else 0.0

    return BoundedRetry(
        total=policy.max_retries,
        allowed_methods=frozenset({"GET"}),
        status_forcelist=[429, 500, 502, 503, 504],
        raise_on_status=False,
        secondary_rate_wait=policy.max_wait * policy.wait_scale,
        max_rate_limit_wait=max(policy.max_wait, policy.max_wait * policy.wait_scale),
    )
