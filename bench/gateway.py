"""What the gateway adds: the first token and a whole stream, through it and from the engine itself.

Many clients stream at the same time from a fake engine that does not compute, in processes of their
own; then a few ask for short answers, one after another. `--rivals DIRECTORY` does the same with
LiteLLM's proxy and the vLLM router, which it installs there. On a machine that does much else only
the figures of CPU time tell something.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import aiohttp
from harness.fakes import MODEL
from harness.figures import percentile, report, resident_mib, tree_cpu_seconds
from harness.rivals import RIVALS, installed
from harness.servers import ApiServer, embedded_api_server, free_port, program

from llmaz.api.kinds import ENDPOINT_SLICE, NAMESPACE, PLAYGROUND
from llmaz.api.manifest import Manifest
from llmaz.api.names import KUBERNETES_SERVICE_NAME, MODEL_NAME, PLAYGROUND_NAME
from llmaz.kube import Kube
from llmaz.local.install import install

STREAMS = 200
ENGINE = Path(__file__).parent / "harness/engine.py"
SHORT_CLIENTS = 8
_READY_SECONDS = 120
_TOKENS = 32
_TOKEN_SECONDS = 0.02
_BODY = {"model": MODEL, "prompt": "Hi " * 500, "max_tokens": _TOKENS, "stream": True}
_SHORT = {"model": MODEL, "prompt": "Hi " * 500, "max_tokens": 1}


class NoAnswer(Exception):
    """A request that was not answered as it should."""


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
        begun = await answer.content.readany()
        first = time.perf_counter() - started
        if b"[DONE]" not in begun + await answer.read():
            raise NoAnswer(f"a stream was cut short: {answer.status}")
    return first, time.perf_counter() - started


async def one_answer(session: aiohttp.ClientSession, port: int) -> tuple[float, float]:
    """Return the seconds to a short answer, twice."""
    started = time.perf_counter()
    async with session.post(url(port), json=_SHORT) as answer:
        if b"Hello" not in await answer.read():
            raise NoAnswer(f"a short request was not answered: {answer.status}")
    return (took := time.perf_counter() - started), took


async def clients(port: int, count: int, rounds: int) -> None:
    """Ask with many clients at once and print their seconds as JSON: a process of its own."""
    one = one_stream if count == STREAMS else one_answer

    async def answered(session: aiohttp.ClientSession) -> tuple[float, float] | None:
        try:
            return await one(session, port)
        except (aiohttp.ClientError, NoAnswer):
            return None  # a gateway that loses requests is measured by those that it does not lose

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def client(number: int) -> list[tuple[float, float] | None]:
            # Users do not ask all at the same moment, and engines do not answer in step.
            await asyncio.sleep(_TOKENS * _TOKEN_SECONDS * number / count)
            return [await answered(session) for _ in range(rounds)]

        took = await asyncio.gather(*(client(number) for number in range(count)))
    sys.stdout.write(json.dumps([seconds for one in took for seconds in one]))


async def asked(port: int, count: int, rounds: int) -> list[tuple[float, float]]:
    """Have a process of clients ask `port`: streams of all clients, short answers of a few.

    What was not answered is missing in the list.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--clients", str(port), str(count), str(rounds)),
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    return [(first, whole) for first, whole in filter(None, json.loads(told))]


async def figures_of(name: str, port: int, pid: int, rounds: int) -> dict[str, object]:
    """Measure what listens at a port, which is the process `pid` and those below it."""
    before = tree_cpu_seconds(pid)
    streams = await asked(port, STREAMS, rounds)
    between = tree_cpu_seconds(pid)
    short = await asked(port, SHORT_CLIENTS, 100 * rounds)
    after = tree_cpu_seconds(pid)
    first, whole = zip(*streams, strict=True)
    requests = STREAMS * rounds + SHORT_CLIENTS * 100 * rounds
    return {
        f"{name}_failed": requests - len(streams) - len(short),
        f"{name}_first_p50_ms": 1e3 * percentile(first, 0.5),
        f"{name}_first_p99_ms": 1e3 * percentile(first, 0.99),
        f"{name}_whole_p50_ms": 1e3 * percentile(whole, 0.5),
        f"{name}_whole_p99_ms": 1e3 * percentile(whole, 0.99),
        f"{name}_short_p50_ms": 1e3 * percentile([one for one, _ in short], 0.5),
        f"{name}_cpu_us_per_token": 1e6 * (between - before) / (len(streams) * _TOKENS),
        f"{name}_cpu_us_per_short": 1e6 * (after - between) / len(short),
        f"{name}_resident_mib": resident_mib(pid),
    }


async def measured(
    name: str, argv: list[str], port: int, log: Path, rounds: int, environ: Mapping[str, str] = {}
) -> dict[str, object]:
    """Run a gateway, and measure it once it answers."""
    with program(argv, log, environ) as process:
        async with aiohttp.ClientSession() as session:
            await until_served(session, port)
        found = await figures_of(name, port, process.pid, rounds)
    sys.stderr.write(f"{name} is measured\n")  # all of them take minutes
    return found


async def measure(
    server: ApiServer, scratch: Path, rounds: int, rivals: Path | None
) -> dict[str, object]:
    engine_port, port = free_port(), free_port()
    engine = [sys.executable, str(ENGINE), str(engine_port)]
    engine += [str(_TOKENS), str(_TOKEN_SECONDS)]
    gateway = [sys.executable, "-m", "llmaz.gateway", "--kubeconfig", str(server.kubeconfig)]
    gateway += ["--listen", f"127.0.0.1:{port}"]
    async with await Kube.connect(server.kubeconfig) as kube:
        await serve(kube, engine_port)
    found: dict[str, object] = {}
    with program(engine, scratch / "engine.log") as process:
        async with aiohttp.ClientSession() as session:
            await until_served(session, engine_port)
        found |= await figures_of("direct", engine_port, process.pid, rounds)
        found |= await measured("gateway", gateway, port, scratch / "gateway.log", rounds)
        for rival in RIVALS if rivals else ():
            assert rivals is not None
            port = free_port()
            argv = rival.argv(installed(rival, rivals), scratch, engine_port, port)
            log = scratch / f"{rival.name}.log"
            found |= await measured(rival.name, argv, port, log, rounds, rival.environ)
    return found


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: under a minute")
    parser.add_argument("--rivals", type=Path, metavar="DIRECTORY", help="measure rivals as well")
    return parser.parse_args()


async def main() -> None:
    given = options()
    rounds = 3 if given.quick else 20
    with tempfile.TemporaryDirectory(prefix="llmaz-bench-") as scratch:
        async with embedded_api_server() as server:
            found = await measure(server, Path(scratch), rounds, given.rivals)
    report(streams=STREAMS, requests=STREAMS * rounds, **found)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--clients"]:
        asyncio.run(clients(int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
    else:
        asyncio.run(main())
