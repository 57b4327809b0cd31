"""What happens to one webhook, from its headers to its answer."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from starlette.requests import ClientDisconnect

from .events import PING, WORKFLOW_STARTED, Event, Unreadable, payload, read_event
from .forward import Forwarder, Sent
from .logs import Seldom, tell
from .memory import Memory
from .metrics import Metrics
from .settings import MAX_BODY, Settings
from .signature import verified
from .tokens import tokens_of
from .watched import WatchedFile, read_secrets

STATUS = {
    "accepted": 202, "duplicate": 202, "unwanted": 202, "old": 202, "ping": 202,
    "forged": 403, "oversized": 413,
    "refused": 502, "unreachable": 502, "timeout": 504,
    "slow": 503, "limited": 503, "full": 503, "unready": 503, "bug": 500,
}  # fmt: skip
"""What PagerDuty hears: 2xx is done, 5xx comes again for 48 hours, and a 4xx is lost: only where it must be."""
_CLOSES = frozenset({"oversized", "slow"})
_MOST_HELD = 64 * 1024 * 1024
"""Bytes of all bodies that are arriving; PagerDuty's are a few thousand each."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``outcome`` is a key of :data:`STATUS`."""

    outcome: str
    reason: str = ""
    id: str = ""
    wait: float = 0.0

    @property
    def status(self) -> int:
        return STATUS[self.outcome]

    @property
    def headers(self) -> dict[str, str]:
        return {"retry-after": str(math.ceil(self.wait))} if self.wait > 0 else {}

    @property
    def last(self) -> bool:
        """Whether the connection should end with it."""
        return self.outcome in _CLOSES

    def body(self) -> dict[str, str]:
        return {"outcome": self.outcome} | {
            name: value for name, value in (("reason", self.reason), ("id", self.id)) if value
        }


class _Oversized(Exception):  # noqa: N818 - an outcome
    pass


class _Full(Exception):  # noqa: N818 - an outcome
    pass


class Relay:
    """One relay. ``clock`` gives seconds UTC."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.clock = clock
        self._secrets = WatchedFile(settings.secrets_file, read_secrets)
        self._tokens = tokens_of(settings, clock)
        self._forwarder = Forwarder(settings, self._tokens, self.metrics)
        self._memory: Memory[Sent] = Memory(settings.memory)
        self._forged = Seldom()
        self.most_waiting = 2_000
        """Forgers that are kept waiting; a server lowers it, so that half of its connections stay for others."""
        self._waiting = 0
        self._held = 0
        """Bytes of bodies that are arriving."""
        self.metrics.under_way.set_function(lambda: self._memory.under_way)
        self.metrics.remembered.set_function(lambda: len(self._memory))
        self.metrics.ready.set_function(lambda: not self.trouble())
        self.metrics.rotations.set_function(lambda: self._secrets.changes)

    async def receive(self, length: str, signature: str, chunks: AsyncIterator[bytes]) -> Answer:
        """Take one webhook; ``length`` is its Content-Length, empty where it is chunked."""
        began = time.monotonic()
        try:
            answer = await self._receive(length, signature, chunks)
        except Exception:
            logging.getLogger("modelwatch.relay").exception("a bug in the relay")
            answer = Answer("bug", "an error of the relay's own")
        self.metrics.by_outcome[answer.outcome].inc()
        self.metrics.seconds.observe(time.monotonic() - began)
        return answer

    async def _receive(self, length: str, signature: str, chunks: AsyncIterator[bytes]) -> Answer:
        try:
            # The body is nobody's any more while GitHub is asked, or a forger is kept waiting.
            found = self._examine(await self._read(length, chunks), signature)
        except _Oversized:
            self._forged.tell(logging.WARNING, "a body is larger than PagerDuty ever sends")
            return Answer("oversized", f"more than {MAX_BODY} bytes")
        except _Full:
            return Answer("full", "too many bodies at once", wait=1.0)
        except TimeoutError:
            return Answer("slow", "the body did not arrive in time")
        except ClientDisconnect as error:
            return Answer("slow", str(error) or "the sender went away")
        if isinstance(found, Event):
            return await self._judge(found)
        if found.outcome == "forged":
            await self._keep_waiting()
        return found

    def _examine(self, body: bytes, signature: str) -> Event | Answer:
        """The event in a body that PagerDuty has signed; else what is answered."""
        secrets = self._secrets.value()
        if self._secrets.trouble:
            self._forged.tell(logging.ERROR, "the file of webhook secrets", trouble=self._secrets.trouble)
        if not secrets:
            return Answer("unready", "there is no webhook secret")
        if not verified(body, signature, secrets):
            return Answer("forged", "no signature fits")
        try:
            return read_event(body)
        except Unreadable as error:
            tell(logging.WARNING, "authentic, and left out", reason=str(error))
            return Answer("unwanted", str(error))

    async def _read(self, length: str, chunks: AsyncIterator[bytes]) -> bytes:
        """The whole body. Raises _Oversized as soon as it is known to be too large, _Full, and TimeoutError."""
        if length.isascii() and length.isdecimal() and (len(length) > 12 or int(length) > MAX_BODY):
            raise _Oversized
        found = bytearray()
        try:
            async with asyncio.timeout(self.settings.times.body):
                async for chunk in chunks:
                    found += chunk
                    self._held += len(chunk)
                    if len(found) > MAX_BODY:
                        raise _Oversized
                    if self._held > _MOST_HELD:
                        raise _Full
            return bytes(found)
        finally:
            self._held -= len(found)

    async def _keep_waiting(self) -> None:
        """The more forgers there are, the longer each waits: a flood slows itself down, not PagerDuty."""
        self._forged.tell(logging.WARNING, "no signature fits: forged, or signed with a secret that is not in the file")
        if self._waiting >= self.most_waiting:
            return
        self._waiting += 1
        try:
            longer = 1.0 + 1.5 * min(self._waiting / 500, 1.0)
            # Not all after the same time: those that came together would come back together.
            await asyncio.sleep(self.settings.times.forged * longer * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        finally:
            self._waiting -= 1

    async def _judge(self, event: Event) -> Answer:
        if event.type == PING:
            tell(logging.INFO, "PagerDuty says hello", id=event.id)
            return Answer("ping", id=event.id)
        why, verb = self._unwanted(event)
        if why:
            tell(logging.INFO, "authentic, and left out", id=event.id, type=event.type, reason=why)
            return Answer("unwanted", why, event.id)
        age = math.inf if event.occurred is None else self.clock() - event.occurred
        if age > self.settings.max_age:
            why = "it has no time" if event.occurred is None else "it is too old"
            tell(logging.WARNING, "authentic, and left out", id=event.id, type=event.type, reason=why)
            return Answer("old", why, event.id)
        if self._memory.knows(event.id):
            tell(logging.INFO, "passed on before", id=event.id, type=event.type)
            return Answer("duplicate", id=event.id)
        return await self._forward(event, verb)

    def _unwanted(self, event: Event) -> tuple[str, str]:
        """Why the event is none of ours, and the verb that it asks for."""
        if event.type not in self.settings.events:
            return "its type is not allowed", ""
        if event.service not in self.settings.services:
            return "its service is not allowed" if event.service else "it names no service", ""
        if event.type != WORKFLOW_STARTED:
            return "", ""
        verb = next((self.settings.verbs[name] for name in event.pressed if name in self.settings.verbs), "")
        return ("" if verb else "its incident workflow stands for no verb"), verb

    async def _forward(self, event: Event, verb: str) -> Answer:
        if self._memory.under_way >= self.settings.most:
            return Answer("full", "too many webhooks at once", event.id, wait=1.0)
        repository = self.settings.services[event.service]
        sent, joined = await self._memory.once(
            event.id, lambda: self._forwarder.send(repository, payload(event, verb)), lambda sent: sent.accepted
        )
        outcome = "duplicate" if joined and sent.accepted else sent.outcome
        level = logging.INFO if sent.accepted else logging.ERROR
        message = "passed on" if sent.accepted else "not passed on: PagerDuty comes again"
        tell(
            level, message, id=event.id, type=event.type, service=event.service, repository=repository, verb=verb,
            outcome=outcome, github=sent.status, reason=sent.reason,
        )  # fmt: skip
        return Answer(outcome, sent.reason, event.id, sent.wait)

    def trouble(self) -> str:
        """Why no webhook can be taken; empty where all is well."""
        if not self._secrets.value():
            return f"the file of webhook secrets: {self._secrets.trouble}"
        return self._tokens.trouble()

    async def close(self) -> None:
        """Finish what is under way, then let go of GitHub."""
        await self._memory.finish()
        await self._forwarder.close()
