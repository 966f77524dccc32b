"""What the sharing process gives to peers, and to whom it gives nothing."""

import asyncio
import hashlib
import json
import os
import signal
from pathlib import Path

import aiohttp
import psutil
import pytest

from llmaz.agent.swarm.chunks import chunk_size
from support.sharing import permission, sharing, stored, token_file

DATA = bytes(range(256)) * 2**13  # two chunks


async def test_a_peer_is_given_ranges_of_what_is_stored(tmp_path: Path) -> None:
    key = stored(tmp_path, DATA)
    async with (
        sharing(tmp_path, token=token_file(tmp_path)) as node,
        aiohttp.ClientSession() as http,
    ):
        headers = permission(key) | {"Range": "bytes=1000-1999"}
        async with http.get(f"{node.url}/v1/blobs/{key}", headers=headers) as answer:
            assert answer.status == 206
            assert answer.headers["Content-Range"] == f"bytes 1000-1999/{len(DATA)}"
            assert await answer.read() == DATA[1000:2000]
        beyond = permission(key) | {"Range": f"bytes={len(DATA)}-"}
        async with http.get(f"{node.url}/v1/blobs/{key}", headers=beyond) as answer:
            assert answer.status == 416


async def test_of_a_file_on_its_way_only_verified_chunks_are_served(tmp_path: Path) -> None:
    key, step = hashlib.sha256(DATA).hexdigest(), chunk_size(len(DATA))
    partial = tmp_path / "partial"
    partial.mkdir()
    (partial / f"{key}.data").write_bytes(DATA)
    digest = hashlib.sha256(DATA[:step]).hexdigest()
    journal = f"size {len(DATA)}\n0 {len(DATA)}\nchunk 0 {digest}\nchunk 1 abc"
    (partial / f"{key}.journal").write_text(journal)
    async with (
        sharing(tmp_path, token=token_file(tmp_path)) as node,
        aiohttp.ClientSession() as http,
    ):
        url = f"{node.url}/v1/blobs/{key}"
        async with http.get(url, headers=permission(key) | {"Range": "bytes=0-9"}) as answer:
            assert (answer.status, await answer.read()) == (206, DATA[:10])
        crossing = permission(key) | {"Range": f"bytes={step - 1}-{step}"}
        async with http.get(url, headers=crossing) as answer:
            assert answer.status == 409
        async with http.get(f"{url}/chunkmap", headers=permission(key)) as answer:
            told = await answer.json()
    assert told == {
        "size": len(DATA),
        "chunkSize": step,
        "sealed": False,
        "chunks": {"0": digest},
    }


async def test_followers_are_told_of_chunks_as_they_come(tmp_path: Path) -> None:
    key = hashlib.sha256(DATA).hexdigest()
    partial = tmp_path / "partial"
    partial.mkdir()
    journal = partial / f"{key}.journal"
    journal.write_text(f"size {len(DATA)}\nclaim 1\n")
    body = json.dumps({"keys": [key]}).encode()
    async with (
        sharing(tmp_path, token=token_file(tmp_path)) as node,
        aiohttp.ClientSession() as http,
    ):
        headers = permission(hashlib.sha256(body).hexdigest())
        async with (
            asyncio.timeout(120),
            http.post(f"{node.url}/v1/follow", data=body, headers=headers) as answer,
        ):
            first = await _told(answer)
            with journal.open("a") as file:
                file.write(f"chunk 1 {'b' * 64}\n")
            second = await _told(answer)
    assert first == {"key": key, "anew": True, "have": [], "claims": [1], "complete": False}
    assert second == {"key": key, "have": [[1, "b" * 64]], "claims": [], "complete": False}


async def _told(answer: aiohttp.ClientResponse) -> object:
    async for line in answer.content:
        if line.strip():
            return json.loads(line)
    pytest.fail("the node has hung up")


@pytest.mark.parametrize(
    "name", ["..%2f..%2fetc%2fpasswd", "A" * 64, "a" * 63, "%00" + "a" * 63, "token"]
)
async def test_names_that_are_no_digest_lead_nowhere(tmp_path: Path, name: str) -> None:
    async with (
        sharing(tmp_path, token=token_file(tmp_path)) as node,
        aiohttp.ClientSession() as http,
        http.get(f"{node.url}/v1/blobs/{name}", headers=permission(name)) as answer,
    ):
        assert answer.status in (400, 404)


async def test_links_planted_in_the_cache_are_not_followed(tmp_path: Path) -> None:
    key = "c" * 64
    store, partial = tmp_path / "store/sha256/cc", tmp_path / "partial"
    store.mkdir(parents=True)
    partial.mkdir()
    (store / key).symlink_to("/etc/passwd")
    (partial / f"{key}.journal").write_text(f"size 10\nchunk 0 {'d' * 64}\n")
    (partial / f"{key}.data").symlink_to("/etc/passwd")
    async with (
        sharing(tmp_path, token=token_file(tmp_path)) as node,
        aiohttp.ClientSession() as http,
        http.get(f"{node.url}/v1/blobs/{key}", headers=permission(key)) as answer,
    ):
        assert answer.status >= 400


async def test_folders_of_the_cache_that_are_links_are_not_followed(tmp_path: Path) -> None:
    elsewhere, cache_dir = tmp_path / "elsewhere", tmp_path / "cache"
    key = stored(elsewhere, DATA)
    cache_dir.mkdir()
    (cache_dir / "store").symlink_to(elsewhere / "store")
    async with (
        sharing(cache_dir, token=token_file(tmp_path)) as node,
        aiohttp.ClientSession() as http,
        http.get(f"{node.url}/v1/blobs/{key}", headers=permission(key)) as answer,
    ):
        assert answer.status >= 400


async def test_who_does_not_know_the_token_is_told_nothing(tmp_path: Path) -> None:
    key = stored(tmp_path, DATA)
    refused = [{}, permission(key, token="another-token-of-other-nodes"), permission("e" * 64)]
    async with (
        sharing(tmp_path, token=token_file(tmp_path)) as node,
        aiohttp.ClientSession() as http,
    ):
        for headers in refused:
            for path in (f"/v1/blobs/{key}", f"/v1/blobs/{key}/chunkmap"):
                async with http.get(f"{node.url}{path}", headers=headers) as answer:
                    assert answer.status == 401
            async with http.post(f"{node.url}/v1/follow", headers=headers, data=b"{}") as answer:
                assert answer.status == 401


async def test_a_node_without_a_token_file_shares_nothing(tmp_path: Path) -> None:
    key = stored(tmp_path, DATA)
    async with (
        sharing(tmp_path) as node,
        aiohttp.ClientSession() as http,
        http.get(f"{node.url}/v1/blobs/{key}", headers=permission(key)) as answer,
    ):
        assert answer.status == 404


async def test_the_process_is_started_again_when_it_dies(tmp_path: Path) -> None:
    async with sharing(tmp_path, token=token_file(tmp_path)) as node:
        before = node.url
        (child,) = _children()
        os.kill(child.pid, signal.SIGKILL)
        async with asyncio.timeout(120):
            while node.url in ("", before) and _children() in ([], [child]):
                await asyncio.sleep(0.02)
            while not node.url:
                await asyncio.sleep(0.02)


def _children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if _is_sharing(child)]


def _is_sharing(child: psutil.Process) -> bool:
    try:
        return "llmaz.agent.sharing" in " ".join(child.cmdline())
    except (psutil.ZombieProcess, psutil.NoSuchProcess):
        return False
