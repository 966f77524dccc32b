"""Nodes that speak TLS to each other, each of them proving itself."""

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import aiohttp
import pytest

from llmaz.agent.cache.outcome import Fetched
from llmaz.agent.sharing.tls import TlsFiles, client_context
from llmaz.agent.swarm.connection import Connection, Identity, PeerError, Sink
from support.certificates import Authority
from support.downloads import Downloads
from support.hub import Repository, serving
from support.sharing import permission, stored
from support.swarmnodes import swarm_nodes
from support.weights import gguf

MODEL = gguf(tensors=1, padding=4 * 2**20)
_SLOWLY = 2**16  # bytes a second of a connection outside: another node is heard of before its end


@pytest.fixture
def tls(tmp_path: Path) -> TlsFiles:
    """Return what all nodes show, with the authority that signed it."""
    return Authority.named("nodes").issue(tmp_path)


async def test_nodes_share_over_tls_and_who_shows_no_certificate_gets_nothing(
    tmp_path: Path, tls: TlsFiles
) -> None:
    downloads = Downloads()
    hub = {"acme/tiny": Repository({"model.gguf": MODEL}, downloads=downloads)}
    async with serving(hub) as served, swarm_nodes(tmp_path, ["a", "b"], tls=tls) as (a, b):
        assert a.served.url.startswith("https://")
        assert isinstance(await a.fetch(served.url), Fetched)
        downloads.bytes_a_second = _SLOWLY
        assert isinstance(await b.fetch(served.url), Fetched)
        assert b.told[-1].tally.from_peers > 0
        context = ssl.create_default_context(cafile=tls.authority)
        context.check_hostname = False
        key = "a" * 64
        async with (
            aiohttp.ClientSession() as http,
            http.get(
                f"{a.served.url}/v1/blobs/{key}", headers=permission(key), ssl=context
            ) as answer,
        ):
            assert answer.status == 403


async def test_a_range_is_right_although_another_of_the_file_is_sent_before_its_end(
    tmp_path: Path, tls: TlsFiles
) -> None:
    data = random.Random(7).randbytes(24 * 2**20)  # more than lies in buffers on the way
    async with swarm_nodes(tmp_path, ["a"], tls=tls) as (a,):
        key = stored(a.cache_dir, data)
        context = client_context(tls)
        async with aiohttp.ClientSession(f"{a.served.url}/v1/blobs/") as http:

            def bring(start: int, end: int) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
                headers = permission(key) | {"Range": f"bytes={start}-{end - 1}"}
                return http.get(key, headers=headers, ssl=context)

            async with bring(0, len(data)) as whole:
                assert whole.status == 206
                async with bring(2**20, 2**21) as part:
                    assert await part.read() == data[2**20 : 2**21]
                assert await whole.read() == data


async def test_a_new_certificate_of_a_new_authority_is_taken_without_a_restart(
    tmp_path: Path, tls: TlsFiles
) -> None:
    former = Authority.named("former").issue(_folder(tmp_path, "former"))
    data = random.Random(8).randbytes(2**20)
    async with swarm_nodes(tmp_path, ["a", "b"], tls=former) as (a, b):
        key = stored(a.cache_dir, data)
        url, pid = a.served.url, a.sharing_pid
        others = Authority.named("former").issue(_folder(tmp_path, "kept"))  # of nobody here
        stays = Identity("stays", a.token, former)
        asking = Connection(url, stays)
        await _brings(asking, key)

        later = Authority.named("later")
        later.issue(Path(former.certificate).parent)
        new = later.issue(_folder(tmp_path, "new"))
        await _until(lambda: _opens(url, Identity("new", a.token, new), key))
        assert not await _opens(url, Identity("other", a.token, others), key)
        asking.close()  # as an idle connection ends some time
        await _until(lambda: _opens(url, stays, key))
        await _brings(asking, key)
        asking.close()
        assert (a.sharing_pid, a.served.url) == (pid, url)

        downloads = Downloads()
        hub = {"acme/tiny": Repository({"model.gguf": MODEL}, downloads=downloads)}
        async with serving(hub) as served:
            assert isinstance(await a.fetch(served.url), Fetched)
            downloads.bytes_a_second = _SLOWLY
            assert isinstance(await b.fetch(served.url), Fetched)
        assert b.told[-1].tally.from_peers > 0


async def test_a_token_is_changed_while_nodes_go_on(tmp_path: Path) -> None:
    async with swarm_nodes(tmp_path, ["a"]) as (a,):
        key = stored(a.cache_dir, b"x" * 2**20)
        former, later = a.token.read_text(), "the-token-that-comes-after-it"
        mine = tmp_path / "mine"
        mine.write_text(later)
        me = Identity("me", mine, None)
        assert not await _opens(a.served.url, me, key)
        a.token.write_text(f"{former}\n{later}\n")  # answered to by all, before any asks with it
        await _until(lambda: _opens(a.served.url, me, key))
        mine.write_text(former)
        await _until(lambda: _asks_with(me, former))
        assert await _opens(a.served.url, me, key)
        a.token.write_text(later)
        await _until(lambda: _refuses(a.served.url, me, key))


def _folder(above: Path, name: str) -> Path:
    folder = above / name
    folder.mkdir()
    return folder


async def _brings(connection: Connection, key: str) -> None:
    sink = Sink(memoryview(bytearray(2**20)), lambda *_: None)
    await asyncio.to_thread(connection.bring, key, (0, 2**20), sink)
    assert sink.sha256 == key


async def _opens(url: str, identity: Identity, key: str) -> bool:
    """Tell whether a new connection is given a blob."""
    connection = Connection(url, identity)
    try:
        await _brings(connection, key)
    except PeerError:
        return False
    else:
        return True
    finally:
        connection.close()


async def _refuses(url: str, identity: Identity, key: str) -> bool:
    return not await _opens(url, identity, key)


async def _asks_with(identity: Identity, token: str) -> bool:
    return identity.tokens[0].value == token.encode()


async def _until(right: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(120):
        while not await right():
            await asyncio.sleep(0.05)
