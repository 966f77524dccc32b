"""Work on the cache is killed, or refused by the disk, at each effect; what must hold holds.

Nothing that can be seen is ever wrong, the next fetch ends well, and it fetches nothing again that
was noted as here. A sample of the effects here; the slow tests take each of them.
"""

import errno
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.disks import Works
from support.snapshots import put_snapshot
from support.soundness import leftovers, wrong_bytes, wrongs
from support.trials import FETCH_EFFECTS, trials

SEED = 20261123
# What an eviction and a scrub do at most: the tests below fail where there are more by now.
EVICTION_EFFECTS = 40
SCRUB_EFFECTS = 12
DICE = random.Random(SEED)


def sample(effects: int, count: int) -> list[int]:
    return sorted(DICE.sample(range(1, effects), count))


@pytest.fixture(scope="module")
def works() -> Iterator[Works]:
    held = Works()
    yield held
    held.end()


async def check_fetches_killed_at(tmp_path: Path, *places: int) -> None:
    async with trials() as hub:
        for place in places:
            cache_dir = tmp_path / str(place)
            ended = await hub.fetch(cache_dir, die_at=place)
            assert ended.code in (0, -signal.SIGKILL), place
            await hub.check_next(cache_dir, f"killed at effect {place}, seed {SEED}")


async def check_fetches_refused_at(tmp_path: Path, error: int, *places: int) -> None:
    async with trials() as hub:
        for place in places:
            cache_dir = tmp_path / str(place)
            what = f"{errno.errorcode[error]} at effect {place}, seed {SEED}"
            ended = await hub.fetch(cache_dir, refuse_at=place, error=error)
            assert ended.code == 0, what
            assert "\n" not in ended.outcome, what
            await hub.check_next(cache_dir, what)


async def test_a_fetch_may_be_killed_anywhere(tmp_path: Path) -> None:
    await check_fetches_killed_at(tmp_path, *sample(FETCH_EFFECTS // 2, 10))


async def test_a_full_disk_may_refuse_a_fetch_anywhere(tmp_path: Path) -> None:
    await check_fetches_refused_at(tmp_path, errno.ENOSPC, *sample(FETCH_EFFECTS // 2, 5))


async def test_a_broken_disk_may_refuse_a_fetch_anywhere(tmp_path: Path) -> None:
    await check_fetches_refused_at(tmp_path, errno.EIO, *sample(FETCH_EFFECTS // 2, 5))


async def test_no_fetch_has_more_effects_than_are_tried(tmp_path: Path) -> None:
    async with trials() as hub:
        ended = await hub.fetch(tmp_path)
    assert ended.effects < FETCH_EFFECTS
    assert leftovers(tmp_path) == []


@pytest.mark.slow
async def test_a_fetch_may_be_killed_at_each_effect(tmp_path: Path) -> None:
    await check_fetches_killed_at(tmp_path, *range(1, FETCH_EFFECTS))


@pytest.mark.slow
async def test_the_disk_may_refuse_a_fetch_at_each_effect(tmp_path: Path) -> None:
    places = range(1, FETCH_EFFECTS)
    for error, of_two in ((errno.ENOSPC, 0), (errno.EIO, 1)):
        await check_fetches_refused_at(tmp_path / str(error), error, *places[of_two::2])


@pytest.mark.slow
async def test_a_fetch_and_its_successor_may_be_killed(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    async with trials() as hub:
        for turn in range(30):
            cache_dir = tmp_path / str(turn)
            places = [dice.randrange(1, FETCH_EFFECTS // 2) for _ in range(3)]
            for place in places:
                await hub.fetch(cache_dir, die_at=place)
            await hub.check_next(cache_dir, f"killed at effects {places}, seed {SEED}")


def filled(cache_dir: Path) -> dict[str, Path]:
    """Put two models into a cache which share a file, the older one first to go."""
    size = 2**14
    return {
        "old": put_snapshot(cache_dir, "old", b"a", b"b", b"c", age=100, size=size),
        "new": put_snapshot(cache_dir, "new", b"c", b"d", age=1, size=size),
    }


def check_eviction_killed_at(works: Works, cache_dir: Path, place: int) -> None:
    """Kill an eviction, judge, and let another one end it."""
    models = filled(cache_dir)
    quota = 4 * 2**14
    works.do("evict", cache_dir, die_at=place, need=2**13, quota=quota)
    assert wrongs(cache_dir) == [], place
    ended = works.do("evict", cache_dir, need=2**14, quota=quota)
    assert (ended.code, ended.outcome) == (0, ""), place
    assert wrongs(cache_dir) == [], place
    assert (models["new"] / "d.bin").read_bytes() == b"d" * 2**14, place
    assert (models["new"] / "c.bin").read_bytes() == b"c" * 2**14, place
    assert not models["old"].exists(), place
    assert len(list(cache_dir.glob("store/sha256/*/*"))) == 2, place
    assert leftovers(cache_dir) == [], place


def test_an_eviction_may_be_killed_anywhere(works: Works, tmp_path: Path) -> None:
    for place in sample(EVICTION_EFFECTS // 2, 8):
        check_eviction_killed_at(works, tmp_path / str(place), place)


@pytest.mark.slow
def test_an_eviction_may_be_killed_at_each_effect(works: Works, tmp_path: Path) -> None:
    for place in range(1, EVICTION_EFFECTS):
        check_eviction_killed_at(works, tmp_path / str(place), place)


def test_no_eviction_has_more_effects_than_are_tried(works: Works, tmp_path: Path) -> None:
    filled(tmp_path)
    assert works.do("evict", tmp_path, need=2**13, quota=4 * 2**14).effects < EVICTION_EFFECTS


def check_scrub_killed_at(works: Works, cache_dir: Path, place: int) -> None:
    """Rot a file that two models show; kill the scrub that finds it, and let another one look."""
    models = filled(cache_dir)
    stored = (models["old"] / "c.bin").resolve()
    stored.chmod(0o644)
    with stored.open("r+b") as file:
        file.write(b"x")
    works.do("scrub", cache_dir, die_at=place)
    ended = works.do("scrub", cache_dir)
    assert ended.code == 0, place
    assert list(wrong_bytes(cache_dir)) == [], place
    assert not (models["old"] / "c.bin").exists(), place
    assert not (models["new"] / "c.bin").exists(), place
    assert (models["new"] / "d.bin").exists(), place


def test_a_scrub_may_be_killed_at_each_effect(works: Works, tmp_path: Path) -> None:
    for place in range(1, SCRUB_EFFECTS):
        check_scrub_killed_at(works, tmp_path / str(place), place)
    filled(tmp_path)
    assert works.do("scrub", tmp_path).effects < SCRUB_EFFECTS
