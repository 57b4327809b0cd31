"""The relay: authenticate a webhook, decide whether it is forwarded, and dispatch each event once.

The memory of dispatched events only saves dispatches. The guarantee is in the receiving workflow (``run_election``).
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from starlette.requests import ClientDisconnect

from .github_dispatch import Dispatcher, DispatchResult, make_token_provider
from .pagerduty_webhook import (
    PING,
    WORKFLOW_STARTED,
    InvalidEventError,
    WebhookEvent,
    dispatch_payload,
    is_authentic,
    read_event,
)
from .reloading_file import ReloadingFile, parse_secrets
from .settings import MAX_BODY, RelaySettings
from .telemetry import STATUS_BY_OUTCOME, Metrics, RateLimit, log

T = TypeVar("T")


class DedupCache(Generic[T]):
    """Remembers the last ``size`` ids that were accepted, and joins webhooks of one id that arrive together."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._done: OrderedDict[str, None] = OrderedDict()
        self._pending: dict[str, asyncio.Task[T]] = {}

    def __len__(self) -> int:
        return len(self._done)

    @property
    def pending(self) -> int:
        return len(self._pending)

    def contains(self, name: str) -> bool:
        """Whether ``name`` was accepted; it is then the newest again."""
        if name not in self._done:
            return False
        self._done.move_to_end(name)
        return True

    async def run_once(
        self, name: str, send: Callable[[], Coroutine[Any, Any, T]], accepted: Callable[[T], bool]
    ) -> tuple[T, bool]:
        """The result of ``send``, and whether another caller had started it. A failure is not remembered.

        Sending is a task of its own, so a caller that goes away does not cancel it.
        """
        task = self._pending.get(name)
        joined = task is not None
        if task is None:
            task = asyncio.create_task(self._run(name, send, accepted))
            self._pending[name] = task
        return await asyncio.shield(task), joined

    async def _run(self, name: str, send: Callable[[], Awaitable[T]], accepted: Callable[[T], bool]) -> T:
        try:
            result = await send()
        finally:
            self._pending.pop(name, None)
        if accepted(result):
            self._done[name] = None
            while len(self._done) > self.size:
                self._done.popitem(last=False)
        return result

    async def wait_for_pending(self) -> None:
        """Wait for the dispatches that are under way."""
        if tasks := list(self._pending.values()):
            await asyncio.gather(*tasks, return_exceptions=True)


_CLOSING_OUTCOMES = frozenset({"oversized", "slow"})
_MAX_BUFFERED_BYTES = 64 * 1024 * 1024
"""Bytes of all bodies being received; PagerDuty's are a few thousand each."""


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """``outcome`` is a key of :data:`STATUS_BY_OUTCOME`."""

    outcome: str
    reason: str = ""
    id: str = ""
    retry_after: float = 0.0

    @property
    def status(self) -> int:
        return STATUS_BY_OUTCOME[self.outcome]

    @property
    def headers(self) -> dict[str, str]:
        return {"retry-after": str(math.ceil(self.retry_after))} if self.retry_after > 0 else {}

    @property
    def closes_connection(self) -> bool:
        """Whether the connection should end after it."""
        return self.outcome in _CLOSING_OUTCOMES

    def body(self) -> dict[str, str]:
        return {"outcome": self.outcome} | {
            name: value for name, value in (("reason", self.reason), ("id", self.id)) if value
        }


class _BodyTooLargeError(Exception):
    pass


class _OverloadedError(Exception):
    pass


class Relay:
    """One relay. ``clock`` returns seconds UTC."""

    def __init__(self, settings: RelaySettings, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.clock = clock
        self._secrets = ReloadingFile(settings.secrets_file, parse_secrets)
        self._tokens = make_token_provider(settings, clock)
        self._dispatcher = Dispatcher(settings, self._tokens, self.metrics)
        self._dedup: DedupCache[DispatchResult] = DedupCache(settings.dedup_size)
        self._forgery_log = RateLimit()
        self.max_delayed = 2_000
        """How many forgers wait at once; a server lowers it, so that half of its connections stay free."""
        self._delayed = 0
        self._buffered_bytes = 0
        """Bytes of bodies being received."""
        self.metrics.under_way.set_function(lambda: self._dedup.pending)
        self.metrics.remembered.set_function(lambda: len(self._dedup))
        self.metrics.ready.set_function(lambda: not self.problem())
        self.metrics.rotations.set_function(lambda: self._secrets.reload_count)

    async def receive(self, length: str, signature: str, chunks: AsyncIterator[bytes]) -> WebhookAnswer:
        """Answer one webhook; ``length`` is its Content-Length, empty where it is chunked."""
        began = time.monotonic()
        try:
            answer = await self._receive(length, signature, chunks)
        except Exception:
            logging.getLogger("modelwatch.relay").exception("a bug in the relay")
            answer = WebhookAnswer("bug", "an error in the relay")
        self.metrics.by_outcome[answer.outcome].inc()
        self.metrics.seconds.observe(time.monotonic() - began)
        return answer

    async def _receive(self, length: str, signature: str, chunks: AsyncIterator[bytes]) -> WebhookAnswer:
        try:
            # No name keeps the body alive while GitHub answers, or while a forger waits.
            result = self._authenticate(await self._read_body(length, chunks), signature)
        except _BodyTooLargeError:
            self._forgery_log.log(logging.WARNING, "a body is too large")
            return WebhookAnswer("oversized", f"more than {MAX_BODY} bytes")
        except _OverloadedError:
            return WebhookAnswer("full", "too many bodies at once", retry_after=1.0)
        except TimeoutError:
            return WebhookAnswer("slow", "the body did not arrive in time")
        except ClientDisconnect as error:
            return WebhookAnswer("slow", str(error) or "the sender went away")
        if isinstance(result, WebhookEvent):
            return await self._handle_event(result)
        if result.outcome == "forged":
            await self._delay_forger()
        return result

    def _authenticate(self, body: bytes, signature: str) -> WebhookEvent | WebhookAnswer:
        """The event in a body that PagerDuty signed; else the answer."""
        secrets = self._secrets.value()
        if self._secrets.problem:
            self._forgery_log.log(logging.ERROR, "the file of webhook secrets", trouble=self._secrets.problem)
        if not secrets:
            return WebhookAnswer("unready", "there is no webhook secret")
        if not is_authentic(body, signature, secrets):
            return WebhookAnswer("forged", "no signature matches")
        try:
            return read_event(body)
        except InvalidEventError as error:
            log(logging.WARNING, "authentic, but ignored", reason=str(error))
            return WebhookAnswer("unwanted", str(error))

    async def _read_body(self, length: str, chunks: AsyncIterator[bytes]) -> bytes:
        """The whole body. Raises _BodyTooLargeError as early as possible, _OverloadedError and TimeoutError."""
        if length.isascii() and length.isdecimal() and (len(length) > 12 or int(length) > MAX_BODY):
            raise _BodyTooLargeError
        body = bytearray()
        try:
            async with asyncio.timeout(self.settings.timeouts.body):
                async for chunk in chunks:
                    body += chunk
                    self._buffered_bytes += len(chunk)
                    if len(body) > MAX_BODY:
                        raise _BodyTooLargeError
                    if self._buffered_bytes > _MAX_BUFFERED_BYTES:
                        raise _OverloadedError
            return bytes(body)
        finally:
            self._buffered_bytes -= len(body)

    async def _delay_forger(self) -> None:
        """Delay the answer, longer the more forgers there are, so that a flood slows down itself and not PagerDuty."""
        self._forgery_log.log(
            logging.WARNING, "no signature matches: forged, or signed with a secret that is not in the file"
        )
        if self._delayed >= self.max_delayed:
            return
        self._delayed += 1
        try:
            longer = 1.0 + 1.5 * min(self._delayed / 500, 1.0)
            # Random, since those that came together would return together.
            await asyncio.sleep(self.settings.timeouts.forged_delay * longer * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        finally:
            self._delayed -= 1

    async def _handle_event(self, event: WebhookEvent) -> WebhookAnswer:
        if event.type == PING:
            log(logging.INFO, "PagerDuty sent a ping", id=event.id)
            return WebhookAnswer("ping", id=event.id)
        why, verb = self._rejection(event)
        if why:
            log(logging.INFO, "authentic, but ignored", id=event.id, type=event.type, reason=why)
            return WebhookAnswer("unwanted", why, event.id)
        age = math.inf if event.occurred_at is None else self.clock() - event.occurred_at
        if age > self.settings.max_age:
            why = "it has no time" if event.occurred_at is None else "it is too old"
            log(logging.WARNING, "authentic, but ignored", id=event.id, type=event.type, reason=why)
            return WebhookAnswer("old", why, event.id)
        if self._dedup.contains(event.id):
            log(logging.INFO, "dispatched before", id=event.id, type=event.type)
            return WebhookAnswer("duplicate", id=event.id)
        return await self._dispatch_event(event, verb)

    def _rejection(self, event: WebhookEvent) -> tuple[str, str]:
        """Why the event is not forwarded, and the verb that it requests."""
        if event.type not in self.settings.events:
            return "its type is not allowed", ""
        if event.service not in self.settings.services:
            return "its service is not allowed" if event.service else "it names no service", ""
        if event.type != WORKFLOW_STARTED:
            return "", ""
        verb = next((self.settings.verbs[name] for name in event.incident_workflow if name in self.settings.verbs), "")
        return ("" if verb else "its incident workflow has no verb in the settings"), verb

    async def _dispatch_event(self, event: WebhookEvent, verb: str) -> WebhookAnswer:
        if self._dedup.pending >= self.settings.max_in_flight:
            return WebhookAnswer("full", "too many webhooks at once", event.id, retry_after=1.0)
        repository = self.settings.services[event.service]
        sent, joined = await self._dedup.run_once(
            event.id,
            lambda: self._dispatcher.dispatch(repository, dispatch_payload(event, verb)),
            lambda sent: sent.accepted,
        )
        outcome = "duplicate" if joined and sent.accepted else sent.outcome
        level = logging.INFO if sent.accepted else logging.ERROR
        message = "dispatched" if sent.accepted else "not dispatched: PagerDuty retries"
        log(
            level, message, id=event.id, type=event.type, service=event.service, repository=repository, verb=verb,
            outcome=outcome, github=sent.status, reason=sent.reason,
        )  # fmt: skip
        return WebhookAnswer(outcome, sent.reason, event.id, sent.retry_after)

    def problem(self) -> str:
        """Why no webhook can be accepted; empty where all is well."""
        if not self._secrets.value():
            return f"the file of webhook secrets: {self._secrets.problem}"
        return self._tokens.problem()

    async def close(self) -> None:
        """Finish the pending dispatches, then close the connections to GitHub."""
        await self._dedup.wait_for_pending()
        await self._dispatcher.close()
