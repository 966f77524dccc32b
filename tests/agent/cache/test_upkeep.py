"""What the cache holds is looked after while the agent runs."""

import os
from pathlib import Path

from prometheus_client import CollectorRegistry

from llmaz.agent.cache.limits import Limits
from llmaz.agent.cache.upkeep import Upkeep
from support.snapshots import put_snapshot


async def test_a_scrub_counts_what_it_read_and_has_the_rest_rechecked(tmp_path: Path) -> None:
    put_snapshot(tmp_path, "m", b"a", b"b")
    stored = next((tmp_path / "store").rglob("??/*"))
    size = stored.stat().st_size
    stored.chmod(0o644)
    with stored.open("r+b") as file:
        file.write(b"z")
    asked: list[bool] = []

    async def recheck() -> None:
        asked.append(stored.exists())

    upkeep = Upkeep(tmp_path, recheck=recheck, evictions=lambda: {"demand": 3})
    registry = CollectorRegistry()
    registry.register(upkeep)
    await upkeep.measure()
    assert upkeep.usage is not None
    assert upkeep.usage.rot is None
    assert await upkeep.scrub() == 1
    assert asked == [False]
    await upkeep.measure()
    assert upkeep.usage.rot is not None
    assert (upkeep.usage.rot.sha256, upkeep.usage.rot.files) == (stored.name, 1)
    assert upkeep.usage.rot.problem.startswith("its sha256 is ")
    assert registry.get_sample_value("llmaz_cache_scrubbed_bytes_total") == 2 * size
    assert registry.get_sample_value("llmaz_cache_corrupt_files_total") == 1
    assert registry.get_sample_value("llmaz_cache_evictions_total", {"reason": "demand"}) == 3
    assert registry.get_sample_value("llmaz_cache_bytes", {"state": "ready"}) == size


async def test_how_full_the_cache_is_is_told_when_it_changes(tmp_path: Path) -> None:
    told: list[int] = []

    async def recheck() -> None: ...

    upkeep = Upkeep(
        tmp_path,
        recheck=recheck,
        evictions=dict,
        limits=Limits(quota=10**9),
        changed=lambda: told.append(upkeep.usage.used_bytes if upkeep.usage else -1),
    )
    for letter in (b"a", b"b"):
        await upkeep.measure()
        await upkeep.measure()
        put_snapshot(tmp_path, "m", letter, size=2**16)
    await upkeep.measure()
    assert told == [0, 2**16, 2**17]
    assert upkeep.usage is not None
    assert upkeep.usage.quota_bytes == 10**9


async def test_a_scrub_of_no_cache_finds_nothing(tmp_path: Path) -> None:
    async def recheck() -> None:
        raise AssertionError(os.fspath(tmp_path))

    upkeep = Upkeep(tmp_path / "none", recheck=recheck, evictions=dict)
    assert await upkeep.scrub() == 0
