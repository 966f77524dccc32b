"""What the node's fetches brought and how they went, for the metrics."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from llmaz.agent.cache.state import Fetched, FetchFailed
from llmaz.agent.cache.tally import Tally

_SECONDS = (0.1, 1.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1800.0, 7200.0)
_BY_SOURCE = (
    ("bytes", "fetched_bytes", "Bytes that fetches brought."),
    ("wrong", "verify_failures", "Files and chunks that were other than they should be."),
)
_PLAIN = (
    ("stalls", "stalls", "Connections that were cut because nothing came."),
    ("refusals", "throttled", "Answers that asked for fewer requests, such as 429."),
    ("doubted", "refetched_bytes", "Bytes fetched again since the machine went down too early."),
)


class OneFetch:
    """One fetch, of which the child tells the sums so far."""

    def __init__(self, counts: Counter[tuple[str, str]]) -> None:
        self._counts = counts
        self._told = Tally()
        self.outcome: Fetched | FetchFailed | None = None

    def told(self, tally: Tally) -> None:
        before, self._told = _entries(self._told), tally
        for key, value in _entries(tally).items():
            self._counts[key] += max(0, value - before[key])


class FetchCounts(Collector):
    """Adds up all fetches since the agent started."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter(dict.fromkeys(_entries(Tally()), 0))
        self._under_way = 0
        self._seconds = Histogram(
            "llmaz_cache_fetch_seconds",
            "How long fetches took, by how they ended.",
            ["outcome"],
            buckets=_SECONDS,
            registry=None,
        )

    @contextmanager
    def one(self) -> Iterator[OneFetch]:
        """Count a fetch that goes on inside the `with` block."""
        fetch, begun = OneFetch(self._counts), time.monotonic()
        self._under_way += 1
        try:
            yield fetch
        finally:
            self._under_way -= 1
            self._seconds.labels(_word(fetch.outcome)).observe(time.monotonic() - begun)

    def describe(self) -> list[Metric]:
        """Name nothing ahead: what is collected says it."""
        return []

    def collect(self) -> Iterator[Metric]:
        for kind, name, words in _BY_SOURCE:
            metric = CounterMetricFamily(f"llmaz_cache_{name}", words, labels=["source"])
            for source in ("origin", "peer"):
                metric.add_metric([source], self._counts[kind, source])
            yield metric
        for kind, name, words in _PLAIN:
            plain = CounterMetricFamily(f"llmaz_cache_{name}", words)
            plain.add_metric([], self._counts[kind, ""])
            yield plain
        yield GaugeMetricFamily(
            "llmaz_cache_fetches_under_way", "Fetches that go on now.", value=self._under_way
        )
        yield from self._seconds.collect()


def _word(outcome: Fetched | FetchFailed | None) -> str:
    if outcome is None:
        return "cancelled"
    return "ready" if isinstance(outcome, Fetched) else "failed"


def _entries(tally: Tally) -> dict[tuple[str, str], int]:
    return {
        ("bytes", "origin"): tally.from_origin,
        ("bytes", "peer"): tally.from_peers,
        ("wrong", "origin"): tally.wrong_from_origin,
        ("wrong", "peer"): tally.wrong_from_peers,
        ("stalls", ""): tally.stalls,
        ("refusals", ""): tally.refusals,
        ("doubted", ""): tally.doubted,
    }
