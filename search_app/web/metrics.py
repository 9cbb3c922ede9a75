"""What Prometheus reads at /metrics. Each site has a registry of its own: one process may hold several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

__all__ = ["METRICS_TYPE", "Metrics"]

METRICS_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_STAGE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class _Now(Collector):
    """What is read off when somebody looks: work in progress, and the state of the index."""

    def __init__(self, engine: Callable[[], Any], inside: Callable[[], int]) -> None:
        self._engine = engine
        self._inside = inside

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("concord_questions", "Questions at work or waiting.", self._inside())
        engine = self._engine()
        yield GaugeMetricFamily("concord_index_open", "1 when there is an index that answers.", engine is not None)
        if engine is not None:
            status = engine.status()
            yield GaugeMetricFamily(
                "concord_index_stale", "1 when a newer generation cannot be opened.", engine.stale is not None
            )
            yield GaugeMetricFamily("concord_index_generation", "Generation that answers.", status.generation)
            yield GaugeMetricFamily("concord_index_articles", "Articles in the index.", status.articles)
            yield GaugeMetricFamily("concord_index_passages", "Passages in the index.", status.passages)


class Metrics:
    """Counts and times of one site. `engine` gives the engine if it is open, `inside` the questions in hand."""

    def __init__(self, engine: Callable[[], Any], inside: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "concord_requests", "Requests answered.", ("route", "method", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "concord_request_seconds", "Time to answer.", ("route",), buckets=_REQUEST_BUCKETS, registry=self._registry
        )
        self._stages = Histogram(
            "concord_stage_seconds",
            "Time of one stage of a question.",
            ("stage",),
            buckets=_STAGE_BUCKETS,
            registry=self._registry,
        )
        self._refused = Counter(
            "concord_refused", "Requests that were not worked on, by reason.", ("reason",), registry=self._registry
        )
        for reason in ("overloaded", "out-of-time", "too-many-requests", "unauthorized", "draining"):
            self._refused.labels(reason)  # a counter that is there from the start can be alerted on
        self._registry.register(_Now(engine, inside))

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(route, method if method in _METHODS else "other", str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def stages(self, seconds: Mapping[str, float]) -> None:
        """Count the stages of one question."""
        for stage, value in seconds.items():
            self._stages.labels(stage).observe(value)

    def refused(self, reason: str) -> None:
        """Count a request that was not worked on; `reason` is the slug of the error."""
        self._refused.labels(reason).inc()

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)
