"""A Playground in slots whose fake engine sleeps as vLLM's do."""

from pathlib import Path
from typing import Any

from llmaz.api.kinds import BACKEND_RUNTIME, OPEN_MODEL, PLAYGROUND
from llmaz.kube import Kube
from support.nodes import FAKE_ENGINE
from support.weights import gguf

NAME = "tiny"


async def serve_drowsy(
    kube: Kube,
    weights: Path,
    *,
    replicas: int = 1,
    cpu: str = "1",
    drain_seconds: float = 0.0,
    **load: Any,  # noqa: ANN401  # JSON
) -> None:
    """Have it served; `load` is what its Playground says of scaling by load."""
    weights.write_bytes(gguf())
    command = ["python", str(FAKE_ENGINE)]
    args = ["--port", "{{ .Port }}", "--host", "$(LLMAZ_HOST)", "--model", "{{ .ModelName }}"]
    calls = {"sleep": "/sleep?level=1", "wake": "/wake_up", "isAsleep": "/is_sleeping"}
    config = {
        "name": "default",
        "args": [*args, "--token-seconds", "0.02", "--drain-seconds", str(drain_seconds)],
        "resources": {"requests": {"cpu": cpu}},
    }
    runtime: Any = {
        "image": "engine",
        "version": "v1",
        "command": command,
        "recommendedConfigs": [config],
        "sleep": {"args": ["--sleeps", "vllm"], "calls": calls},
    }
    model: Any = {"familyName": NAME, "source": {"uri": f"host://{weights}"}}
    await kube.apply(
        BACKEND_RUNTIME, {"metadata": {"name": "drowsy"}, "spec": runtime}, manager="tests"
    )
    await kube.apply(OPEN_MODEL, {"metadata": {"name": NAME}, "spec": model}, manager="tests")
    await lighten(kube, replicas=replicas, **load)


async def lighten(kube: Kube, *, replicas: int = 1, **load: Any) -> None:  # noqa: ANN401  # JSON
    """Write the Playground with another load."""
    spec: Any = {
        "modelClaim": {"modelName": NAME},
        "backendRuntimeConfig": {"backendName": "drowsy"},
    }
    if not load:
        spec["replicas"] = replicas
    else:
        spec["elasticConfig"] = {"minReplicas": 0, "maxReplicas": 1, "load": load}
    metadata: Any = {"name": NAME, "namespace": "default"}
    await kube.apply(PLAYGROUND, {"metadata": metadata, "spec": spec}, manager="tests")
