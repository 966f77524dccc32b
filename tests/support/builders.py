"""Builders of what the controller sees: models, runtimes, Playgrounds and nodes."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from llmaz.api.backendruntime import BackendRuntime, BackendRuntimeSpec, RecommendedConfig
from llmaz.api.claims import ModelClaim, ModelClaims, ModelRef, Role
from llmaz.api.meta import ObjectMeta
from llmaz.api.node import Accelerator, InferenceNode, NodeStatus
from llmaz.api.openmodel import Flavor, InferenceConfig, OpenModel, OpenModelSpec
from llmaz.api.playground import BackendRuntimeConfig, Playground, PlaygroundSpec
from llmaz.api.pod import Resources
from llmaz.api.quantity import Quantity
from llmaz.api.source import ModelHub, ModelSource

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
GPU = "nvidia.com/gpu"


def flavor(name: str, gpus: int = 1, **params: str) -> Flavor:
    limits = {GPU: Quantity(str(gpus))} if gpus else {}
    return Flavor(name=name, limits=limits, params=params)


def on(flavor_: Flavor, **labels: str) -> Flavor:
    """The flavor, for nodes with these labels alone."""
    return dataclasses.replace(flavor_, node_selector=labels)


def model(name: str, *flavors: Flavor, uri: str | None = None) -> OpenModel:
    hub = None if uri else ModelHub(model_id=f"org/{name}")
    return OpenModel(
        metadata=ObjectMeta(name=name, uid=f"uid-{name}", generation=1),
        spec=OpenModelSpec(
            family_name="family",
            source=ModelSource(model_hub=hub, uri=uri),
            inference_config=InferenceConfig(flavors=flavors),
        ),
    )


def runtime(name: str = "vllm", *args: str, **more: object) -> BackendRuntime:
    config = RecommendedConfig(
        name="default", args=args or ("--model", "{{ .ModelPath }}", "--port", "{{ .Port }}")
    )
    spec = BackendRuntimeSpec(
        command=("serve",), image="engine", version="v1", recommended_configs=(config,)
    )
    spec = dataclasses.replace(spec, **more)  # type: ignore[arg-type]  # fields of the spec by name
    return BackendRuntime(metadata=ObjectMeta(name=name), spec=spec)


def playground(
    name: str,
    model_name: str,
    replicas: int = 1,
    *,
    flavors: tuple[str, ...] = (),
    draft: str | None = None,
    config: BackendRuntimeConfig | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Playground:
    claims = ModelClaims(
        models=(
            ModelRef(name=model_name),
            *((ModelRef(name=draft, role=Role.DRAFT),) if draft else ()),
        ),
        inference_flavors=flavors,
    )
    short = ModelClaim(model_name=model_name, inference_flavors=flavors)
    return Playground(
        metadata=ObjectMeta(
            name=name,
            namespace="default",
            uid=f"uid-{name}",
            generation=1,
            annotations=annotations or {},
        ),
        spec=PlaygroundSpec(
            replicas=replicas,
            model_claim=None if draft else short,
            model_claims=claims if draft else None,
            backend_runtime_config=config or BackendRuntimeConfig(),
        ),
    )


def gpu(uuid: str, index: int = 0, *, healthy: bool = True) -> Accelerator:
    return Accelerator(
        uuid=uuid,
        index=index,
        vendor="nvidia",
        product="NVIDIA A10",
        resource=GPU,
        memory_bytes=24 * 2**30,
        healthy=healthy,
    )


def node(
    name: str,
    gpus: int | Sequence[Accelerator] = 0,
    *,
    cpu: str = "64",
    memory: str = "256Gi",
) -> InferenceNode:
    """A node whose agent has reported what it has."""
    if isinstance(gpus, int):
        gpus = [gpu(f"{name}-{index}", index) for index in range(gpus)]
    return InferenceNode(
        metadata=ObjectMeta(name=name, uid=f"uid-{name}", generation=1),
        status=NodeStatus(
            capacity={"cpu": Quantity(cpu), "memory": Quantity(memory)},
            accelerators=tuple(gpus),
            models=(),
            engines=(),
        ),
    )


def asks(cpu: str, memory: str) -> Resources:
    return Resources(requests={"cpu": Quantity(cpu), "memory": Quantity(memory)})
