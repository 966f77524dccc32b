"""The agent as a real process, with a real API server and real engine processes."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from llmaz.api.kinds import INFERENCE_NODE, LEASE, NODE
from llmaz.api.names import SYSTEM_NAMESPACE
from llmaz.api.node import AssignedModel, ModelPhase
from llmaz.api.source import ModelHub, ModelSource
from llmaz.kube import NotFound
from support.attempts import best_within
from support.cluster import eventually
from support.controlplane import EmbeddedServer
from support.hub import COMMIT, Repository, serving
from support.nodes import Node, fake_engine, node, on_path, serve_inference_nodes
from support.nvml import StandIn, build
from support.plane import ControlPlane
from support.weights import gguf


@pytest.fixture
async def worker(
    control_plane: ControlPlane, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Node]:
    await serve_inference_nodes(control_plane.kubeconfig)
    name = request.node.name.replace("_", "-")[:60].strip("-")
    async with node(control_plane.kubeconfig, tmp_path, name) as worker:
        yield worker


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf())
    return path


def _runs(pid: int | None) -> bool:
    assert pid is not None
    return Path(f"/proc/{pid}").exists()


async def test_an_agent_makes_its_node_known(worker: Node) -> None:
    await worker.start("--register-node")
    status = await worker.until(lambda status: status.accelerators == (), "no report")
    shown = await worker.shown()
    owner = await worker.kube.get(NODE, worker.name)
    assert isinstance(owner["metadata"], dict)
    assert [reference.uid for reference in shown.metadata.owner_references] == [
        owner["metadata"]["uid"]
    ]
    assert status.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert int(status.capacity["memory"]) > 0
    lease = await eventually(lambda: worker.kube.get(LEASE, worker.name, SYSTEM_NAMESPACE), bool)
    assert isinstance(lease["spec"], dict)
    assert lease["spec"]["holderIdentity"] == worker.name


async def test_an_assignment_is_fetched_started_served_and_stopped_again(worker: Node) -> None:
    files = {"config.json": b"{}", "tiny.gguf": gguf()}
    source = ModelSource(model_hub=ModelHub(model_id="acme/tiny", filename="tiny.gguf"))
    async with serving({"acme/tiny": Repository(files)}) as hub:
        worker.environ = {"HF_ENDPOINT": hub.url}
        await worker.start("--register-node")
        await worker.until(lambda status: status.engines == (), "no report")
        await worker.assign(fake_engine(), models=(AssignedModel(name="fake", source=source),))
        engine = await worker.engine("Ready")
    status = (await worker.shown()).status
    assert status.models is not None
    (model,) = status.models
    assert (model.phase, model.revision) == (ModelPhase.READY, COMMIT)
    assert Path(model.path).read_bytes() == files["tiny.gguf"]
    assert model.fetched_from == "origin"
    full = len(files["tiny.gguf"])
    await worker.until(
        lambda status: status.cache is not None and status.cache.used_bytes == full,
        "the cache is not told of",
    )
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"http://{engine.address}:{engine.port}/v1/models") as answer,
    ):
        assert answer.status == 200
    await worker.assign()
    await worker.until(lambda status: status.engines == (), "the engine is still there")
    assert not _runs(engine.pid)


async def test_a_killed_agent_finds_its_engines_again_and_touches_none(
    worker: Node, weights: Path, tmp_path: Path
) -> None:
    await worker.start("--register-node")
    await worker.assign(fake_engine(), models=(on_path(weights),))
    before = await worker.engine("Ready")
    await worker.until(lambda status: status.sharing_url and status.cache, "not all was told")

    async def writes(_: Path) -> float:
        await worker.end(signal.SIGKILL)
        version = (await worker.shown()).metadata.resource_version
        await worker.start("--register-node")
        async with asyncio.timeout(120):
            while "is Ready" not in worker.log.read_text():
                await asyncio.sleep(0.02)
        assert await worker.engine("Ready") == before
        return float((await worker.shown()).metadata.resource_version != version)

    # What was not written yet when the agent was killed is, and nothing after that.
    await best_within(0, writes, tmp_path, "writes of an agent that finds all as it was told")


async def test_an_agent_that_is_told_to_end_leaves_its_engines(worker: Node, weights: Path) -> None:
    await worker.start("--register-node")
    await worker.assign(fake_engine(), models=(on_path(weights),))
    engine = await worker.engine("Ready")
    assert await worker.end(signal.SIGTERM) == 0
    assert _runs(engine.pid)
    await worker.stop_engines()
    assert not _runs(engine.pid)


async def test_an_agent_in_a_container_stops_its_engines_when_it_is_told_to_end(
    worker: Node, weights: Path
) -> None:
    await worker.start("--register-node", "--stop-engines-within", "1")
    await worker.assign(fake_engine(), models=(on_path(weights),))
    engine = await worker.engine("Ready")
    assert await worker.end(signal.SIGTERM) == 0
    assert not _runs(engine.pid)


async def test_engines_outlive_the_api_server_and_an_agent_that_starts_without_it(
    embedded_server: EmbeddedServer, tmp_path: Path, weights: Path
) -> None:
    plane = embedded_server.start()
    await serve_inference_nodes(plane.kubeconfig)
    async with node(plane.kubeconfig, tmp_path, "alone") as worker:
        await worker.start("--register-node")
        await worker.assign(fake_engine(), models=(on_path(weights),))
        before = await worker.engine("Ready")
        embedded_server.kill()
        await worker.end(signal.SIGKILL)
        os.kill(before.pid or 0, signal.SIGKILL)
        await worker.start("--register-node")
        async with asyncio.timeout(120):
            while "is Ready" not in worker.log.read_text():
                await asyncio.sleep(0.02)
        embedded_server.start()
        await worker.until(
            lambda status: any(engine.pid != before.pid for engine in status.engines or ()),
            "the engine that was started meanwhile is not reported",
        )
        after = await worker.engine("Ready")
        assert after.pid != before.pid
        assert _runs(after.pid)


async def test_an_inference_node_that_is_deleted_comes_back_and_stops_nothing(
    worker: Node, weights: Path
) -> None:
    await worker.start("--register-node")
    await worker.assign(fake_engine(), models=(on_path(weights),))
    before = await worker.engine("Ready")
    await worker.kube.delete(INFERENCE_NODE, worker.name)
    assert await worker.engine("Ready") == before


async def test_without_a_node_object_the_inference_node_has_no_owner(worker: Node) -> None:
    await worker.start()
    await worker.until(lambda status: status.accelerators == (), "no report")
    assert (await worker.shown()).metadata.owner_references == ()
    with pytest.raises(NotFound):
        await worker.kube.get(NODE, worker.name)


@pytest.fixture(scope="module")
def nvml(tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    return build(tmp_path_factory.mktemp("nvml"))


async def test_devices_are_reported_and_one_that_falls_off_the_bus_is_unhealthy(
    worker: Node, nvml: StandIn
) -> None:
    nvml.show("gpu GPU-a 81920 0 NVIDIA A100-SXM4-80GB", "gpu GPU-b 23028 0 NVIDIA A10")
    worker.environ = nvml.environ
    await worker.start()
    status = await worker.until(lambda status: status.accelerators, "no accelerators")
    assert [a.product for a in status.accelerators or ()] == ["NVIDIA A100-SXM4-80GB", "NVIDIA A10"]
    nvml.show("gpu GPU-a 81920 0 NVIDIA A100-SXM4-80GB", "lost GPU-b 23028 0 NVIDIA A10")
    status = await worker.until(
        lambda status: not all(a.healthy for a in status.accelerators or ()), "nothing is lost"
    )
    assert [a.healthy for a in status.accelerators or ()] == [True, False]
