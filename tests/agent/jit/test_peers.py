"""What engines compiled on one node is brought to another, by those alone who know the token."""

import asyncio
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from llmaz.agent.jit.peers import JitPeers
from llmaz.agent.jit.serving import asks
from llmaz.agent.jit.shelf import JitShelf
from llmaz.agent.swarm.peering import Peering
from llmaz.api.peer import ModelPeer
from support.engines import assigned
from support.sharing import permission, sharing, token_file

KEY = "d" * 64
PROGRAM = b"compiled" * 1000


def compiled(folder: Path) -> JitShelf:
    """Return programs of a node, packed."""
    shelf = JitShelf(folder / "jit")
    shelf.open(KEY)
    program = shelf.live(KEY) / "triton" / "k.so"
    program.parent.mkdir()
    program.write_bytes(PROGRAM)
    assert shelf.keep(KEY)
    return shelf


async def brought(folder: Path, token: Path, *urls: str) -> bool:
    peers = [ModelPeer(name=f"node-{index}", url=url) for index, url in enumerate(urls)]
    peering = Peering(node="asker", peers_file="", token_file=str(token))
    asker = JitPeers(peering, lambda _model: peers)
    return await asker.bring(assigned(), KEY, JitShelf(folder / "jit").archive(KEY))


async def test_programs_come_from_the_node_that_has_them(tmp_path: Path) -> None:
    token = token_file(tmp_path)
    compiled(tmp_path / "has")
    async with (
        sharing(tmp_path / "lacks", token=token, jit_shared=True) as lacks,
        sharing(tmp_path / "has", token=token, jit_shared=True) as has,
    ):
        assert await brought(tmp_path / "asks", token, "http://127.0.0.1:1", lacks.url, has.url)
    shelf = JitShelf(tmp_path / "asks" / "jit")
    assert shelf.open(KEY)
    assert (shelf.live(KEY) / "triton" / "k.so").read_bytes() == PROGRAM


async def test_a_node_that_was_not_told_to_share_them_does_not(tmp_path: Path) -> None:
    token = token_file(tmp_path)
    compiled(tmp_path / "has")
    async with sharing(tmp_path / "has", token=token) as has:
        assert not await brought(tmp_path / "asks", token, has.url)


async def test_an_archive_of_one_that_knows_another_token_is_not_taken(tmp_path: Path) -> None:
    """It could be code of anybody on the way."""
    compiled(tmp_path / "has")
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    mine.mkdir()
    theirs.mkdir()
    token = token_file(mine)
    other = token_file(theirs, "a-token-of-another-cluster")
    async with sharing(tmp_path / "has", token=other, jit_shared=True) as has:
        assert not await brought(tmp_path / "asks", token, has.url)
    assert not JitShelf(tmp_path / "asks" / "jit").archive(KEY).exists()


async def test_an_answer_without_a_proof_is_not_taken(tmp_path: Path) -> None:
    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nevil")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(lie, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        assert not await brought(tmp_path / "asks", token_file(tmp_path), url)
    assert list((tmp_path / "asks" / "jit" / "kept").iterdir()) == []


@pytest.mark.parametrize(
    ("what", "status"), [(None, 401), ("jit " + "e" * 64, 401), (asks(KEY), 200)]
)
async def test_a_capability_opens_one_key(tmp_path: Path, what: str | None, status: int) -> None:
    compiled(tmp_path / "has")
    headers = permission(what) if what is not None else {}
    async with sharing(tmp_path / "has", token=token_file(tmp_path), jit_shared=True) as has:
        request = urllib.request.Request(f"{has.url}/v1/jit/{KEY}", headers=headers)
        assert await asyncio.to_thread(_status, request) == status
        outside = urllib.request.Request(f"{has.url}/v1/jit/..%2F..%2Ftoken", headers=headers)
        assert await asyncio.to_thread(_status, outside) == 404


def _status(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
