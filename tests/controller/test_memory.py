"""How much memory of its accelerators a replica takes, and what that keeps it from."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaz.agent.engines.classify import End, classify
from llmaz.api.fingerprint import fingerprint
from llmaz.api.memory import ModelMemory, ReplicaMemory
from llmaz.api.node import EnginePhase, EngineReport
from llmaz.api.placement import Placement
from llmaz.api.playground import BackendRuntimeConfig
from llmaz.api.quantity import Quantity
from llmaz.controller.memory import Footprint
from support.builders import flavor, gpu, model, node, playground, runtime
from support.controlling import World
from support.placing import GIB, LLAMA, VLLM, large, needing, sentence, sized

NOTHING = ReplicaMemory()


def each(
    *args: str, devices: int = 1, hosts: int = 1, memory: ModelMemory = LLAMA, sequences: int = 1
) -> float | None:
    """GiB of each accelerator."""
    told = ReplicaMemory(sequences=sequences)
    footprint = Footprint(models=(memory,), engine=VLLM, told=told, args=args)
    found = footprint.on(devices, hosts)
    return None if found is None else round(found.each / GIB, 2)


def test_weights_one_context_and_the_engine_fit_into_the_part_that_it_uses() -> None:
    assert each() == round((16 + 1 + 1) / 0.9, 2)


@pytest.mark.parametrize(
    ("args", "gib"),
    [
        (("--max-model-len", "16384"), (16 + 2 + 1) / 0.9),
        (("--max-model-len=16K",), (16 + 2 + 1) / 0.9),
        (("--max-model-len", "auto"), (16 + 1) / 0.9),
        (("--max-model-len", "9" * 400), (16 + 1) / 0.9),
        (("--kv-cache-dtype", "fp8"), (16 + 0.5 + 1) / 0.9),
        (("--gpu-memory-utilization", "0.5"), 18 / 0.5),
        (("--gpu-memory-utilization", "0.5", "--gpu-memory-utilization=0.8"), 18 / 0.8),
    ],
)
def test_arguments_of_the_engine_count(args: tuple[str, ...], gib: float) -> None:
    assert each(*args) == round(gib, 2)


def test_with_weights_that_lie_elsewhere_nothing_is_known() -> None:
    assert each("--cpu-offload-gb", "8") is None


def test_accelerators_share_the_weights_and_the_heads_of_the_cache() -> None:
    assert each(devices=2) == round((8 + 0.5 + 1) / 0.9, 2)
    assert each(devices=2, hosts=2) == round((4 + 0.25 + 1) / 0.9, 2)
    assert each(devices=16) == round((1 + 1 / 8 + 1) / 0.9, 2)  # of 8 heads each keeps one


def test_contexts_at_once_take_their_cache_each() -> None:
    assert each(sequences=4) == round((16 + 4 + 1) / 0.9, 2)


def test_numbers_of_32_bits_are_read_as_16() -> None:
    wide = dataclasses.replace(LLAMA, weight_bytes=32 * GIB, value_bytes=4, token_bytes=2**18)
    assert each(memory=wide) == each()


def test_layers_with_a_window_keep_no_more_than_it() -> None:
    windowed = dataclasses.replace(LLAMA, window_token_bytes=2**20, window_tokens=1024)
    assert each(memory=windowed) == round((16 + 1 + 1 + 1) / 0.9, 2)


@given(
    devices=st.integers(1, 16),
    hosts=st.integers(1, 4),
    weights=st.integers(0, 2**40),
    tokens=st.integers(1, 10**6),
)
def test_more_accelerators_never_take_more_of_each(
    devices: int, hosts: int, weights: int, tokens: int
) -> None:
    memory = dataclasses.replace(LLAMA, weight_bytes=weights)
    told = ReplicaMemory(context_tokens=tokens)
    footprint = Footprint(models=(memory,), engine=VLLM, told=told)
    few, many = footprint.on(devices, hosts), footprint.on(devices + 1, hosts + 1)
    assert few is not None
    assert many is not None
    assert many.each <= few.each
    assert few.each * devices * hosts >= weights


def vllm_world(gib: int, memory: ReplicaMemory = NOTHING) -> World:
    """A model of which all is known, and one node with one accelerator of so much memory."""
    wanted = playground("chat", "qwen")
    spec = dataclasses.replace(wanted.spec, placement=Placement(memory=memory))
    return World().add(
        sized(model("qwen", flavor("any")), LLAMA),
        runtime(memory=VLLM),
        dataclasses.replace(wanted, spec=spec),
        node("n1", [large("n1-0", gib)]),
    )


def test_a_flavor_that_can_not_hold_the_model_is_refused_with_what_it_takes() -> None:
    world = vllm_world(16)
    world.settle()
    assert world.engines() == {}
    assert sentence(world) == (
        "any: 0 of 1 nodes fit: n1 has 0 of 1 nvidia.com/gpu with 20.0 GiB memory, the others have "
        "at most 16.0 (20.0 GiB are 16.0 of weights, 1.0 of KV cache for 8192 tokens, 1.0 of the "
        "engine's own, in the 90 % that it uses)"
    )


def test_a_flavor_that_can_hold_it_is_taken() -> None:
    world = vllm_world(20)
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0",))}


def test_a_playground_may_ask_for_more_contexts_or_say_all_of_it() -> None:
    world = vllm_world(20, memory=ReplicaMemory(sequences=2))
    world.settle()
    assert "2.0 of KV cache for 16384 tokens" not in sentence(world)
    assert "2.0 of KV cache for 2 contexts of 8192 tokens" in sentence(world)
    world = vllm_world(8, memory=ReplicaMemory(per_replica=Quantity("8Gi")))
    world.settle()
    assert list(world.engines()) == ["default/chat-0"]


def test_what_is_not_known_keeps_no_model_from_any_node() -> None:
    unknown = model("qwen", flavor("any"))
    for world in (
        vllm_world(1).add(unknown),  # no node has found out yet
        vllm_world(1).add(dataclasses.replace(sized(unknown, LLAMA), spec=unknown.spec)),
    ):
        stale = dataclasses.replace(world.models["qwen"].metadata, generation=2)
        world.models["qwen"] = dataclasses.replace(world.models["qwen"], metadata=stale)
        world.settle()
        assert list(world.engines()) == ["default/chat-0"]


def test_a_draft_model_counts_as_well() -> None:
    world = vllm_world(20).add(
        sized(model("small", flavor("any")), ModelMemory(weight_bytes=GIB)),
        playground(
            "chat", "qwen", draft="small", config=BackendRuntimeConfig(config_name="default")
        ),
    )
    world.settle()
    assert "with 21.1 GiB memory" in sentence(world)


def test_what_proves_too_large_once_its_weights_are_there_goes_where_it_fits() -> None:
    world = vllm_world(16).add(model("qwen", flavor("any")), node("n2", [large("n2-0", 24)]))
    world.decide()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0",))}
    world.add(sized(world.models["qwen"], LLAMA))
    world.settle()
    assert world.engines() == {"default/chat-0": ("n2", ("n2-0",))}


def test_what_runs_has_shown_that_it_fits_until_it_runs_out_of_memory() -> None:
    world = vllm_world(16).add(model("qwen", flavor("any")))
    world.settle()
    world.add(sized(world.models["qwen"], LLAMA))
    world.settle()
    assert list(world.engines()) == ["default/chat-0"]
    (engine,) = world.nodes["n1"].spec.engines
    died = EngineReport(
        id=engine.id,
        phase=EnginePhase.FAILED,
        reason=classify(End(code=1), "torch.OutOfMemoryError: CUDA out of memory").reason,
        fingerprint=fingerprint(engine),
    )
    status = dataclasses.replace(world.nodes["n1"].status, engines=(died,))
    world.nodes["n1"] = dataclasses.replace(world.nodes["n1"], status=status)
    world.decide()
    assert world.engines() == {}
    assert "with 20.0 GiB memory" in sentence(world)


def test_a_replica_goes_where_each_accelerator_has_the_memory_that_the_model_asks_for() -> None:
    small = dataclasses.replace(gpu("n1-0"), memory_bytes=24 * 2**30)
    large = dataclasses.replace(gpu("n2-0"), memory_bytes=80 * 2**30)
    world = World().add(
        needing(model("qwen", flavor("any")), "40Gi"),
        runtime(),
        playground("chat", "qwen", 2),
        node("n1", [small]),
        node("n2", [large]),
    )
    world.settle()
    assert world.engines() == {"default/chat-0": ("n2", ("n2-0",))}
    assert sentence(world).endswith(
        "any: 0 of 2 nodes fit: n1 has 0 of 1 nvidia.com/gpu with 40.0 GiB memory, the others have "
        "at most 24.0, n2 has 0 of 1 nvidia.com/gpu (40.0 GiB are what was asked for)"
    )


def test_the_memory_of_a_model_is_shared_by_the_accelerators_of_a_replica() -> None:
    world = World().add(
        needing(model("qwen", flavor("one"), flavor("two", 2)), "40Gi"),
        runtime(),
        playground("chat", "qwen"),
        node("n1", 2),
    )
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0", "n1-1"))}


def test_a_device_that_does_not_tell_its_memory_is_not_kept_from_any_model() -> None:
    silent = dataclasses.replace(gpu("n1-0"), memory_bytes=None)
    world = World().add(
        needing(model("qwen", flavor("any")), "40Gi"),
        runtime(),
        playground("chat", "qwen"),
        node("n1", [silent]),
    )
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0",))}


def test_a_memory_that_is_no_quantity_is_refused_with_its_place() -> None:
    world = World().add(
        needing(model("qwen", flavor("any")), "much"),
        runtime(),
        playground("chat", "qwen"),
        node("n1", 1),
    )
    world.settle()
    assert "OpenModel qwen: metadata.annotations.llmaz.io/accelerator-memory" in sentence(world)
