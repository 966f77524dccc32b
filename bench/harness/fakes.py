"""The tests' fake engine as a BackendRuntime, so that many engines fit on one machine."""

import asyncio
import sys
from pathlib import Path

from llmaz.api.kinds import BACKEND_RUNTIME, INFERENCE_NODE, OPEN_MODEL, PLAYGROUND
from llmaz.api.manifest import Manifest, decode
from llmaz.api.node import EnginePhase, EngineReport, InferenceNode
from llmaz.kube import Kube

MODEL = "fake"
ENGINE = Path(__file__).parents[2] / "tests/support/engine.py"
_READY_SECONDS = 120.0


async def apply_fakes(kube: Kube, replicas: int) -> None:
    """Have `replicas` fake engines run."""
    arguments = ["--port", "{{ .Port }}", "--model", "{{ .ModelName }}", "--token-seconds", "0.01"]
    runtime: Manifest = {
        "image": "fake",
        "version": "1",
        "process": {"command": [sys.executable, "-I", str(ENGINE)]},
        "recommendedConfigs": [{"name": "default", "args": list(arguments)}],
    }
    model: Manifest = {"familyName": MODEL, "source": {"uri": f"file://{ENGINE}"}}
    playground: Manifest = {
        "replicas": replicas,
        "modelClaim": {"modelName": MODEL},
        "backendRuntimeConfig": {"backendName": MODEL},
    }
    await kube.apply(
        BACKEND_RUNTIME, {"metadata": {"name": MODEL}, "spec": runtime}, manager="bench"
    )
    await kube.apply(OPEN_MODEL, {"metadata": {"name": MODEL}, "spec": model}, manager="bench")
    named: Manifest = {"name": MODEL, "namespace": "default"}
    await kube.apply(PLAYGROUND, {"metadata": named, "spec": playground}, manager="bench")


async def ready_engines(kube: Kube, count: int) -> dict[str, EngineReport]:
    """Return the reports of the engines once `count` of them are ready."""
    async with asyncio.timeout(_READY_SECONDS):
        while True:
            for node in (await kube.list(INFERENCE_NODE)).items:
                engines = decode(InferenceNode, node).status.engines or ()
                ready = {e.id: e for e in engines if e.phase is EnginePhase.READY}
                if len(ready) == count:
                    return ready
            await asyncio.sleep(0.1)
