"""What happens to the nodes of a simulated cluster, to their accelerators and their agents."""

import dataclasses
from collections.abc import Callable
from typing import cast

from llmaz.api.kinds import INFERENCE_NODE, NODE
from llmaz.api.manifest import Manifest, encode
from llmaz.api.names import ACCELERATOR_REPLICAS, DRAIN
from llmaz.api.node import Accelerator, NodeStatus
from llmaz.api.quantity import Quantity
from llmaz.controller.served import service_of
from llmaz.controller.snapshot import Ref
from support.simulator.agents import Agent, address_of
from support.simulator.server import lease_ref
from support.simulator.users import GPU
from support.simulator.world import World

_Devices = tuple[Accelerator, ...]
_SPOT = (1, 4)  # how many accelerators the machines have that are taken away now and then
_NOTICE = "karpenter.sh/disrupted"
_SHARING = {"n3": "2"}  # how many engines share each accelerator of these nodes


def join(world: World, name: str, gpus: int) -> None:
    if name in world.agents:
        return
    devices = tuple(_device(name, index) for index in range(gpus))
    capacity = {"cpu": Quantity("64"), "memory": Quantity("256Gi")}
    status = NodeStatus(
        address=address_of(name), capacity=capacity, accelerators=devices, models=(), engines=()
    )
    labels = {"pool": "a" if gpus % 2 else "b"}
    if gpus in _SPOT:
        labels["karpenter.sh/capacity-type"] = "spot"
    world.server.put(Ref(kind=NODE, name=name), {"metadata": {"labels": labels}, "spec": {}})
    world.agents[name] = agent = Agent(world.server, name, status)
    sharing = {ACCELERATOR_REPLICAS: _SHARING[name]} if name in _SHARING else {}
    world.server.put(
        agent.ref,
        {"metadata": {"annotations": sharing}, "spec": {}, "status": encode(status)},
    )
    agent.beat()


def leave(world: World, name: str) -> None:
    world.rules.excuse_node(name)
    world.agents.pop(name, None)
    for ref in (Ref(kind=INFERENCE_NODE, name=name), Ref(kind=NODE, name=name)):
        world.server.remove(ref)
    world.server.remove(lease_ref(name))


def cordon(world: World, name: str, is_cordoned: bool) -> None:
    _set_node(world, name, {"unschedulable": is_cordoned})


def taint(world: World, name: str, effect: str | None) -> None:
    """Let a node keep off what is new, drive away what runs, or be about to be taken away."""
    if effect in ("NoExecute", "notice"):
        world.rules.drive(name)
    is_notice = effect == "notice"
    one: Manifest = {
        "key": _NOTICE if is_notice else "k",
        "effect": "NoSchedule" if is_notice else effect,
    }
    _set_node(world, name, {"taints": [one] if effect else []})


def drain(world: World, name: str, is_drained: bool) -> None:
    """Let what runs on a node go elsewhere, one after another; or let it be."""
    if is_drained:
        world.rules.drive(name)
    ref = Ref(kind=NODE, name=name)
    old = world.server.objects.get(ref)
    if old is not None:
        there = cast("dict[str, dict[str, str]]", old["metadata"]).get("annotations") or {}
        annotations = {**there, DRAIN: "true" if is_drained else "false"}
        world.server.put(ref, {"metadata": {"annotations": annotations}})


def sicken(world: World, name: str, is_well: bool) -> None:
    _set_devices(world, name, lambda devices: (_well(devices[0], is_well), *devices[1:]))


def lose_device(world: World, name: str) -> None:
    _set_devices(world, name, lambda devices: devices[1:])


def forget_devices(world: World, name: str, is_known: bool) -> None:
    agent = world.agents.get(name)
    if agent is not None:
        agent.knows_devices = is_known


def silence(world: World, name: str, is_silent: bool) -> None:
    if name in world.agents:
        world.agents[name].is_silent = is_silent


def lapse(world: World, name: str, seconds: int) -> None:
    """Let a node be silent for a while, and hear of it again after that or later."""
    silence(world, name, is_silent=True)
    world.pass_time(seconds)
    world.go_on()
    silence(world, name, is_silent=world.random.random() < 0.5)


def crash(world: World, name: str) -> None:
    """Let an engine end by itself; the whole group of a member starts anew."""
    engine = world.agents[name].crash(world.random) if name in world.agents else None
    if engine is not None:
        world.rules.roughen(service_of(engine.id)[1])
        world.rules.excuse_group(engine)


def _set_node(world: World, name: str, spec: Manifest) -> None:
    ref = Ref(kind=NODE, name=name)
    old = world.server.objects.get(ref)
    if old is not None:
        world.server.put(ref, {"spec": {**cast("Manifest", old["spec"]), **spec}})


def _set_devices(world: World, name: str, change: Callable[[_Devices], _Devices]) -> None:
    agent = world.agents.get(name)
    if agent is not None and agent.devices:
        world.rules.excuse_node(name)
        agent.devices = change(agent.devices)


def _device(node: str, index: int) -> Accelerator:
    return Accelerator(
        uuid=f"{node}-{index}", index=index, vendor="nvidia", product="A10", resource=GPU
    )


def _well(device: Accelerator, is_well: bool) -> Accelerator:
    return dataclasses.replace(device, healthy=is_well)
