"""What the gateway counts. Only names of models that are served become labels."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


@dataclass(slots=True)
class Measured:
    """One request under way; an answer that never came counts as 499, as nginx has it."""

    status: int = 499


class Metrics:
    """The gateway's series in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "llmaz_gateway_requests_total",
            "Requests passed to engines, by the status of the answer.",
            ("model", "status"),
            registry=registry,
        )
        self._refused = Counter(
            "llmaz_gateway_refused_total",
            "Requests answered by the gateway with an error of its own.",
            ("status",),
            registry=registry,
        )
        self._under_way = Gauge(
            "llmaz_gateway_requests_under_way",
            "Requests that wait for an engine or are being answered.",
            ("model",),
            registry=registry,
        )
        self._seconds = Histogram(
            "llmaz_gateway_request_seconds",
            "From the request's last byte to the answer's last byte.",
            ("model",),
            buckets=_SECONDS,
            registry=registry,
        )

        self._held = Gauge(
            "llmaz_gateway_held_requests",
            "Requests that wait for the first engine of a model to start.",
            ("model",),
            registry=registry,
        )
        self._wakes = Counter(
            "llmaz_gateway_wakes_total",
            "Playgrounds that were started from zero because a request waited.",
            ("model",),
            registry=registry,
        )

    def holds(self, model: str, count: int) -> None:
        self._held.labels(model).set(count)

    def woke(self, model: str) -> None:
        self._wakes.labels(model).inc()

    @contextmanager
    def request(self, model: str) -> Iterator[Measured]:
        """Measure one request to an engine."""
        measured = Measured()
        started = time.monotonic()
        try:
            with self._under_way.labels(model).track_inprogress():
                yield measured
        finally:
            self._requests.labels(model, str(measured.status)).inc()
            self._seconds.labels(model).observe(time.monotonic() - started)

    def refused(self, status: int) -> None:
        self._refused.labels(str(status)).inc()
