"""The second start of an engine, every program real: from memory, with what the first compiled."""

import asyncio
import dataclasses
import sys
from pathlib import Path

from llmaz.api.node import AssignedModel
from llmaz.api.source import ModelHub, ModelSource
from support import compiling
from support.compiling import PLACES
from support.hub import Repository, serving
from support.nodes import FAKE_ENGINE, Node, fake_engine, node, serve_inference_nodes
from support.plane import ControlPlane
from support.weights import gguf

MODEL = AssignedModel(
    name="fake", source=ModelSource(model_hub=ModelHub(model_id="acme/tiny", filename="t.gguf"))
)


async def ready(worker: Node, log: Path) -> str:
    """Have the engine started, and return where it was told that its model is."""
    wrapper = (sys.executable, "-I", str(compiling.__file__), str(log), str(FAKE_ENGINE))
    engine = dataclasses.replace(fake_engine(), command=wrapper)
    await worker.assign(engine, models=(MODEL,))
    report = await worker.engine("Ready")
    variables = Path(f"/proc/{report.pid}/environ").read_text().split("\0")
    told = dict(variable.split("=", 1) for variable in variables if "=" in variable)
    return told["LLMAZ_MODEL_PATH"]


async def until_there(folder: Path, pattern: str) -> None:
    async with asyncio.timeout(120):
        while not any(folder.glob(pattern)):
            await asyncio.sleep(0.05)


async def test_the_second_start_is_from_memory_with_what_the_first_compiled(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    await serve_inference_nodes(control_plane.kubeconfig)
    memory, log = tmp_path / "memory", tmp_path / "compiled"
    repository = Repository({"t.gguf": gguf()})
    async with (
        serving({"acme/tiny": repository}) as hub,
        node(control_plane.kubeconfig, tmp_path, "second-start") as worker,
    ):
        worker.environ = {"HF_ENDPOINT": hub.url}
        copies = ("--warm-dir", str(memory), "--warm-quota", "1Gi")
        await worker.start("--register-node", "--jit-cache", "1Gi", *copies)
        first = await ready(worker, log)
        await until_there(memory, "hub/models--*/snapshots/*/t.gguf")
        await until_there(tmp_path / "cache" / "jit" / "kept", "*.tar")
        await worker.assign()
        await worker.until(lambda status: status.engines == (), "the engine is still there")
        second = await ready(worker, log)
    assert Path(first).is_relative_to(tmp_path / "cache")
    assert Path(second).is_relative_to(memory)
    assert Path(second).read_bytes() == gguf()
    compiled = [f"compiled {name}" for name in PLACES]
    assert log.read_text().splitlines() == [*compiled, *(f"found {name} {name}" for name in PLACES)]
