"""What the node's fetches brought and how they went, for the metrics."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.tally import Tally
from llmaz.agent.swarm.values import Limits

_SECONDS = (0.1, 1.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1800.0, 7200.0)
_BY_SOURCE = (
    ("bytes", "fetched_bytes", "Bytes that fetches brought."),
    ("wrong", "verify_failures", "Files and chunks that were other than they should be."),
)
_RELATIONS = ("rack", "zone", "none")
_FAILURES = ("busy", "cut", "gone", "refused", "silent", "unreachable", "wrong")
_BANNED_SECONDS = Limits().ban_seconds
_OF_PEERS = (
    ("relation", "relation", "received_bytes", "Bytes of other nodes, by what they share with it."),
    ("failure", "reason", "failures", "Chunks that other nodes did not bring, by why."),
    ("ban", "peer", "bans", "How often a node was found to send wrong bytes, and asked no more."),
)
_PLAIN = (
    ("stalls", "stalls", "Connections that were cut because nothing came."),
    ("refusals", "throttled", "Answers that asked for fewer requests, such as 429."),
    ("doubted", "refetched_bytes", "Bytes fetched again since the machine went down too early."),
)


class OneFetch:
    """One fetch, of which the child tells the sums so far."""

    def __init__(self, counts: Counter[tuple[str, str]], banned: Callable[[str], None]) -> None:
        self._counts = counts
        self._banned = banned
        self._told = Tally()
        self.outcome: Fetched | FetchFailed | None = None

    def told(self, tally: Tally) -> None:
        told, self._told = self._told, tally
        before = _entries(told)
        for key, value in _entries(tally).items():
            self._counts[key] += max(0, value - before.get(key, 0))
        for peer in sorted(set(tally.banned) - set(told.banned)):
            self._banned(peer)


class FetchCounts(Collector):
    """Adds up all fetches since the agent started."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter(dict.fromkeys(_entries(Tally()), 0))
        self._under_way = 0
        self._banned_until: dict[str, float] = {}
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
        fetch, begun = OneFetch(self._counts, self._ban), time.monotonic()
        self._under_way += 1
        try:
            yield fetch
        finally:
            self._under_way -= 1
            self._seconds.labels(_word(fetch.outcome)).observe(time.monotonic() - begun)

    def distrusted(self) -> tuple[str, ...]:
        """Return the nodes that are asked for nothing since they sent wrong bytes."""
        now = time.monotonic()
        return tuple(sorted(peer for peer, until in self._banned_until.items() if until > now))

    def _ban(self, peer: str) -> None:
        self._counts["ban", peer] += 1
        self._banned_until[peer] = time.monotonic() + _BANNED_SECONDS

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
        yield from self._of_peers()
        yield GaugeMetricFamily(
            "llmaz_cache_fetches_under_way", "Fetches that go on now.", value=self._under_way
        )
        yield from self._seconds.collect()

    def _of_peers(self) -> Iterator[Metric]:
        for kind, label, name, words in _OF_PEERS:
            metric = CounterMetricFamily(f"llmaz_cache_peer_{name}", words, labels=[label])
            for key in sorted(key for key in self._counts if key[0] == kind):
                metric.add_metric([key[1]], self._counts[key])
            yield metric


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
        **{("relation", name): tally.by_relation.get(name, 0) for name in _RELATIONS},
        **{("failure", why): tally.peer_failures.get(why, 0) for why in _FAILURES},
    }
