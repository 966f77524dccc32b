"""What the fetches of clients brought and cost, for the metrics."""

import logging

from prometheus_client import CollectorRegistry, Counter

from llmaz.agent.cache.tally import Tally

logger = logging.getLogger(__name__)


class ClientCounts:
    """Adds up the fetches of clients of both hubs."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._evictions = Counter(
            "llmaz_cache_client_evictions",
            "Snapshots that made room for what clients of the node's endpoint asked for.",
            registry=registry,
        )
        self._bytes = Counter(
            "llmaz_cache_client_fetched_bytes",
            "Bytes that were fetched for clients of the node's endpoint, by where they came from.",
            ["source"],
            registry=registry,
        )
        self._bans = Counter(
            "llmaz_cache_client_peer_bans",
            "How often a node was found to send wrong bytes to a fetch for a client.",
            ["peer"],
            registry=registry,
        )
        for source in ("origin", "peer"):
            self._bytes.labels(source)

    def evicted(self, snapshots: int) -> None:
        self._evictions.inc(snapshots)

    def told(self, before: Tally, now: Tally) -> None:
        """Count what a fetch has told since the last time."""
        self._bytes.labels("origin").inc(max(0, now.from_origin - before.from_origin))
        self._bytes.labels("peer").inc(max(0, now.from_peers - before.from_peers))
        for peer in sorted(set(now.banned) - set(before.banned)):
            self._bans.labels(peer).inc()
            logger.warning("node %s sent wrong bytes, and is not asked for ten minutes", peer)
