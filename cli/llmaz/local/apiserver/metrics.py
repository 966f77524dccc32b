"""The server's own figures, in the form that Prometheus scrapes."""

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client import generate_latest as generate

from llmaz.local.apiserver.store import Store

_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)


class Metrics:
    """Requests, watches, objects, the revision and the size of the journal."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "apiserver_requests",
            "Requests answered, by verb, resource and status code.",
            ("verb", "resource", "code"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "apiserver_request_duration_seconds",
            "Time to answer a request; watches are not counted.",
            ("verb",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._watches = Gauge(
            "apiserver_watches", "Watches that are open.", ("resource",), registry=self._registry
        )
        self._objects = Gauge(
            "apiserver_objects", "Objects that are stored.", ("resource",), registry=self._registry
        )
        self._revision = Gauge(
            "apiserver_revision", "The newest resourceVersion.", registry=self._registry
        )
        self._wal = Gauge(
            "apiserver_wal_bytes", "Size of SQLite's write-ahead log.", registry=self._registry
        )

    def answered(self, verb: str, resource: str, code: int, seconds: float) -> None:
        self._requests.labels(verb, resource, str(code)).inc()
        if verb != "watch":
            self._seconds.labels(verb).observe(seconds)

    def watch_begun(self, resource: str) -> None:
        self._watches.labels(resource).inc()

    def watch_ended(self, resource: str) -> None:
        self._watches.labels(resource).dec()

    def response(self) -> web.Response:
        for resource, count in self._store.counts().items():
            self._objects.labels(resource).set(count)
        self._revision.set(self._store.revision)
        self._wal.set(self._store.wal_bytes())
        headers = {"Content-Type": CONTENT_TYPE_LATEST}
        return web.Response(body=generate(self._registry), headers=headers)
