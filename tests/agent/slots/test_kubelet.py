"""Devices from the kubelet to the agent: a gRPC server, the program between, and its client."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmaz.agent.slots.given import Given
from llmaz.api.slot import AssignedSlot
from support.engines import assigned
from support.kubelet.podresources import Ledger, pod_resources
from support.shims import PATIENCE_SECONDS

ENGINE = assigned("chat-0", slot=AssignedSlot(name="chat-0-a", uid="a"))
QUESTION = {"namespace": "default", "pod": "chat-0-a"}


@contextmanager
def teller(directory: Path) -> Iterator[Path]:
    """The program that asks the kubelet, as the container runs it; where it listens."""
    listen = directory / "told"
    command = (sys.executable, "-m", "llmaz.agent.slots.kubelet", "--listen", str(listen))
    process = subprocess.Popen([*command, "--kubelet", str(directory / "kubelet")])
    try:
        yield listen
    finally:
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0


async def told(given: Given, changed: asyncio.Event) -> tuple[str, ...]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "a" not in given.look([ENGINE]):
            changed.clear()
            await changed.wait()
    return given.look([ENGINE])["a"]


async def test_the_kubelet_s_devices_reach_the_agent_however_late_each_part_begins(
    tmp_path: Path,
) -> None:
    pods: dict[tuple[str, str], dict[str, list[str]]] = {}

    def look() -> Ledger:
        return pods

    changed = asyncio.Event()
    given = Given(tmp_path / "told", changed, again_seconds=0.05)
    assert given.look([ENGINE]) == {}  # nobody listens yet
    with teller(tmp_path) as listen:
        said = await asked(listen, QUESTION)
        assert "UNAVAILABLE" in str(said["error"])  # nor does a kubelet
        with pod_resources(tmp_path / "kubelet", look):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while "error" in (unknown := await asked(listen, QUESTION)):
                    await asyncio.sleep(0.05)
            assert unknown == {"devices": None}  # and now that knows nothing of the pod
            pods["default", "chat-0-a"] = {"nvidia.com/gpu": ["GPU-a"]}
            assert await told(given, changed) == ("GPU-a",)
            assert await asked(listen, ["nonsense"]) == {"error": "the question is not understood"}
        assert given.look([ENGINE]) == {"a": ("GPU-a",)}  # a pod keeps its devices
        assert given.look([]) == {}
        await given.aclose()


async def test_a_pod_of_thousands_of_devices_is_told_of_whole(tmp_path: Path) -> None:
    """Plugins that count memory name one for each MiB."""
    devices = [f"GPU-4c2a1f0e-96b1-4d3c-8f0e-1b2c3d4e5f60-{number}" for number in range(24_000)]
    changed = asyncio.Event()
    given = Given(tmp_path / "told", changed, again_seconds=0.05)
    pods = {("default", "chat-0-a"): {"example.com/memory": devices}}
    with teller(tmp_path), pod_resources(tmp_path / "kubelet", lambda: pods):
        assert await told(given, changed) == tuple(devices)
        await given.aclose()


async def asked(socket: Path, question: object) -> dict[str, object]:
    """Ask as soon as somebody listens."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(socket)
                break
            except OSError:
                await asyncio.sleep(0.05)
        writer.write(json.dumps(question).encode() + b"\n")
        answer: dict[str, object] = json.loads(await reader.readline())
        writer.close()
    return answer
