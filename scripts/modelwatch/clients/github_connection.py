"""PyGithub's connection with what it lacks: a bound on whole requests, and addresses of IPv6."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .request_deadline import DeadlineAdapter

if TYPE_CHECKING:
    from github.Requester import Requester, RequestsResponse


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
