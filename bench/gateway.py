"""What the gateway adds: the first token and a whole stream, through it and from the engine itself.

Many clients stream at the same time from a fake engine that does not compute, in processes of their
own. Rivals (LiteLLM, the vLLM router) are not measured here.
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
from harness.fakes import MODEL
from harness.figures import cpu_seconds, options, percentile, report, resident_mib
from harness.servers import ApiServer, embedded_api_server, free_port, program

from llmaz.api.kinds import ENDPOINT_SLICE, NAMESPACE, PLAYGROUND
from llmaz.api.manifest import Manifest
from llmaz.api.names import KUBERNETES_SERVICE_NAME, MODEL_NAME, PLAYGROUND_NAME
from llmaz.kube import Kube
from llmaz.local.install import install

STREAMS = 200
ENGINE = Path(__file__).parent / "harness/engine.py"
_READY_SECONDS = 60
_TOKENS = 32
_TOKEN_SECONDS = 0.02
_BODY = {"model": MODEL, "prompt": "Hi", "max_tokens": _TOKENS, "stream": True}


async def serve(kube: Kube, engine_port: int) -> None:
    """Write what the controller would: a Playground, and where its engine listens."""
    await install(kube, lambda _: None)
    await kube.apply(NAMESPACE, {"metadata": {"name": "default"}}, manager="bench")
    named: Manifest = {"name": MODEL, "namespace": "default"}
    spec: Manifest = {"replicas": 1, "modelClaim": {"modelName": MODEL}}
    await kube.apply(PLAYGROUND, {"metadata": named, "spec": spec}, manager="bench")
    labels: Manifest = {
        KUBERNETES_SERVICE_NAME: MODEL,
        MODEL_NAME: MODEL,
        PLAYGROUND_NAME: MODEL,
    }
    endpoints: Manifest = {
        "metadata": {**named, "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": engine_port}],
    }
    await kube.apply(ENDPOINT_SLICE, endpoints, manager="bench")


async def until_served(session: aiohttp.ClientSession, port: int) -> None:
    """Wait until a request is answered."""
    async with asyncio.timeout(_READY_SECONDS):
        while True:
            try:
                async with session.post(url(port), json=_BODY) as answer:
                    if answer.status == 200 and await answer.read():
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}/v1/completions"


async def one_stream(session: aiohttp.ClientSession, port: int) -> tuple[float, float]:
    """Return the seconds to the first token and to the end of one stream."""
    started = time.perf_counter()
    async with session.post(url(port), json=_BODY) as answer:
        await answer.content.readany()
        first = time.perf_counter() - started
        if b"[DONE]" not in await answer.read():
            raise SystemExit(f"a stream was cut short: {answer.status}")
    return first, time.perf_counter() - started


async def clients(port: int, rounds: int) -> None:
    """Stream from many clients at once and print their seconds as JSON: a process of its own."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def client() -> list[tuple[float, float]]:
            return [await one_stream(session, port) for _ in range(rounds)]

        took = await asyncio.gather(*(client() for _ in range(STREAMS)))
    sys.stdout.write(json.dumps([seconds for one in took for seconds in one]))


async def asked(port: int, rounds: int) -> list[tuple[float, float]]:
    """Have a process of clients ask `port`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--clients", str(port), str(rounds)),
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    return [(first, whole) for first, whole in json.loads(told)]


def figures_of(name: str, took: list[tuple[float, float]]) -> dict[str, object]:
    first, whole = zip(*took, strict=True)
    return {
        f"{name}_first_p50_ms": 1e3 * percentile(first, 0.5),
        f"{name}_first_p99_ms": 1e3 * percentile(first, 0.99),
        f"{name}_whole_p50_ms": 1e3 * percentile(whole, 0.5),
        f"{name}_whole_p99_ms": 1e3 * percentile(whole, 0.99),
    }


async def measure(server: ApiServer, scratch: Path, rounds: int) -> dict[str, object]:
    engine_port, gateway_port = free_port(), free_port()
    engine = [sys.executable, str(ENGINE), str(engine_port)]
    engine += [str(_TOKENS), str(_TOKEN_SECONDS)]
    gateway = [sys.executable, "-m", "llmaz.gateway", "--kubeconfig", str(server.kubeconfig)]
    gateway += ["--listen", f"127.0.0.1:{gateway_port}"]
    async with await Kube.connect(server.kubeconfig) as kube:
        await serve(kube, engine_port)
    with (
        program(engine, scratch / "engine.log"),
        program(gateway, scratch / "gateway.log") as process,
    ):
        async with aiohttp.ClientSession() as session:
            await until_served(session, engine_port)
            await until_served(session, gateway_port)
        direct = await asked(engine_port, rounds)
        cpu = cpu_seconds(process.pid)
        through = await asked(gateway_port, rounds)
        cpu = cpu_seconds(process.pid) - cpu
        return {
            **figures_of("direct", direct),
            **figures_of("gateway", through),
            "gateway_cpu_us_per_token": 1e6 * cpu / (len(through) * _TOKENS),
            "gateway_resident_mib": resident_mib(process.pid),
        }


async def main() -> None:
    rounds = 3 if options(__doc__ or "").quick else 20
    with tempfile.TemporaryDirectory(prefix="llmaz-bench-") as scratch:
        async with embedded_api_server() as server:
            found = await measure(server, Path(scratch), rounds)
    report(streams=STREAMS, requests=STREAMS * rounds, **found)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--clients"]:
        asyncio.run(clients(int(sys.argv[2]), int(sys.argv[3])))
    else:
        asyncio.run(main())
