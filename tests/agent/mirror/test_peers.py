"""What clients ask a node's endpoint for comes from the nodes that have it."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from llmaz.agent.assignment import Assignment
from llmaz.agent.kept import AssignmentFile
from llmaz.agent.mirror.peers import ClientPeers, peers_of
from llmaz.agent.sharing.child import SharingChild
from llmaz.agent.sharing.settings import SharingSettings
from llmaz.api.node import AssignedModel, NodeSpec
from llmaz.api.peer import ModelPeer
from llmaz.api.source import ModelHub, ModelSource
from support.attempts import best_within
from support.badpeers import liar
from support.downloads import Downloads
from support.hub import COMMIT, Repository, serving
from support.sharing import sharing, stored, token_file
from support.shims import wait_until

MIB = 2**20
WEIGHTS = random.Random(4).randbytes(6 * MIB)
TINY = AssignedModel(name="tiny", source=ModelSource(model_hub=ModelHub(model_id="acme/tiny")))
FILE = f"acme/tiny/resolve/{COMMIT}/model.gguf"


@asynccontextmanager
async def _nodes(
    folder: Path, hub_url: str, names: tuple[str, ...]
) -> AsyncIterator[dict[str, SharingChild]]:
    """Run nodes whose endpoints have the same hub behind them."""
    token = token_file(folder)
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(
                sharing(
                    folder / name,
                    name=name,
                    token=token,
                    state_dir=folder / f"{name}-state",
                    hub_url=hub_url,
                )
            )
            for name in names
        }


def _tell(folder: Path, name: str, spec: NodeSpec) -> None:
    AssignmentFile(folder / f"{name}-state").save(Assignment(generation=2, spec=spec))


async def _download(node: SharingChild) -> bytes:
    timeout = aiohttp.ClientTimeout(total=300)
    async with (
        aiohttp.ClientSession(timeout=timeout) as client,
        client.get(f"{node.url}/{FILE}") as answer,
    ):
        assert answer.status == 200
        return await answer.read()


async def test_a_client_is_given_what_a_neighbour_has_and_hardly_a_byte_comes_from_outside(
    tmp_path: Path,
) -> None:
    """A neighbour that is silent for seconds is done without, so that the best of a few counts."""
    # The one is by which the hub is asked whether the client may read it.
    await best_within(1, _sent_from_outside, tmp_path, "bytes from outside")


async def _sent_from_outside(folder: Path) -> int:
    downloads = Downloads()
    repositories = {"acme/tiny": Repository({"model.gguf": WEIGHTS}, downloads=downloads)}
    stored(folder / "has", WEIGHTS)
    async with serving(repositories) as hub, _nodes(folder, hub.url, ("has", "asked")) as nodes:
        peers = tuple(ModelPeer(name=name, url=node.url) for name, node in nodes.items())
        _tell(folder, "asked", NodeSpec(neighbours=peers))
        assert await _download(nodes["asked"]) == WEIGHTS
        lists = folder / "asked" / "peers"
        await asyncio.to_thread(wait_until, lambda: not list(lists.rglob("*.json")), "none is left")
    return downloads.sent


async def test_a_client_is_given_right_bytes_beside_a_neighbour_that_lies(tmp_path: Path) -> None:
    repositories = {"acme/tiny": Repository({"model.gguf": WEIGHTS})}
    async with (
        serving(repositories) as hub,
        liar(WEIGHTS) as lies,
        _nodes(tmp_path, hub.url, ("asked",)) as nodes,
    ):
        peers = (ModelPeer(name="liar", url=lies),)
        _tell(tmp_path, "asked", NodeSpec(models=(TINY,), neighbours=peers))
        assert await _download(nodes["asked"]) == WEIGHTS


@pytest.mark.slow
async def test_clients_of_several_nodes_bring_a_file_from_outside_hardly_more_than_once(
    tmp_path: Path,
) -> None:
    await best_within(1.25, _ratio_of_four, tmp_path, "bytes from outside over the file")


async def _ratio_of_four(folder: Path) -> float:
    weights = random.Random(5).randbytes(48 * MIB)
    downloads = Downloads(bytes_a_second=4 * MIB)
    repositories = {"acme/tiny": Repository({"model.gguf": weights}, downloads=downloads)}
    names = ("a", "b", "c", "d")
    async with serving(repositories) as hub, _nodes(folder, hub.url, names) as nodes:
        peers = tuple(ModelPeer(name=name, url=node.url) for name, node in nodes.items())
        for name in names:
            _tell(folder, name, NodeSpec(models=(TINY,), neighbours=peers))
        brought = await asyncio.gather(*map(_download, nodes.values()))
    digests = {hashlib.sha256(data).hexdigest() for data in brought}
    assert digests == {hashlib.sha256(weights).hexdigest()}
    return downloads.sent / len(weights)


def test_a_list_that_is_renewed_as_its_fetch_ends_does_not_stay(tmp_path: Path) -> None:
    settings = SharingSettings(
        node_name="a",
        listen_host="127.0.0.1",
        listen_port=0,
        cache_dir=tmp_path,
        token_file=token_file(tmp_path),
        tls=None,
    )
    spec = NodeSpec(neighbours=(ModelPeer(name="b", url="http://b"),))
    peers = ClientPeers(settings, lambda: spec)
    with peers.listing(("hub", "acme/tiny")) as share:
        assert share() is not None
        assert len(list(tmp_path.rglob("*tiny.json"))) == 1
    share()
    assert list(tmp_path.rglob("*tiny.json")) == []


def test_who_wants_or_holds_a_repository_is_asked_and_so_are_neighbours() -> None:
    one, two, three = (ModelPeer(name=name, url=f"http://{name}") for name in "abc")
    spec = NodeSpec(
        models=(
            AssignedModel(name="tiny", source=TINY.source, peers=(two,)),
            AssignedModel(name="x", source=ModelSource(uri="https://a.test/x"), peers=(three,)),
        ),
        neighbours=(one,),
    )
    assert peers_of(spec, ("hub", "acme/tiny")) == (one, two)
    assert peers_of(spec, ("hub", "acme/other")) == (one,)
