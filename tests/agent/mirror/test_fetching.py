"""Room for what clients ask for: as the agent makes it, and counted."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from llmaz.agent.cache.limits import Limits, write_limits
from llmaz.agent.mirror.counts import ClientCounts
from llmaz.agent.mirror.fetching import Fetching, FetchRules
from llmaz.api.node import NodeSpec
from support.snapshots import put_snapshot

SIZE = 2**16


async def test_what_makes_room_for_a_client_is_counted(tmp_path: Path) -> None:
    write_limits(tmp_path, Limits(reserve=0))
    put_snapshot(tmp_path, "old", b"a", age=100)
    registry = CollectorRegistry()
    counts = ClientCounts(registry)
    rules = FetchRules(noted=NodeSpec, quota=int(1.5 * SIZE), counts=counts)
    fetching = Fetching(tmp_path, {}, rules)
    assert (await fetching._room(SIZE)).refusal is None
    assert (await fetching._room(10 * SIZE)).refusal is not None
    assert registry.get_sample_value("llmaz_cache_client_evictions_total") == 1
