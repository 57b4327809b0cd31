"""The relay's log, one JSON object a line on standard error, and its metrics.

Fields are checked ids, words and numbers; secrets, headers and bodies never reach it.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

LOGGER_NAME = "modelwatch.relay"
logger = logging.getLogger(LOGGER_NAME)


class JsonLines(logging.Formatter):
    """``time``, ``level``, ``message``, then the fields of the record."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": at, "level": record.levelname.lower(), "message": record.getMessage()}
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[0] is not None:
            # Where it happened, without the message, which can quote what came from outside.
            line["exception"] = record.exc_info[0].__name__
            line["at"] = _traceback_locations(record.exc_info[2])
        return json.dumps(line)


def _traceback_locations(traceback: Any) -> list[str]:
    locations: list[str] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        locations.append(f"{code.co_filename.rpartition('/')[2]}:{traceback.tb_lineno}:{code.co_name}")
        traceback = traceback.tb_next
    return locations[-12:]


def log(level: int, message: str, **fields: object) -> None:
    """One line; empty fields are left out."""
    if logger.isEnabledFor(level):
        logger.log(level, message, extra={"fields": {name: value for name, value in fields.items() if value != ""}})


def log_to_stderr() -> None:
    """Log the relay's and uvicorn's lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in (LOGGER_NAME, "uvicorn.error"):
        target = logging.getLogger(name)
        target.handlers, target.propagate = [handler], False
        target.setLevel(logging.INFO)
    limit = RateLimit()
    # Anybody can provoke uvicorn's warnings.
    logging.getLogger("uvicorn.error").filters = [
        lambda record: record.levelno != logging.WARNING or limit.allows_line()
    ]


class RateLimit:
    """Lets one line a second through, and counts the others: a flood must not fill the disk."""

    def __init__(self) -> None:
        self._next = 0.0
        self._suppressed = 0

    def allows_line(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            self._suppressed += 1
            return False
        self._next = now + 1.0
        return True

    def log(self, level: int, message: str, **fields: object) -> None:
        if self.allows_line():
            log(level, message, **fields, kept_back=self._suppressed)
            self._suppressed = 0


METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
STATUS_BY_OUTCOME = {
    "accepted": 202, "duplicate": 202, "unwanted": 202, "old": 202, "ping": 202,
    "forged": 403, "oversized": 413,
    "refused": 502, "unreachable": 502, "timeout": 504,
    "slow": 503, "limited": 503, "full": 503, "unready": 503, "bug": 500,
}  # fmt: skip
"""PagerDuty drops a webhook after a 2xx and retries a 5xx for 48 hours; a 4xx loses it, so it is rare."""


class Metrics:
    """A registry of its own, so that several relays fit into one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.webhooks = Counter(
            "modelwatch_relay_webhooks", "Webhooks by outcome.", ["outcome"], registry=self.registry
        )
        self.seconds = Histogram(
            "modelwatch_relay_seconds", "From headers to answer.", buckets=_SECONDS_BUCKETS, registry=self.registry
        )
        self.github = Counter(
            "modelwatch_relay_github_answers",
            "Answers of GitHub by status; 0 where there was none.",
            ["status"],
            registry=self.registry,
        )
        self.github_seconds = Histogram(
            "modelwatch_relay_github_seconds", "One dispatch.", buckets=_SECONDS_BUCKETS, registry=self.registry
        )
        self.under_way = Gauge("modelwatch_relay_under_way", "Dispatches under way.", registry=self.registry)
        self.remembered = Gauge("modelwatch_relay_remembered", "Remembered ids.", registry=self.registry)
        self.ready = Gauge("modelwatch_relay_ready", "1 while webhooks are accepted.", registry=self.registry)
        self.rotations = Gauge(
            "modelwatch_relay_secret_reads", "How often the file of secrets was read again.", registry=self.registry
        )
        self.by_outcome = {name: self.webhooks.labels(name) for name in STATUS_BY_OUTCOME}

    def render(self) -> bytes:
        return generate_latest(self.registry)
