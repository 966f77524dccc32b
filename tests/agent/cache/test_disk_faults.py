"""Disks that are full, broken, read-only or lie; clocks that jump; files of every sort."""

import asyncio
import os
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.limits import Limits
from llmaz.agent.cache.models import ModelCache
from llmaz.agent.cache.names import first_unsafe
from llmaz.agent.cache.pins import USER, pin, unpin
from llmaz.agent.cache.remote import Listing, RemoteFile
from llmaz.agent.cache.room import inventory, make_room
from llmaz.agent.cache.scrub import scrub
from llmaz.agent.cache.state import DropModel, Fetching, FetchModel, Held, ListPeers
from llmaz.agent.cache.store import Store, Tree, publish
from llmaz.agent.cache.upkeep import SCRUB_SECONDS, Upkeep
from llmaz.agent.cache.usage import measure
from llmaz.api.node import AssignedModel
from llmaz.api.source import ModelHub, ModelSource
from support.disks import KEY
from support.downloads import Downloads
from support.hub import Hub, Repository, serving
from support.loopdisk import LoopDisk, loop_disk, small_tmpfs
from support.secrets import NoSecrets
from support.snapshots import put_snapshot
from support.soundness import wrongs
from support.swarmnodes import swarm_nodes
from support.trials import FILES, SIZE, trials
from support.weights import gguf

SEED = 20261125
PAGE = 4096
HUNDRED_GB = 100 * 10**9
MODEL = gguf(tensors=1, padding=2**21)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    with loop_disk(tmp_path) as made:
        yield made


async def check_full_at(tmp_path: Path, *pages: int) -> None:
    """Fetch onto a disk of so many pages; where it does not fit, make room and go on."""
    async with trials() as hub:
        for count in pages:
            with small_tmpfs(tmp_path / str(count), pages=count) as disk:
                ended = await hub.fetch(disk / "cache")
                assert wrongs(disk / "cache", FILES, KEY) == [], count
                if ended.outcome:
                    assert ended.outcome.startswith("NoSpace: the disk of the cache is full"), count
                    grow = ("mount", "-o", "remount,nr_blocks=0", str(disk))
                    await (await asyncio.create_subprocess_exec(*grow)).wait()
                await hub.check_next(disk / "cache", f"full at page {count}")


async def test_a_disk_that_is_full_at_some_page_shows_nothing_wrong(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    await check_full_at(tmp_path, *sorted(dice.sample(range(2, SIZE // PAGE + 12), 6)))


@pytest.mark.slow
async def test_a_disk_that_is_full_at_any_page_shows_nothing_wrong(tmp_path: Path) -> None:
    await check_full_at(tmp_path, *range(2, SIZE // PAGE + 12, 3))


async def test_a_read_only_disk_is_said_and_what_is_there_stays_ready(disk: LoopDisk) -> None:
    cache_dir = disk.path / "cache"
    async with trials() as hub:
        await hub.fetch(cache_dir)
        with disk.read_only():
            assert wrongs(cache_dir, FILES, KEY) == []
            refused = await hub.fetch(disk.path / "another")
            assert refused.outcome.startswith("CacheNotWritable: the cache can't be written: ")
        assert (await hub.fetch(disk.path / "another")).outcome == ""


def test_rot_on_a_read_only_disk_is_told_although_it_can_not_be_taken_away(
    disk: LoopDisk,
) -> None:
    shown = put_snapshot(disk.path, "m", b"a", b"b")
    _rot(shown / "a.bin")
    with disk.read_only():
        told = [checked.problem for checked in scrub(disk.path) if checked.problem is not None]
    assert len(told) == 1
    assert told[0].endswith("and it can't be taken away: Read-only file system")


def test_a_file_that_can_not_be_read_is_put_aside(tmp_path: Path) -> None:
    put_snapshot(tmp_path, "m", b"a")
    broken = Store(tmp_path).path("f" * 64)
    broken.parent.mkdir(parents=True)
    broken.symlink_to("/proc/self/mem")  # whose first bytes fail with EIO, as a bad sector does
    told = {checked.sha256: checked.problem for checked in scrub(tmp_path)}
    assert told.pop("f" * 64) == "can't be read: Input/output error"
    assert list(told.values()) == [None]
    assert not broken.is_symlink()


def _rot(shown: Path) -> None:
    stored = shown.resolve()
    stored.chmod(0o644)
    with stored.open("r+b") as file:
        file.seek(random.Random(SEED).randrange(stored.stat().st_size))
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


TINY = AssignedModel(name="m", source=ModelSource(model_hub=ModelHub(model_id="acme/tiny")))


def _cache(cache_dir: Path, hub: Hub, changed: asyncio.Event) -> ModelCache:
    return ModelCache(
        cache_dir,
        fetcher=FetchChild({**os.environ, "HF_ENDPOINT": hub.url}),
        secrets=NoSecrets(),
        now=lambda: datetime.now(UTC),
        changed=changed,
        endpoint=hub.url,
        limits=Limits(reserve=0),
    )


async def test_an_agent_that_begins_on_a_read_only_disk_has_what_is_there(disk: LoopDisk) -> None:
    changed = asyncio.Event()
    async with serving({"acme/tiny": Repository({"m.gguf": MODEL})}) as hub:
        cache = _cache(disk.path / "cache", hub, changed)
        cache.perform(FetchModel(model=TINY))
        before = await _settled(cache, changed)
        await cache.aclose()
        with disk.read_only():
            cache = _cache(disk.path / "cache", hub, changed)
            cache.perform(FetchModel(model=TINY))
            found = await _settled(cache, changed)
            cache.perform(ListPeers(model=TINY))
            cache.perform(DropModel(name="m"))
            await cache.aclose()
    assert (found.path, found.revision) == (before.path, before.revision)


async def test_what_a_scrub_finds_wrong_is_brought_anew_without_a_hand(tmp_path: Path) -> None:
    downloads, changed = Downloads(), asyncio.Event()
    async with serving({"acme/tiny": Repository({"m.gguf": MODEL}, downloads=downloads)}) as hub:
        cache = _cache(tmp_path, hub, changed)
        upkeep = Upkeep(tmp_path, recheck=cache.recheck, evictions=cache.evictions)
        cache.perform(FetchModel(model=TINY))
        held = await _settled(cache, changed)
        _rot(Path(held.path))
        before = downloads.sent
        assert await upkeep.scrub() == 1
        again = await _settled(cache, changed)
        await cache.aclose()
    assert downloads.sent - before == len(MODEL)
    assert Path(again.path).read_bytes() == MODEL
    assert wrongs(tmp_path) == []
    assert len(list((tmp_path / "quarantine").iterdir())) == 1


async def _settled(cache: ModelCache, changed: asyncio.Event) -> Held:
    async with asyncio.timeout(120):
        while isinstance(state := cache.seen()["m"].state, Fetching):
            changed.clear()
            await changed.wait()
    assert isinstance(state, Held), state
    return state


async def test_what_a_scrub_finds_wrong_comes_from_a_peer_that_has_it(tmp_path: Path) -> None:
    downloads = Downloads()
    hub_files = {"acme/tiny": Repository({"model.gguf": MODEL}, downloads=downloads)}
    async with serving(hub_files) as hub, swarm_nodes(tmp_path, ["a", "b"]) as (a, b):
        await a.fetch(hub.url)
        await b.fetch(hub.url)
        shown = next(b.cache_dir.glob("hub/models--*/snapshots/*/model.gguf"))
        _rot(shown)
        assert len([found for found in scrub(b.cache_dir) if found.problem is not None]) == 1
        before = downloads.sent
        downloads.bytes_a_second = 2**14  # the peer is heard of before much comes from outside
        await b.fetch(hub.url)
        assert shown.read_bytes() == MODEL
        assert downloads.sent - before <= len(MODEL) / 4
    assert wrongs(b.cache_dir) == []


async def test_a_time_to_come_neither_stops_scrubs_nor_keeps_models_for_ever(
    tmp_path: Path,
) -> None:
    async def recheck() -> None: ...

    upkeep = Upkeep(tmp_path, recheck=recheck, evictions=dict)
    ahead = time.time() + 10 * 365 * 86400.0
    (tmp_path / "scrubbed").touch()
    os.utime(tmp_path / "scrubbed", (ahead, ahead))
    assert upkeep.until_next_scrub() <= SCRUB_SECONDS

    old = put_snapshot(tmp_path, "old", b"a", age=-10 * 365 * 86400.0)
    gone, refusal = make_room(
        tmp_path, need=2**16, keep=(), limits=Limits(quota=3 * 2**15, reserve=0)
    )
    assert (gone, refusal) == ([str(old)], None)


def test_a_file_of_a_hundred_gigabytes_is_counted_kept_and_evicted(tmp_path: Path) -> None:
    shown = put_snapshot(tmp_path, "large", b"a", age=100)
    stored = (shown / "a.bin").resolve()
    stored.chmod(0o644)
    os.truncate(stored, HUNDRED_GB)  # no byte of it takes room
    report = measure(tmp_path, None)
    assert report is not None
    assert report.used_bytes == HUNDRED_GB
    limits = Limits(quota=2 * 10**9, reserve=0)
    pin(tmp_path, Tree.of(tmp_path, "hub", "acme/large"), USER)
    gone, refusal = make_room(tmp_path, need=10**9, keep=(), limits=limits)
    assert gone == []
    assert refusal is not None
    assert "too little of it is unused" in refusal
    unpin(tmp_path, Tree.of(tmp_path, "hub", "acme/large"), USER)
    assert make_room(tmp_path, need=10**9, keep=(), limits=limits) == ([str(shown)], None)


def test_a_file_of_no_length_is_a_file_like_others(
    tmp_path: Path,
) -> None:
    shown = put_snapshot(tmp_path, "m", b"a", size=0)
    assert (shown / "a.bin").read_bytes() == b""
    assert [checked.problem for checked in scrub(tmp_path)] == [None]
    assert [entry.root for entry in inventory(tmp_path)] == [str(shown)]


@pytest.mark.slow
def test_a_million_names_are_judged_and_written_down(tmp_path: Path) -> None:
    names = [f"shard-{index % 1000:04}/part-{index:07}.bin" for index in range(10**6)]
    assert first_unsafe(names) is None
    assert first_unsafe([*names, names[0]]) == (names[0], "is there twice")
    tree = Tree.of(tmp_path, "hub", "acme/many")
    tree.snapshot("c" * 40).mkdir(parents=True)
    (tree.root / "blobs").mkdir()
    files = tuple(RemoteFile(path=name, size=1, git_sha1="a" * 40) for name in names)
    publish(tree, Listing(commit="c" * 40, files=files), "main")
    assert (tree.root / "refs" / "main").read_text() == "c" * 40
