"""Engines that sleep, as replicas of Services that ask for none. Pure.

An engine that sleeps keeps its place and its accelerators, whose memory it has freed of all but a
little.
"""

import dataclasses
from collections.abc import Mapping
from datetime import datetime

from llmaz.api import names
from llmaz.api.backendruntime import BackendRuntime
from llmaz.api.fingerprint import fingerprint
from llmaz.api.node import EnginePhase
from llmaz.controller.actions import Refusal
from llmaz.controller.demand import Demand
from llmaz.controller.ladder import seconds_left
from llmaz.controller.seats import Seat
from llmaz.controller.snapshot import ClusterSnapshot

_AWAKE_ENOUGH = (EnginePhase.READY, EnginePhase.UNREADY, EnginePhase.ASLEEP)


def able_to_sleep(demand: Demand, runtimes: Mapping[str, BackendRuntime]) -> Demand:
    """Return a demand whose engines are told how to sleep, where they can."""
    runtime = runtimes.get(demand.pattern.runtime)
    said = demand.service.metadata.annotations.get(names.SLEEPS)
    if said != "true" or runtime is None or runtime.spec.sleep is None:
        return demand
    pattern = dataclasses.replace(demand.pattern, sleep=runtime.spec.sleep.calls)
    return dataclasses.replace(demand, pattern=pattern)


def with_sleeper(
    demand: Demand | Refusal,
    groups: Mapping[str, tuple[Seat, ...]],
    snapshot: ClusterSnapshot,
    now: datetime,
) -> Demand | Refusal:
    """Return a demand for the first replica of a Service at zero, if that may stay and sleep.

    A Playground that is wanted again wakes it at once, before its Service says so.
    """
    if isinstance(demand, Refusal) or demand.service.spec.replicas > 0:
        return demand
    meta = demand.service.metadata
    playground = snapshot.playgrounds.get((meta.namespace or "", meta.name))
    group = groups.get(f"{demand.prefix}0", ())
    if demand.pattern.sleep is None or playground is None:
        return demand
    if not group or not _can_stay(group[0]):
        return demand
    if playground.spec.replicas > 0:
        return dataclasses.replace(demand, resting=1)
    if seconds_left(playground, snapshot, now)[0] <= 0:
        return demand
    asleep = dataclasses.replace(demand.pattern, asleep=True)
    return dataclasses.replace(demand, pattern=asleep, resting=1)


def why_asleep(leader: Seat, *, wanted: bool) -> Refusal:
    """Say how far an engine is on its way to sleep or back."""
    if wanted:
        return Refusal(reason="StartingEngine", message=f"on {leader.node}: is being woken")
    asleep = leader.report is not None and leader.report.phase is EnginePhase.ASLEEP
    words = "sleeps" if asleep else "falls asleep"
    message = f"{words} on {leader.node}, where it keeps its accelerators; a request wakes it"
    return Refusal(reason="Asleep", message=message)


def _can_stay(seat: Seat) -> bool:
    """Tell whether an engine sleeps or can: it runs as assigned. What is not known stays."""
    if seat.report is None:
        return seat.engine.asleep
    runs = seat.report.phase in _AWAKE_ENOUGH
    return runs and seat.report.fingerprint == fingerprint(seat.engine)
