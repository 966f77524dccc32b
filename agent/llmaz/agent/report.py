"""The InferenceNode's status, from one look at the node. Pure."""

import dataclasses
from datetime import datetime

from llmaz.agent.state import NodeFacts, NodeState
from llmaz.api.meta import Condition, with_condition
from llmaz.api.node import EngineReport, ModelReport, NodeStatus

READY = "Ready"
ASSIGNMENT_ACCEPTED = "AssignmentAccepted"
ACCELERATORS_KNOWN = "AcceleratorsKnown"
ACCELERATORS_USABLE = "AcceleratorsUsable"
CACHE_USABLE = "CacheUsable"
PEERS_TRUSTED = "PeersTrusted"
_CACHE_FAULTS = ("NoSpace", "CacheNotWritable")


def report(
    facts: NodeFacts,
    state: NodeState,
    models: tuple[ModelReport, ...],
    engines: tuple[EngineReport, ...],
    now: datetime,
) -> NodeStatus:
    """Say what was seen. An agent that knows no assignment yet reports what runs all the same."""
    generation = _generation(state)
    conditions = state.conditions
    for condition in _conditions(state, models):
        observed = dataclasses.replace(condition, observed_generation=generation)
        conditions = with_condition(conditions, observed, now)
    return NodeStatus(
        observed_generation=generation,
        boot_id=facts.boot_id,
        address=facts.address,
        agent_url=facts.agent_url,
        agent_version=facts.agent_version,
        agent_started_at=facts.started_at,
        machine=facts.machine,
        sharing_url=state.sharing_url,
        capacity=facts.capacity,
        accelerators=state.accelerators.accelerators,
        models=models,
        cache=state.cache,
        distrusted=state.distrusted,
        engines=tuple(_addressed(engine, facts.address) for engine in engines),
        incidents=state.incidents,
        conditions=conditions,
    )


def _generation(state: NodeState) -> int:
    read = state.assignment.generation if state.assignment is not None else 0
    return max(read, state.refusal.generation if state.refusal is not None else 0)


def _addressed(engine: EngineReport, address: str) -> EngineReport:
    if engine.port is None or engine.address:  # one in a slot is at the address of its pod
        return engine
    return dataclasses.replace(engine, address=address)


def _conditions(state: NodeState, models: tuple[ModelReport, ...]) -> tuple[Condition, ...]:
    parts = (_accepted(state), _accelerators(state), _cache(models))
    broken = [part for part in parts if part.status == "False"]
    if broken:
        words = "; ".join(part.message for part in broken)
        ready = Condition(type=READY, status="False", reason=broken[0].reason, message=words)
    else:
        ready = Condition(type=READY, status="True", reason="AgentReady")
    return (ready, *parts, _usable(state), *_peers(state))


def _accepted(state: NodeState) -> Condition:
    if state.refusal is not None:
        return Condition(
            type=ASSIGNMENT_ACCEPTED,
            status="False",
            reason="InvalidAssignment",
            message=f"the assignment can't be read, the one before it is kept: "
            f"{state.refusal.message}",
        )
    if state.assignment is None:
        return Condition(
            type=ASSIGNMENT_ACCEPTED,
            status="Unknown",
            reason="NotAssigned",
            message="nothing has been assigned to this node yet",
        )
    return Condition(type=ASSIGNMENT_ACCEPTED, status="True", reason="Accepted")


def _accelerators(state: NodeState) -> Condition:
    failure = state.accelerators.failure
    if failure is not None:
        words = f"{failure.message}; what is reported was seen before"
        return Condition(
            type=ACCELERATORS_KNOWN, status="False", reason=failure.reason, message=words
        )
    if state.accelerators.devices is None:
        return Condition(type=ACCELERATORS_KNOWN, status="Unknown", reason="NotSeenYet")
    return Condition(type=ACCELERATORS_KNOWN, status="True", reason="Seen")


def _usable(state: NodeState) -> Condition:
    """Tell of devices on which nothing can run. The node is ready all the same: for the others."""
    if state.accelerators.unusable:
        told = "; ".join(
            f"{d.vendor} {d.pci_address}: {d.message}" for d in state.accelerators.unusable
        )
        return Condition(
            type=ACCELERATORS_USABLE, status="False", reason="DriverMissing", message=told
        )
    devices = state.accelerators.accelerators
    if devices is None:
        return Condition(type=ACCELERATORS_USABLE, status="Unknown", reason="NotSeenYet")
    if sick := [device for device in devices if not device.healthy]:
        told = "; ".join(f"{device.uuid}: {device.message}" for device in sick)
        return Condition(
            type=ACCELERATORS_USABLE, status="False", reason="DeviceUnhealthy", message=told
        )
    return Condition(type=ACCELERATORS_USABLE, status="True", reason="Usable")


def _peers(state: NodeState) -> tuple[Condition, ...]:
    """Tell of nodes that sent wrong bytes; nothing as long as none ever did."""
    if state.distrusted:
        words = (
            f"sent bytes other than they said, and are not asked now: {', '.join(state.distrusted)}"
        )
        return (Condition(type=PEERS_TRUSTED, status="False", reason="WrongBytes", message=words),)
    if any(condition.type == PEERS_TRUSTED for condition in state.conditions):
        return (Condition(type=PEERS_TRUSTED, status="True", reason="Trusted"),)
    return ()


def _cache(models: tuple[ModelReport, ...]) -> Condition:
    faults = [model for model in models if model.reason in _CACHE_FAULTS]
    if not faults:
        return Condition(type=CACHE_USABLE, status="True", reason="Usable")
    first = faults[0]
    return Condition(type=CACHE_USABLE, status="False", reason=first.reason, message=first.message)
