"""What Prometheus is told."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
OUTCOMES = (
    "accepted", "duplicate", "unwanted", "old", "ping", "forged", "oversized", "slow", "refused", "limited", "timeout",
    "unreachable", "full", "unready", "bug",
)  # fmt: skip


class Metrics:
    """A registry of its own, so that several relays fit into one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.webhooks = Counter(
            "modelwatch_relay_webhooks", "Webhooks by what became of them.", ["outcome"], registry=self.registry
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
        self.remembered = Gauge("modelwatch_relay_remembered", "Ids that are remembered.", registry=self.registry)
        self.ready = Gauge("modelwatch_relay_ready", "1 where webhooks can be taken.", registry=self.registry)
        self.rotations = Gauge(
            "modelwatch_relay_secret_reads", "How often the file of secrets was taken anew.", registry=self.registry
        )
        self.by_outcome = {name: self.webhooks.labels(name) for name in OUTCOMES}

    def render(self) -> bytes:
        return generate_latest(self.registry)
