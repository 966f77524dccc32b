"""Worlds with groups: nodes that have addresses, a runtime with commands for groups, faults."""

import dataclasses

from llmaz.api.backendruntime import BackendRuntime, MultiHostCommands
from llmaz.api.node import AssignedEngine, EnginePhase, InferenceNode
from llmaz.controller.snapshot import KubeNode
from support.builders import flavor, model, node, playground, runtime
from support.controlling import World

COMMANDS = MultiHostCommands(leader=("lead",), worker=("work", "$(LWS_LEADER_ADDRESS)"))


def group_runtime(commands: MultiHostCommands = COMMANDS) -> BackendRuntime:
    return runtime(multi_host_commands=commands)


def reachable(number: int, gpus: int = 1) -> InferenceNode:
    """The node n<number>, at 10.0.0.<number>."""
    one = node(f"n{number}", gpus)
    return dataclasses.replace(
        one, status=dataclasses.replace(one.status, address=f"10.0.0.{number}")
    )


def group_world(nodes: int = 2, replicas: int = 1, hosts: int = 2) -> World:
    """One Playground whose replicas take several nodes of one device each."""
    return World().add(
        model("qwen", flavor("pair", 1, TP="1", PP=str(hosts))),
        group_runtime(),
        playground("chat", "qwen", replicas),
        *(reachable(number) for number in range(1, nodes + 1)),
    )


def in_rack(world: World, rack: str, *names: str) -> None:
    for name in names:
        world.kube_nodes[name] = KubeNode(name=name, labels={"topology.kubernetes.io/rack": rack})


def members(world: World) -> dict[str, AssignedEngine]:
    return {engine.id: engine for one in world.nodes.values() for engine in one.spec.engines}


def runs_later(world: World, engine_id: str, *, epoch: int) -> None:
    """Let an agent report that it still runs a later epoch of a member than it is assigned."""
    for name, one in world.nodes.items():
        reports = tuple(
            dataclasses.replace(
                report, phase=EnginePhase.STARTING, epoch=epoch, fingerprint="of the past"
            )
            if report.id == engine_id
            else report
            for report in one.status.engines or ()
        )
        status = dataclasses.replace(one.status, engines=reports)
        world.nodes[name] = dataclasses.replace(one, status=status)


def fail(world: World, engine_id: str, phase: EnginePhase = EnginePhase.BACKOFF) -> None:
    """Let an agent report that an engine, as it is assigned now, has ended."""
    for name, one in world.nodes.items():
        reports = tuple(
            dataclasses.replace(report, phase=phase, reason="OutOfHostMemory", message="it died")
            if report.id == engine_id
            else report
            for report in one.status.engines or ()
        )
        status = dataclasses.replace(one.status, engines=reports)
        world.nodes[name] = dataclasses.replace(one, status=status)
