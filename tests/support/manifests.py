"""Manifests of tests: what others published, what llmaz ships, and builders of new ones."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from llmaz.api.manifest import Json, Manifest

PUBLISHED = Path(__file__).parents[1] / "manifests"
CHART = Path(__file__).parents[2] / "charts" / "llmaz"


def documents(path: Path) -> Iterator[Manifest]:
    """Yield the llmaz objects of a file; what else stands beside them is not ours."""
    for document in yaml.safe_load_all(path.read_text()):
        if document and document["apiVersion"].split("/")[0].endswith("llmaz.io"):
            yield document


def published() -> list[Path]:
    """Return every file of manifests that others published."""
    return sorted(PUBLISHED.rglob("*.yaml"))


def part(manifest: Json, *keys: str) -> Manifest:
    """Return an object within a manifest."""
    for key in keys:
        assert isinstance(manifest, dict)
        manifest = manifest[key]
    assert isinstance(manifest, dict)
    return manifest


def open_model(name: str = "llama3-8b", /, **spec: Json) -> Manifest:
    """Build an OpenModel of a Hugging Face repository."""
    source: Manifest = {"modelHub": {"modelID": "meta-llama/Meta-Llama-3-8B"}}
    return _object(
        "llmaz.io", "OpenModel", name, {"familyName": "llama3", "source": source, **spec}
    )


def model_from(uri: str) -> Manifest:
    """Build an OpenModel whose weights are at a URI."""
    return open_model(source={"uri": uri})


def model_of_hub(**hub: Json) -> Manifest:
    """Build an OpenModel of a hub's repository."""
    return open_model(source={"modelHub": {"modelID": "a/b", **hub}})


def playground(name: str = "llama3-8b", /, **spec: Json) -> Manifest:
    """Build a Playground of one model, unless `spec` claims others."""
    claim: Manifest = {} if "modelClaims" in spec else {"modelClaim": {"modelName": "llama3-8b"}}
    return _object("inference.llmaz.io", "Playground", name, {**claim, **spec})


def claims(*roles: str | None) -> Manifest:
    """Build claims with one model for each role; None leaves the role out."""
    models: list[Json] = [
        {"name": f"model-{i}"} if role is None else {"name": f"model-{i}", "role": role}
        for i, role in enumerate(roles)
    ]
    return {"models": models}


def service(name: str = "llama3-8b", /, container: str = "model-runner", **spec: Json) -> Manifest:
    """Build a Service of one model with one container."""
    pod: Manifest = {"spec": {"containers": [{"name": container, "image": "vllm"}]}}
    whole: Manifest = {
        "modelClaims": claims("main"),
        "workloadTemplate": {"workerTemplate": pod},
        **spec,
    }
    return _object("inference.llmaz.io", "Service", name, whole)


def backend_runtime(name: str = "vllm", /, **spec: Json) -> Manifest:
    """Build a BackendRuntime with one configuration."""
    config: Manifest = {"name": "default", "args": ["{{ .ModelPath }}"]}
    whole: Manifest = {"image": "vllm", "version": "v1", "recommendedConfigs": [config], **spec}
    return _object("inference.llmaz.io", "BackendRuntime", name, whole)


def _object(group: str, kind: str, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": f"{group}/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }
