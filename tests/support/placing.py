"""Builders and judges of placement, beside those of the controller."""

import dataclasses
from typing import Any

from llmaz.api.memory import EngineMemory, ModelMemory
from llmaz.api.meta import ObjectMeta
from llmaz.api.node import Accelerator
from llmaz.api.openmodel import OpenModel
from llmaz.api.placement import Placement
from llmaz.api.playground import Playground
from llmaz.api.quantity import Quantity
from llmaz.api.tenant import Tenant, TenantSpec
from llmaz.controller.snapshot import PriorityClass
from support.builders import GPU, flavor, gpu, model, node, playground, runtime
from support.controlling import World

GIB = 2**30
LLAMA = ModelMemory(
    weight_bytes=16 * GIB,
    value_bytes=2,
    token_bytes=128 * 1024,
    cache_heads=8,
    context_tokens=8192,
)
VLLM = EngineMemory(
    per_accelerator=Quantity("1Gi"),
    used_percent=90,
    used_flags=("--gpu-memory-utilization",),
    context="model",
    context_flags=("--max-model-len",),
    cache_type_flags=("--kv-cache-dtype",),
    unknown_flags=("--cpu-offload-gb",),
)


def sentence(world: World, name: str = "chat") -> str:
    condition = world.available(name)
    assert condition is not None
    return condition.message


def two_nodes() -> World:
    """One replica on n1, which has room for it as n2 does."""
    world = World().add(
        model("qwen", flavor("a10")),
        runtime(),
        playground("chat", "qwen"),
        node("n1", 1),
        node("n2", 1),
    )
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0",))}
    return world


def needing(model_: OpenModel, memory: str) -> OpenModel:
    annotations = {"llmaz.io/accelerator-memory": memory}
    meta = dataclasses.replace(model_.metadata, annotations=annotations)
    return dataclasses.replace(model_, metadata=meta)


def assert_no_double_booking(world: World) -> None:
    owned = [uuid for _, uuids in world.engines().values() for uuid in uuids]
    assert len(owned) == len(set(owned))
    for name, uuids in world.engines().values():
        assert all(uuid.startswith(f"{name}-") for uuid in uuids)


def sized(model_: OpenModel, memory: ModelMemory) -> OpenModel:
    """The model, as some node has found it to be."""
    status = dataclasses.replace(model_.status, observed_generation=1, memory=memory)
    return dataclasses.replace(model_, status=status)


def large(uuid: str, gib: int, index: int = 0) -> Accelerator:
    return dataclasses.replace(gpu(uuid, index), memory_bytes=gib * GIB)


def placed_as(
    name: str,
    model_name: str,
    replicas: int = 1,
    namespace: str = "default",
    **wishes: Any,  # noqa: ANN401  # fields of the placement by name
) -> Playground:
    """A Playground with wishes for its placement."""
    made = playground(name, model_name, replicas)
    meta = dataclasses.replace(made.metadata, namespace=namespace)
    spec = dataclasses.replace(made.spec, placement=Placement(**wishes))
    return dataclasses.replace(made, metadata=meta, spec=spec)


def classes(world: World, **values: int) -> World:
    """Let the world have PriorityClasses of these values."""
    world.priorities |= {
        name: PriorityClass(name=name, value=value) for name, value in values.items()
    }
    return world


def tenant(
    name: str,
    *namespaces: str,
    quota: int = 0,
    limit: int | None = None,
    weight: int = 1,
    parent: str = "",
) -> Tenant:
    """A tenant with a quota, and perhaps a limit, of accelerators."""
    return Tenant(
        metadata=ObjectMeta(name=name, uid=f"uid-{name}", generation=1),
        spec=TenantSpec(
            parent=parent,
            namespaces=namespaces,
            quota={GPU: Quantity(str(quota))},
            limit={} if limit is None else {GPU: Quantity(str(limit))},
            weight=weight,
        ),
    )
