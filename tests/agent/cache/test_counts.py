"""The metrics of fetches."""

from prometheus_client import CollectorRegistry

from llmaz.agent.cache.counts import FetchCounts
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.tally import Tally


def _registered() -> tuple[FetchCounts, CollectorRegistry]:
    counts, registry = FetchCounts(), CollectorRegistry()
    registry.register(counts)
    return counts, registry


def test_sums_of_one_fetch_are_added_once() -> None:
    counts, registry = _registered()
    for _ in range(2):
        with counts.one() as fetch:
            fetch.told(Tally(from_peers=5, from_origin=1))
            fetch.told(Tally(from_peers=9, from_origin=2, stalls=1, wrong_from_peers=3))
            fetch.outcome = Fetched(path="/m")
    value = registry.get_sample_value
    assert value("llmaz_cache_fetched_bytes_total", {"source": "peer"}) == 18
    assert value("llmaz_cache_fetched_bytes_total", {"source": "origin"}) == 4
    assert value("llmaz_cache_verify_failures_total", {"source": "peer"}) == 6
    assert value("llmaz_cache_stalls_total") == 2
    assert value("llmaz_cache_throttled_total") == 0
    assert value("llmaz_cache_fetch_seconds_count", {"outcome": "ready"}) == 2


def test_what_other_nodes_bring_and_do_not_is_told_apart() -> None:
    counts, registry = _registered()
    with counts.one() as fetch:
        fetch.told(Tally(by_relation={"rack": 5}, peer_failures={"busy": 1}))
        fetch.told(Tally(by_relation={"rack": 7, "none": 2}, peer_failures={"busy": 1, "cut": 4}))
        assert counts.distrusted() == ()
        for _ in range(2):
            fetch.told(Tally(by_relation={"rack": 7}, banned=("liar",)))
    value = registry.get_sample_value
    received = "llmaz_cache_peer_received_bytes_total"
    assert value(received, {"relation": "rack"}) == 7
    assert value(received, {"relation": "zone"}) == 0
    assert value(received, {"relation": "none"}) == 2
    assert value("llmaz_cache_peer_failures_total", {"reason": "busy"}) == 1
    assert value("llmaz_cache_peer_failures_total", {"reason": "cut"}) == 4
    assert value("llmaz_cache_peer_bans_total", {"peer": "liar"}) == 1
    assert counts.distrusted() == ("liar",)


def test_a_fetch_is_under_way_until_it_ends_however_it_ends() -> None:
    counts, registry = _registered()
    with counts.one() as fetch:
        assert registry.get_sample_value("llmaz_cache_fetches_under_way") == 1
        fetch.outcome = FetchFailed(reason="Gone", message="gone", passing=True)
    with counts.one():
        pass
    value = registry.get_sample_value
    assert value("llmaz_cache_fetches_under_way") == 0
    assert value("llmaz_cache_fetch_seconds_count", {"outcome": "failed"}) == 1
    assert value("llmaz_cache_fetch_seconds_count", {"outcome": "cancelled"}) == 1
