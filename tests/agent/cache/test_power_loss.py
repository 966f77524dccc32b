"""The machine goes down, on a real file system that loses what was not flushed.

It needs the right to mount, and is skipped without it.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmaz.agent.cache import spans
from llmaz.agent.cache.partial import Partial
from support.disks import KEY
from support.loopdisk import LoopDisk, loop_disk
from support.soundness import wrongs
from support.trials import FETCH_EFFECTS, FILES, trials

SEED = 20261124


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    with loop_disk(tmp_path) as made:
        yield made


async def check_power_cuts(disk: LoopDisk, dice: random.Random, rounds: int) -> None:
    """Cut the power at effects of a fetch, some of which came after the kernel had flushed."""
    async with trials() as hub:
        for turn in range(rounds):
            place = dice.randrange(1, FETCH_EFFECTS)
            flushed = dice.choice((0, dice.randrange(1, place + 1)))
            what = f"cut at {place}, flushed at {flushed}, round {turn}, seed {SEED}"
            cache_dir = disk.path / str(turn)
            await hub.fetch(cache_dir, die_at=place, sync_at=flushed)
            disk.cut_power()
            cache_dir.mkdir(exist_ok=True)
            await hub.check_next(cache_dir, what)


async def test_a_fetch_goes_on_after_the_machine_went_down(disk: LoopDisk) -> None:
    await check_power_cuts(disk, random.Random(SEED), 5)


@pytest.mark.slow
async def test_the_machine_may_go_down_at_any_effect(tmp_path: Path) -> None:
    with loop_disk(tmp_path, mebibytes=256) as disk:
        await check_power_cuts(disk, random.Random(SEED + 1), 120)


async def test_what_was_ready_when_the_machine_went_down_is_ready_after(disk: LoopDisk) -> None:
    async with trials() as hub:
        await hub.fetch(disk.path / "cache")
        disk.cut_power()
        assert wrongs(disk.path / "cache", FILES, KEY) == []
        hub.downloads.sent = 0
        await hub.fetch(disk.path / "cache")
        assert hub.downloads.sent == 0


def test_only_what_was_flushed_is_believed_of_a_file_on_its_way(disk: LoopDisk) -> None:
    dice = random.Random(SEED)
    piece, count = 2**16, 64
    data = dice.randbytes(piece * count)
    partial = Partial(disk.path / "partial", "key", len(data), flush_bytes=16 * piece)
    for number in dice.sample(range(count), 40):
        partial.write(number * piece, memoryview(data)[number * piece : (number + 1) * piece])
    partial.close()
    disk.cut_power()
    resumed = Partial(disk.path / "partial", "key", len(data))
    kept = bytearray(len(data))
    resumed.read_into(0, memoryview(kept))
    resumed.close()
    assert spans.total(resumed.there) in (16 * piece, 32 * piece)
    assert all(kept[start:end] == data[start:end] for start, end in resumed.there)
