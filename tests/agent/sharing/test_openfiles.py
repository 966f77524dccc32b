"""Files that are being served: open for a moment longer, and no more than that."""

import asyncio
from pathlib import Path

import pytest

from llmaz.agent.sharing.holdings import Holding, Holdings
from llmaz.agent.sharing.openfiles import OpenFiles
from support.sharing import stored

DATA = b"weights" * 1000


def _held(cache_dir: Path) -> Holding:
    holding = Holdings(cache_dir).look(stored(cache_dir, DATA))
    assert holding is not None
    return holding


async def test_a_file_that_is_asked_for_again_is_still_open(tmp_path: Path) -> None:
    files, holding = OpenFiles(idle_seconds=60.0), _held(tmp_path)
    first = files.take(holding)
    files.give_back(holding)
    holding.path.unlink()
    assert files.take(holding) is first
    assert first.read() == DATA
    files.give_back(holding)
    first.close()


async def test_a_file_that_nobody_asks_for_is_closed_for_what_was_evicted_is_to_be_free(
    tmp_path: Path,
) -> None:
    files, holding = OpenFiles(idle_seconds=0.0), _held(tmp_path)
    one, other = files.take(holding), files.take(holding)
    files.give_back(holding)
    await asyncio.sleep(0)
    assert one is other
    assert not one.closed
    files.give_back(holding)
    async with asyncio.timeout(120):
        while not one.closed:
            await asyncio.sleep(0)
    holding.path.unlink()
    with pytest.raises(FileNotFoundError):
        files.take(holding)


async def test_a_file_that_was_repaired_is_opened_anew(tmp_path: Path) -> None:
    holdings, key = Holdings(tmp_path), stored(tmp_path, DATA)
    before = holdings.look(key)
    assert before is not None
    assert holdings.look(key) is before
    beside = before.path.with_name("beside")
    beside.write_bytes(DATA)
    beside.replace(before.path)
    assert holdings.look(key) is not before
