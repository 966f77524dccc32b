"""Builders and judges of placement, beside those of the controller."""

import dataclasses

from llmaz.api.memory import EngineMemory, ModelMemory
from llmaz.api.node import Accelerator
from llmaz.api.openmodel import OpenModel
from llmaz.api.quantity import Quantity
from support.controlling import World, flavor, gpu, model, node, playground, runtime

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
