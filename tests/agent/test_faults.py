"""An agent in front of an API server that fails in every way that servers do."""

import asyncio
from pathlib import Path

import pytest

from llmaz.api.node import EngineReport
from support.controlplane import EmbeddedServer
from support.faultproxy import Fault, proxied
from support.nodes import PATIENCE_SECONDS, Node, fake_engine, node, on_path, serve_inference_nodes
from support.weights import gguf

REQUESTS = 8  # that are not answered: with their pauses some seconds
EVERYTHING: dict[Fault, float] = {
    "busy": 0.1,
    "broken": 0.1,
    "lost": 0.1,
    "unanswered": 0.1,
    "slow": 0.1,
    "expired": 0.05,
}


@pytest.mark.slow
async def test_an_engine_notices_nothing_and_news_arrive_in_the_end(
    embedded_server: EmbeddedServer, tmp_path: Path
) -> None:
    plane = embedded_server.start()
    await serve_inference_nodes(plane.kubeconfig)
    weights = tmp_path / "model.gguf"
    weights.write_bytes(gguf())
    async with (
        proxied(plane, tmp_path, seed=2) as proxy,
        node(plane.kubeconfig, tmp_path, "behind") as worker,
    ):
        worker.kubeconfig = proxy.kubeconfig
        worker.patience_seconds = 300.0  # of requests in a row that fail, each pauses for longer
        await worker.start("--register-node")
        await worker.assign(fake_engine(), models=(on_path(weights),))
        before = await worker.engine("Ready")
        proxy.shares = EVERYTHING
        for round_ in range(3):
            proxy.drop_watches()
            await _start_and_stop_another(worker, weights, f"default/fake-{round_ + 1}")
        proxy.is_away = True
        proxy.asked.clear()
        proxy.drop_watches()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while proxy.asked.total() < REQUESTS:  # a silence, in which nothing may end
                await asyncio.sleep(0.02)
        proxy.is_away, proxy.shares = False, {}
        await _start_and_stop_another(worker, weights, "default/fake-9")
        after = await worker.engine("Ready")
        assert _life(after) == _life(before)


def _life(engine: EngineReport) -> tuple[int | None, int, object]:
    return engine.pid, engine.restarts, engine.started_at


async def _start_and_stop_another(worker: Node, weights: Path, id_: str) -> None:
    models = (on_path(weights),)
    await worker.assign(fake_engine(), fake_engine(engine_id=id_), models=models)
    await worker.engine("Ready", id_)
    await worker.assign(fake_engine(), models=models)
    await worker.until(
        lambda status: [engine.id for engine in status.engines or ()] == ["default/fake-0"],
        f"{id_} has not ended",
    )
