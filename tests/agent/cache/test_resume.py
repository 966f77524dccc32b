"""A fetch that is killed, and the one that follows; disks that are full; servers that stall."""

import asyncio
import os
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.origin import OllamaModel, WebFile
from llmaz.agent.cache.outcome import Fetched
from llmaz.agent.cache.partial import Partial
from llmaz.agent.cache.remote import RemoteFile
from llmaz.agent.cache.request import FetchRequest, Progress
from llmaz.agent.cache.sources.web import Web
from llmaz.agent.cache.store import Store
from llmaz.agent.cache.transfer import Transfer
from llmaz.agent.cache.wire import Wire
from support import rooms
from support.downloads import Downloads, Stall
from support.origins import OllamaKind, WebKind, serving_routes
from support.weights import gguf

SIZE = 48 * 2**20


async def _killed_at(url: str, cache_dir: Path, share: float) -> int:
    """Fetch until a share of the bytes is here, and SIGKILL; return how many were told of."""
    told: list[Progress] = []
    reached = asyncio.Event()

    def tell(progress: Progress) -> None:
        told.append(progress)
        if progress.bytes_done >= share * progress.bytes_total:
            reached.set()

    fetch = asyncio.create_task(_fetch(url, cache_dir, tell))
    async with asyncio.timeout(120):
        await reached.wait()
    fetch.cancel()  # it ends the child by SIGKILL
    with pytest.raises(asyncio.CancelledError):
        await fetch
    return told[-1].bytes_done


async def _fetch(url: str, cache_dir: Path, tell: object) -> object:
    registry = url.partition("://")[2]
    origin = OllamaModel(registry=registry, repository="library/tiny", tag="7b")
    request = FetchRequest(origin=origin, cache_dir=str(cache_dir))
    assert callable(tell)
    return await FetchChild(os.environ).fetch(request, tell, rooms.plenty)


async def test_after_a_kill_at_70_percent_at_most_3_percent_come_again(tmp_path: Path) -> None:
    data = gguf(tensors=1, padding=SIZE)
    downloads = Downloads(bytes_a_second=16 * 2**20)
    async with serving_routes(OllamaKind({"model.gguf": data}, downloads).routes()) as url:
        before = await _killed_at(url, tmp_path, 0.7)
        downloads.asked.clear()
        outcome = await _fetch(url, tmp_path, lambda _: None)
    assert isinstance(outcome, Fetched), outcome
    assert Path(outcome.path).read_bytes() == data
    asked_again = sum(stop - start for start, stop in downloads.asked)
    assert asked_again <= len(data) - before + 0.03 * len(data)
    assert list((tmp_path / "partial").iterdir()) == []


async def test_who_waits_for_a_fetch_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    data = gguf(tensors=1, padding=SIZE)
    downloads = Downloads(bytes_a_second=16 * 2**20)
    async with serving_routes(OllamaKind({"model.gguf": data}, downloads).routes()) as url:
        begun = asyncio.Event()

        def tell(progress: Progress) -> None:
            if progress.bytes_done >= 0.1 * progress.bytes_total:
                begun.set()

        leading = asyncio.create_task(_fetch(url, tmp_path, tell))
        async with asyncio.timeout(120):
            await begun.wait()
            waiting = asyncio.create_task(_fetch(url, tmp_path, lambda _: None))
            leading.cancel()  # it ends the child by SIGKILL
            outcome = await waiting
    assert isinstance(outcome, Fetched), outcome
    assert Path(outcome.path).read_bytes() == data
    with pytest.raises(asyncio.CancelledError):
        await leading


async def test_a_partial_file_that_rotted_is_found_and_fetched_anew(tmp_path: Path) -> None:
    data = gguf(tensors=1, padding=SIZE)
    downloads = Downloads(bytes_a_second=16 * 2**20)
    async with serving_routes(OllamaKind({"model.gguf": data}, downloads).routes()) as url:
        await _killed_at(url, tmp_path, 0.3)
        (partial,) = (tmp_path / "partial").glob("*.data")
        with partial.open("r+b") as file:
            first = file.read(1)
            file.seek(0)
            file.write(bytes([first[0] ^ 1]))
        downloads.bytes_a_second = None
        outcome = await _fetch(url, tmp_path, lambda _: None)
    assert isinstance(outcome, Fetched), outcome
    assert Path(outcome.path).read_bytes() == data


async def test_a_connection_on_which_nothing_moves_is_cut(tmp_path: Path) -> None:
    data = gguf(tensors=1, padding=2**20)
    downloads = Downloads([Stall(1000)])
    async with serving_routes(WebKind({"model.gguf": data}, downloads).routes()) as url:
        found = await asyncio.to_thread(_bring, url, tmp_path)
    assert found.read_bytes() == data
    assert len(downloads.asked) >= 2


def _bring(url: str, cache_dir: Path) -> Path:
    store = Store(cache_dir)
    with closing(Wire()) as wire:
        source = Web(WebFile(url=f"{url}/models/model.gguf"), wire)
        (file,) = source.listing().files
        transfer = Transfer(source, store, lambda _file, _count: None, stall_seconds=2.0)
        return store.path(transfer.bring([file], {file.path: "key"})[file.path])


def test_a_file_on_its_way_is_one_processs_alone(tmp_path: Path) -> None:
    held = Partial(tmp_path, "key", 10)
    entered = threading.Event()

    def wait() -> None:
        Partial(tmp_path, "key", 10).close()
        entered.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert not entered.wait(0.2)
    held.discard()
    held.close()
    assert entered.wait(120)
    waiter.join()


def test_a_file_that_fits_no_disk_takes_no_space(tmp_path: Path) -> None:
    file = RemoteFile(path="a", size=2**62)
    with pytest.raises(OSError, match=r"File too large|No space left"):
        Partial(tmp_path, "key", file.size)
    assert sum(path.stat().st_blocks for path in tmp_path.iterdir()) * 512 < 2**20


def test_the_fetching_program_starts_light() -> None:
    script = (
        "import llmaz.agent.cache.fetch, pathlib\n"
        "status = pathlib.Path('/proc/self/status').read_text()\n"
        "print(next(line.split()[1] for line in status.splitlines() if 'VmHWM' in line))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    assert int(done.stdout) < 64 * 1024  # KiB
