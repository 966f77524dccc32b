"""The gateway as a program in front of a real API server: it does what is written there."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest_asyncio
from aiohttp import web

from llmaz.api.kinds import ENDPOINT_SLICE, OPEN_MODEL, PLAYGROUND
from llmaz.api.manifest import Json, Manifest
from llmaz.daemon.web import listening
from llmaz.kube import Kube
from llmaz.local.install import install
from support.plane import ControlPlane
from support.reachable import endpoint_address

WITHIN_SECONDS = 120.0


@dataclass
class Running:
    """A gateway that runs, and the cluster that it reads."""

    kube: Kube
    client: aiohttp.ClientSession
    process: asyncio.subprocess.Process
    engine_host: str  # where an engine of a test may listen

    async def ask(self, model: str) -> tuple[int, str]:
        async with self.client.post("/v1/chat/completions", json={"model": model}) as answer:
            return answer.status, await answer.text()

    async def until(self, model: str, status: int, text: str) -> None:
        """Ask until the answer has the status and the text."""
        async with asyncio.timeout(WITHIN_SECONDS):
            while (seen := await self.ask(model))[0] != status or text not in seen[1]:
                await asyncio.sleep(0.02)


@pytest_asyncio.fixture
async def running(control_plane: ControlPlane) -> AsyncIterator[Running]:
    argv = ("--kubeconfig", str(control_plane.kubeconfig), "--listen", "127.0.0.1:0", "--lifeline")
    async with await Kube.connect(control_plane.kubeconfig) as kube:
        await install(kube, print)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "llmaz.gateway", *argv),
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        line = await asyncio.wait_for(process.stderr.readline(), WITHIN_SECONDS)
        url = line.decode().split()[-1]
        async with aiohttp.ClientSession(url) as client:
            yield Running(kube, client, process, endpoint_address(control_plane))
        if process.returncode is None:
            process.kill()
        await process.communicate()


def playground(name: str, message: str) -> Manifest:
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": 1, "modelClaim": {"modelName": name}},
        "status": {"conditions": [unavailable(message)]},
    }


def unavailable(message: str) -> Json:
    return {
        "type": "Available",
        "status": "False",
        "reason": "Unplaceable",
        "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


def endpoint(name: str, host: str, port: int) -> Manifest:
    labels: Json = {
        "kubernetes.io/service-name": f"{name}-lb",
        "llmaz.io/model-name": name,
        "llmaz.io/playground": name,
    }
    return {
        "metadata": {"name": f"{name}-lb-0", "namespace": "default", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
    }


async def engine(request: web.Request) -> web.Response:
    return web.json_response({"asked_for": (await request.json())["model"]})


async def test_a_playground_is_routed_to_as_soon_as_its_engine_is_ready(running: Running) -> None:
    kube = running.kube
    source: Json = {"uri": "ollama://tiny:1b"}
    model: Manifest = {
        "metadata": {"name": "routed"},
        "spec": {"familyName": "a", "source": source},
    }
    await kube.apply(OPEN_MODEL, model, manager="test")
    made = playground("routed", "a10: 0 of 1 nodes fit")
    await kube.apply(PLAYGROUND, {k: v for k, v in made.items() if k != "status"}, manager="test")
    status: Manifest = {"status": made["status"]}
    await kube.patch(PLAYGROUND, "routed", status, "default", subresource="status")
    await running.until("routed", 503, "default/routed: a10: 0 of 1 nodes fit")

    app = web.Application()
    app.router.add_post("/v1/chat/completions", engine)
    async with listening(app, running.engine_host, 0) as port:
        found = endpoint("routed", running.engine_host, port)
        await kube.apply(ENDPOINT_SLICE, found, manager="test")
        await running.until("default/routed", 200, '"tiny:1b"')
    await kube.delete(ENDPOINT_SLICE, "routed-lb-0", "default")
    await running.until("routed", 503, "no engine")
    await kube.delete(PLAYGROUND, "routed", "default")
    await kube.delete(OPEN_MODEL, "routed")
    await running.until("routed", 404, "model_not_found")

    async with running.client.get("/readyz") as ready, running.client.get("/metrics") as metrics:
        assert ready.status == 200
        assert (
            'llmaz_gateway_requests_total{model="routed",status="200"} 1.0' in await metrics.text()
        )


async def test_the_gateway_ends_with_its_parent(running: Running) -> None:
    assert running.process.stdin is not None
    running.process.stdin.close()
    assert await asyncio.wait_for(running.process.wait(), WITHIN_SECONDS) == 0


async def test_a_gateway_without_a_cluster_says_so(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "llmaz.gateway", "--kubeconfig", str(tmp_path / "none")),
        *("--log-format", "json"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), WITHIN_SECONDS)
    assert process.returncode == 1
    assert json.loads(said)["message"] == (
        f"the gateway can't start: {tmp_path}/none: there is no such file"
    )
