"""The runtime for groups on Ray as it ships, with the real Ray; only the engine is none."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast

import aiohttp
import psutil
import pytest
import yaml

from llmaz.api.kinds import BACKEND_RUNTIME, OPEN_MODEL, PLAYGROUND
from llmaz.api.manifest import Json, Manifest
from llmaz.api.node import EngineReport
from support.cluster import CHART
from support.nodes import Node
from support.shims import wait_until
from support.twonodes import LEADER, WORKER, group_members, running_nodes
from support.weights import gguf

pytest.importorskip("ray", reason="Ray is not installed: pip install 'llmaz[ray]'")

pytestmark = [pytest.mark.timeout(1000), pytest.mark.slow]

ENGINE = Path(__file__).parents[1] / "support" / "rayengine.py"
PATIENCE = 400.0  # several of Ray's programs start one after another on each node
# Ray takes 127.0.0.1 for the machine's own address, and so for another node than itself.
ADDRESSES = ("127.0.0.2", "127.0.0.3")
# A busy machine is no reason to give up, and what others use of its memory none to kill.
PATIENT = {"RAY_raylet_start_wait_time_s": "120", "RAY_memory_monitor_refresh_ms": "0"}


def runtime() -> Manifest:
    """The runtime that ships, but for packages: what stands for vLLM is here already."""
    shipped: Manifest = yaml.safe_load((CHART / "runtimes" / "vllm-ray.yaml").read_text())
    spec = cast("Manifest", shipped["spec"])
    return shipped | {"spec": {key: value for key, value in spec.items() if key != "process"}}


def model(weights: Path) -> Manifest:
    params: Manifest = {"TP": "1", "PP": "2"}
    flavors: list[Json] = [{"name": "any", "params": params}]
    source: Manifest = {"uri": f"host://{weights}"}
    wanted: Manifest = {"flavors": flavors}
    spec: Manifest = {"familyName": "tiny", "source": source, "inferenceConfig": wanted}
    return {"metadata": {"name": "tiny"}, "spec": spec}


def playground(programs: Path, name: str = "pair") -> Manifest:
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    envs: list[Json] = [
        {"name": key, "value": value} for key, value in {"PATH": path, **PATIENT}.items()
    ]
    config: Manifest = {
        "backendName": "vllm-ray",
        "envs": envs,
        "resources": {"requests": {"cpu": "100m"}, "limits": {}},
    }
    claim: Manifest = {"modelName": "tiny"}
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": 1, "modelClaim": claim, "backendRuntimeConfig": config},
    }


def stand_in(directory: Path) -> Path:
    """Make the program `vllm` and return the directory that it is in."""
    programs = directory / "bin"
    programs.mkdir()
    vllm = programs / "vllm"
    vllm.write_text(f'#!/bin/sh\nexec {sys.executable} {ENGINE} "$@"\n')
    vllm.chmod(0o755)
    return programs


@asynccontextmanager
async def ray_group(directory: Path) -> AsyncIterator[tuple[Node, Node]]:
    weights = directory / "tiny.gguf"
    weights.write_bytes(gguf())
    async with running_nodes(directory, ADDRESSES) as (kube, nodes):
        await kube.apply(BACKEND_RUNTIME, runtime(), manager="tests")
        await kube.apply(OPEN_MODEL, model(weights), manager="tests")
        await kube.apply(PLAYGROUND, playground(stand_in(directory)), manager="tests")
        yield nodes


async def nodes_that_computed(leader: EngineReport) -> str:
    """Ask the group for a token, and return who took part in it."""
    url = f"http://{leader.address}:{leader.port}/v1/completions"
    async with aiohttp.ClientSession() as session, session.post(url, json={}) as answer:
        choices = (await answer.json())["choices"]
        return str(choices[0]["text"])


def ray_processes(directory: Path) -> set[str]:
    """Return the command lines of all that Ray runs for engines of a test's nodes."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # such as one that ends meanwhile
            if process.environ().get("PATH", "").startswith(f"{directory}/bin:"):
                found.add(" ".join(process.cmdline()[:2]))
    return found


async def test_a_group_on_ray_computes_on_both_nodes_comes_back_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    async with ray_group(tmp_path) as nodes:
        before = await group_members(nodes, patience=PATIENCE)
        assert await nodes_that_computed(before[LEADER]) == " ".join(ADDRESSES)
        assert any("gcs_server" in line for line in ray_processes(tmp_path))

        victim = before[WORKER].pid
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
        after = await group_members(nodes, later_than=before[WORKER].epoch, patience=PATIENCE)
        assert await nodes_that_computed(after[LEADER]) == " ".join(ADDRESSES)

        await asyncio.gather(*(one.end(signal.SIGTERM) for one in nodes))
        await asyncio.gather(*(one.stop_engines() for one in nodes))
        await asyncio.to_thread(wait_until, lambda: not ray_processes(tmp_path), "nothing is left")
