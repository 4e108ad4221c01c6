"""Metrics for Prometheus, in a registry of each application's own: two servers in one process do not mix."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counters, histograms and gauges. Label values come from routes and loaded models, never from a request's text."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.requests = Counter("zoo_requests", "Requests answered", ["method", "route", "status"], registry=registry)
        self.seconds = Histogram(
            "zoo_request_seconds", "First byte to last", ["route"], buckets=SECONDS, registry=registry
        )
        self.batches = Histogram("zoo_batch_rows", "Rows of one model call", ["model"], buckets=ROWS, registry=registry)
        self.under_way = Gauge("zoo_requests_under_way", "Requests that wait or compute", registry=registry)
        self.memory = Gauge("zoo_memory_held_bytes", "Bodies and answers in memory", registry=registry)
        self.models = Gauge("zoo_models_ready", "Models that can be asked", registry=registry)
        ProcessCollector(registry=registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a finished request."""
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def batch(self, model: str, rows: int) -> None:
        """Count a computed batch."""
        self.batches.labels(model).observe(rows)

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self._registry)
