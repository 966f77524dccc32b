"""The embedded API server: latency of writes and watches, lists, memory, restart with many objects.

A real control plane of a kubeconfig in LLMAZ_TEST_KUBECONFIG is measured in the same run.
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path

from harness.figures import options, percentile, report, resident_mib
from harness.servers import embedded_api_server

from llmaz.api.kinds import CONFIG_MAP
from llmaz.api.manifest import Manifest
from llmaz.kube import Kube

WRITERS = 32


def config_map(name: str, text: str = "x" * 800) -> Manifest:
    """Return an object of about 1 KiB."""
    meta: Manifest = {"name": name, "namespace": "default", "labels": {"bench": "control-plane"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"text": text}}


async def sequential_writes(kube: Kube, count: int) -> list[float]:
    """Create objects one after the other; return each one's seconds."""
    took = []
    for index in range(count):
        started = time.perf_counter()
        await kube.create(CONFIG_MAP, config_map(f"one-{index:06}"))
        took.append(time.perf_counter() - started)
    return took


async def concurrent_writes(kube: Kube, count: int) -> float:
    """Create objects from many writers at once; return objects per second."""
    names = iter(range(count))

    async def writer() -> None:
        for index in names:
            await kube.create(CONFIG_MAP, config_map(f"many-{index:06}"))

    started = time.perf_counter()
    await asyncio.gather(*(writer() for _ in range(WRITERS)))
    return count / (time.perf_counter() - started)


async def watch_latency(kube: Kube, count: int) -> list[float]:
    """Patch an object again and again; return the seconds from each request to its event."""
    version = (await kube.list(CONFIG_MAP, "default")).resource_version
    started = 0.0
    took: list[float] = []
    seen = asyncio.Event()

    async def watch() -> None:
        async for event in kube.watch(CONFIG_MAP, "default", resource_version=version):
            if event.type == "MODIFIED":
                took.append(time.perf_counter() - started)
                seen.set()

    watcher = asyncio.create_task(watch())
    await asyncio.sleep(0.2)  # the watch is open by then; a late one would only replay the events
    for index in range(count):
        seen.clear()
        started = time.perf_counter()
        await kube.patch(CONFIG_MAP, "one-000000", {"data": {"turn": str(index)}}, "default")
        await seen.wait()
    watcher.cancel()
    return took


async def measure(kubeconfig: Path, *, objects: int, rounds: int) -> dict[str, float]:
    """Return the figures of one control plane, which is left with `objects` objects."""
    async with await Kube.connect(kubeconfig) as kube:
        writes = await sequential_writes(kube, rounds)
        rate = await concurrent_writes(kube, objects - rounds)
        events = await watch_latency(kube, rounds)
        started = time.perf_counter()
        found = len((await kube.list(CONFIG_MAP, "default")).items)
        listed = time.perf_counter() - started
        if found < objects:
            raise SystemExit(f"{objects} objects were written, but {found} are listed")
    return {
        "write_p50_ms": 1e3 * percentile(writes, 0.5),
        "write_p99_ms": 1e3 * percentile(writes, 0.99),
        "concurrent_writes_per_s": rate,
        "watch_p50_ms": 1e3 * percentile(events, 0.5),
        "watch_p99_ms": 1e3 * percentile(events, 0.99),
        "list_all_s": listed,
    }


async def main() -> None:
    quick = options(__doc__ or "").quick
    objects, rounds = (2_000, 200) if quick else (10_000, 1_000)
    figures: dict[str, object] = {"objects": objects}
    with tempfile.TemporaryDirectory(prefix="llmaz-bench-") as scratch:
        data = Path(scratch)
        async with embedded_api_server(data) as server:
            figures |= await measure(server.kubeconfig, objects=objects, rounds=rounds)
            figures["resident_mib"] = resident_mib(server.pid)
        started = time.perf_counter()
        async with embedded_api_server(data):
            figures["restart_s"] = time.perf_counter() - started
    if real := os.environ.get("LLMAZ_TEST_KUBECONFIG"):
        rival = await measure(Path(real), objects=objects, rounds=rounds)
        figures |= {f"real_{name}": value for name, value in rival.items()}
    report(**figures)


if __name__ == "__main__":
    asyncio.run(main())
