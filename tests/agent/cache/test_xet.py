"""Files that come out of a hub's store of chunks, by the real hf_xet, against a stand-in of it."""

import asyncio
import os
import re
from pathlib import Path

import pytest

from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.origin import HubRepository
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.policy import Priority, XetMode
from llmaz.agent.cache.request import FetchRequest, Progress
from llmaz.agent.cache.xetchild import settings_of
from support import rooms
from support.downloads import Downloads, WrongBytes
from support.hub import Repository
from support.origins import serving_routes
from support.weights import safetensors
from support.xet import XORB, XetHub

WEIGHTS = safetensors(size=20 * 2**20)
FILES = {"config.json": b"{}", "model.safetensors": WEIGHTS}
PLAIN = "GET /acme/tiny/resolve/0123456789abcdef0123456789abcdef01234567/model.safetensors"


def repository(**about: object) -> Repository:
    return Repository(FILES, **about)  # type: ignore[arg-type]  # of the caller's own words


async def fetched(
    url: str,
    cache_dir: Path,
    *,
    xet: XetMode = "always",
    told: list[Progress] | None = None,
    token: str | None = None,
    environ: dict[str, str] | None = None,
    priority: Priority = "demand",
) -> Fetched | FetchFailed:
    request = FetchRequest(
        origin=HubRepository(repository="acme/tiny", revision="main"),
        cache_dir=str(cache_dir),
        credentials={"HF_TOKEN": token} if token else {},
        xet=xet,
        priority=priority,
    )
    own = {"HF_ENDPOINT": url, "HF_HOME": str(cache_dir / "home"), **(environ or {})}
    child = FetchChild({**os.environ, **own})
    tell = (told if told is not None else []).append
    return await asyncio.wait_for(child.fetch(request, tell, rooms.plenty), 120)


def assert_right(outcome: Fetched | FetchFailed) -> None:
    assert isinstance(outcome, Fetched), outcome
    assert {path: (Path(outcome.path) / path).read_bytes() for path in FILES} == FILES


async def test_a_file_comes_by_xet_and_small_ones_by_their_addresses(tmp_path: Path) -> None:
    hub, told = XetHub(repository()), list[Progress]()
    async with serving_routes(hub.routes()) as url:
        assert_right(await fetched(url, tmp_path, told=told))
    assert set(hub.asked) == {"token", "reconstruction", "xorb"}
    assert PLAIN not in hub.repository.requests
    assert told[-1].bytes_done == told[-1].bytes_total
    assert told[-1].tally.from_origin == told[-1].bytes_total


async def test_wrong_bytes_by_xet_are_found_and_fetched_from_the_hub_itself(tmp_path: Path) -> None:
    hub, told = XetHub(repository(), flips=True), list[Progress]()
    async with serving_routes(hub.routes()) as url:
        assert_right(await fetched(url, tmp_path, told=told))
    assert "xorb" in hub.asked
    assert PLAIN in hub.repository.requests
    assert told[-1].tally.wrong_from_origin == 1


async def test_what_is_wrong_by_both_ways_is_shown_to_nobody(tmp_path: Path) -> None:
    faults = Downloads([WrongBytes() for _ in range(20)])
    hub = XetHub(Repository({"model.safetensors": WEIGHTS}, downloads=faults), flips=True)
    async with serving_routes(hub.routes()) as url:
        outcome = await fetched(url, tmp_path)
    assert isinstance(outcome, FetchFailed)
    assert outcome.reason == "CorruptDownload"
    assert list(tmp_path.glob("hub/*/snapshots/*")) == []


async def test_a_store_that_refuses_leaves_the_file_to_plain_ranges(tmp_path: Path) -> None:
    hub = XetHub(repository(), refuses=True)
    async with serving_routes(hub.routes()) as url:
        assert_right(await fetched(url, tmp_path))
    assert "reconstruction" in hub.asked
    assert PLAIN in hub.repository.requests


@pytest.mark.parametrize("where", ["http://169.254.169.254", "http://[fe80::1]", "ftp://a.b"])
async def test_a_store_elsewhere_is_not_asked(tmp_path: Path, where: str) -> None:
    hub = XetHub(repository(), store=where)
    async with serving_routes(hub.routes()) as url:
        assert_right(await fetched(url, tmp_path))
    assert set(hub.asked) == {"token"}


async def test_without_hf_xet_plain_ranges_bring_the_file(tmp_path: Path) -> None:
    (tmp_path / "hf_xet.py").write_text("raise ImportError('not here')")
    path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    hub = XetHub(repository())
    async with serving_routes(hub.routes()) as url:
        outcome = await fetched(url, tmp_path / "cache", environ={"PYTHONPATH": path})
    assert_right(outcome)
    assert set(hub.asked) == {"token"}


async def test_what_xet_brought_before_a_kill_is_not_fetched_again(tmp_path: Path) -> None:
    hub = XetHub(repository(), stops_after=2)
    async with serving_routes(hub.routes()) as url:
        first = asyncio.create_task(fetched(url, tmp_path))
        await asyncio.wait_for(hub.stopped.wait(), 120)
        async with asyncio.timeout(120):
            while not any(map(_has_xorb, tmp_path.glob("partial/*.journal"))):
                await asyncio.sleep(0.05)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        hub.stops_after, hub.sent = None, 0
        assert_right(await fetched(url, tmp_path))
    assert 0 < hub.sent < 6  # xorbs, of which the file has six


def _has_xorb(journal: Path) -> bool:
    """Tell whether the bytes of a xorb are noted as there."""
    ranges = re.findall(r"^(\d+) (\d+)$", journal.read_text(), re.MULTILINE)
    return sum(int(end) - int(start) for start, end in ranges) >= XORB


async def test_the_store_is_shown_no_token_of_the_hub(tmp_path: Path) -> None:
    hub = XetHub(repository(token="hf_secret"))
    async with serving_routes(hub.routes()) as url:
        assert_right(await fetched(url, tmp_path, token="hf_secret"))
    assert hub.shown == {"Bearer a-read-token"}
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size < 2**20]
    assert not [path for path in kept if b"hf_secret" in path.read_bytes()]
    assert not [path for path in kept if b"a-read-token" in path.read_bytes()]


async def test_a_hub_that_is_quick_enough_is_asked_plainly(tmp_path: Path) -> None:
    hub = XetHub(repository())
    async with serving_routes(hub.routes()) as url:
        assert_right(await fetched(url, tmp_path, xet="auto"))
    assert hub.asked == []


def test_what_hf_xet_holds_is_bounded_and_it_reports_to_nobody() -> None:
    told = settings_of(2**30)
    bounds = [value for name, value in told.items() if "buffer" in name]
    assert bounds
    assert all(isinstance(bound, int) and bound <= 2**30 for bound in bounds)
    assert told["telemetry.enabled"] is False
