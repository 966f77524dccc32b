"""The node's Hugging Face endpoint: what clients wait for, and what the hub behind it is asked.

Eight clients ask at once for one file that the cache lacks, from a hub of a given rate; then the
file is asked for again. The same clients ask the hub itself, and Olah, a mirror from PyPI, where
the variable OLAH names its `olah-cli` in an environment of its own. Rounds alternate.
"""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import aiohttp
from harness.figures import options, percentile, report
from harness.origin import COMMIT, FILE, REPOSITORY
from harness.servers import free_port, program

MEBIBYTE = 2**20
CLIENTS = 8
WHERE = f"/{REPOSITORY}/resolve/{COMMIT}/{FILE}"
Figures = dict[str, list[float]]


@contextmanager
def hub(weights: Path, rate: float, *others: Path) -> Iterator[str]:
    argv = [sys.executable, "-m", "harness.pacedhub", str(weights), str(rate), *map(str, others)]
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.kill()


@contextmanager
def endpoint(cache: Path, hub_url: str) -> Iterator[str]:
    """Run a node's sharing process on an empty cache."""
    argv = [sys.executable, "-m", "llmaz.agent.sharing", "--node-name=bench"]
    argv += ["--listen-host=127.0.0.1", "--listen-port=0", f"--cache-dir={cache}"]
    argv += ["--mirror-fetch=any"]
    environ = os.environ | {"HF_ENDPOINT": hub_url}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(argv, env=environ, **pipes) as process:  # type: ignore[call-overload]  # pipes
        try:
            yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        finally:
            process.kill()


@contextmanager
def olah(cache: Path, hub_url: str) -> Iterator[str]:
    port, netloc = free_port(), hub_url.removeprefix("http://")
    argv = [os.environ["OLAH"], "--host", "127.0.0.1", "--port", str(port)]
    argv += ["--hf-scheme", "http", "--hf-netloc", netloc, "--hf-lfs-netloc", netloc]
    argv += ["--mirror-netloc", f"127.0.0.1:{port}", "--mirror-lfs-netloc", f"127.0.0.1:{port}"]
    argv += ["--repos-path", str(cache), "--log-path", str(cache / "log")]
    with program(argv, cache.parent / "olah.log"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def directly(_: Path, hub_url: str) -> Iterator[str]:
    yield hub_url


WAYS = {"llmaz": endpoint, "olah": olah, "hub": directly}


async def answered(client: aiohttp.ClientSession) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(aiohttp.ClientError):
            async with client.get("/") as answer:
                await answer.read()
                return
        await asyncio.sleep(0.1)
    raise SystemExit("the mirror did not start within a minute")


async def count(hub_url: str) -> dict[str, float]:
    async with aiohttp.ClientSession() as client, client.get(f"{hub_url}/count") as answer:
        return dict(await answer.json())


@dataclass(frozen=True)
class Reading:
    """When one client asked, and when its first and last bytes were there."""

    asked_at: float
    first_at: float
    last_at: float

    @property
    def seconds(self) -> float:
        return self.last_at - self.asked_at


async def read(client: aiohttp.ClientSession, sha256: str) -> Reading:
    """Read the file, and check it."""
    asked_at, first_at, found = time.monotonic(), 0.0, hashlib.sha256()
    async with client.get(WHERE) as answer:
        async for block in answer.content.iter_any():
            first_at = first_at or time.monotonic()
            found.update(block)
    if found.hexdigest() != sha256:
        raise SystemExit("a client was sent other bytes")
    return Reading(asked_at, first_at, time.monotonic())


async def one_round(url: str, hub_url: str, sha256: str, heads: int) -> dict[str, float]:
    timeout = aiohttp.ClientTimeout(total=300)
    async with aiohttp.ClientSession(url, timeout=timeout) as client:
        await answered(client)
        before = await count(hub_url)
        cold = await asyncio.gather(*(read(client, sha256) for _ in range(CLIENTS)))
        between = await count(hub_url)
        warm = await read(client, sha256)
        waits = []
        for _ in range(heads):
            started = time.perf_counter()
            async with client.head(WHERE) as answer:
                answer.raise_for_status()
            waits.append(time.perf_counter() - started)
        after = await count(hub_url)
    slowest = max(cold, key=lambda reading: reading.last_at)
    return {
        "cold_first_s": min(reading.seconds for reading in cold),
        "cold_last_s": max(reading.seconds for reading in cold),
        "cold_begun_s": max(reading.first_at - reading.asked_at for reading in cold),
        "stream_over_arrival": (between["last_at"] - between["first_at"])
        / (slowest.last_at - slowest.first_at),
        "behind_arrival_s": slowest.last_at - between["last_at"],
        "cold_bytes": between["bytes"] - before["bytes"],
        "warm_s": warm.seconds,
        "warm_p99_ms": percentile(waits, 0.99) * 1000,
        "warm_asks": after["requests"] - between["requests"],
    }


def main() -> None:
    quick = options(__doc__ or "").quick
    size, rate, rounds = (64, 32, 1) if quick else (512, 64, 5)
    ways = [way for way in WAYS if way != "olah" or "OLAH" in os.environ]
    found: dict[str, Figures] = {way: {} for way in ways}
    with tempfile.TemporaryDirectory(prefix="llmaz-bench-") as scratch:
        weights = Path(scratch) / "weights"
        weights.write_bytes(os.urandom(size * MEBIBYTE))
        sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
        for number in range(rounds):
            for way in ways:
                cache = Path(scratch) / f"{way}-{number}" / "cache"
                cache.mkdir(parents=True)
                with hub(weights, rate * MEBIBYTE) as hub_url, WAYS[way](cache, hub_url) as url:
                    figures = asyncio.run(one_round(url, hub_url, sha256, 200))
                for name, figure in figures.items():
                    found[way].setdefault(name, []).append(figure)
    report(
        bytes=size * MEBIBYTE,
        rounds=rounds,
        clients=CLIENTS,
        arrival_s=size / rate,
        **{
            f"{way}_{name.replace('bytes', 'copies')}": median(figures)
            / (size * MEBIBYTE if name == "cold_bytes" else 1)
            for way in ways
            for name, figures in found[way].items()
        },
    )


if __name__ == "__main__":
    main()
