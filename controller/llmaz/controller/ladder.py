"""The ladder that an idle Playground with `minReplicas: 0` goes down: asleep, stopped, released.

Where an engine can't sleep the first rung is left out. How long nobody asked is known without any
memory: the autoscaler takes a Playground to zero after the first rung's time, and its status says
since when it has been there. Pure.
"""

import dataclasses
from collections.abc import Iterator
from datetime import datetime

from llmaz.api.backendruntime import BackendRuntimeSpec
from llmaz.api.node import AssignedModel, ModelPhase
from llmaz.api.playground import Playground
from llmaz.controller.merging import merged_envs
from llmaz.controller.snapshot import ClusterSnapshot, Key


def may_sleep(playground: Playground, runtime: BackendRuntimeSpec | None) -> bool:
    """Tell whether a Playground's engines sleep before they stop."""
    elastic = playground.spec.elastic_config
    if elastic is None or elastic.min_replicas > 0 or elastic.load.sleep_seconds is None:
        return False
    return runtime is not None and runtime.sleep is not None


def as_used(runtime: BackendRuntimeSpec, playground: Playground) -> BackendRuntimeSpec:
    """Return a runtime as a Playground uses it: able to sleep only where that is asked for.

    What makes engines able to sleep costs some of them a little, so that others do without.
    """
    if runtime.sleep is None or not may_sleep(playground, runtime):
        return dataclasses.replace(runtime, sleep=None)
    return dataclasses.replace(runtime, envs=merged_envs(runtime.envs, runtime.sleep.envs))


def idle_since(playground: Playground, now: datetime) -> datetime | None:
    """Return since when a Playground that comes back by itself has had no replicas."""
    elastic = playground.spec.elastic_config
    if elastic is None or elastic.min_replicas > 0 or playground.spec.replicas > 0:
        return None
    return playground.status.idle_since or now.replace(microsecond=0)


def seconds_left(
    playground: Playground, snapshot: ClusterSnapshot, now: datetime
) -> tuple[float, float]:
    """Return the seconds until a Playground at zero has to stop, and until its weights may go."""
    elastic, since = playground.spec.elastic_config, idle_since(playground, now)
    if elastic is None or since is None:
        return 0.0, 0.0
    load = elastic.load
    runtime = snapshot.runtimes.get(playground.spec.backend_runtime_config.backend_name)
    sleeps = may_sleep(playground, runtime.spec if runtime else None)
    before = load.sleep_seconds if sleeps and load.sleep_seconds else load.idle_seconds
    idle = before + (now - since).total_seconds()
    return load.idle_seconds - idle, load.release_seconds - idle


def warm_models(snapshot: ClusterSnapshot, now: datetime) -> dict[str, list[AssignedModel]]:
    """Return what nodes hold on to for Playgrounds at zero, so that those come back soon.

    Only what a node holds already: weights are fetched for nobody who does not ask.
    """
    claimed = frozenset(
        ref.name
        for playground in snapshot.playgrounds.values()
        if seconds_left(playground, snapshot, now)[1] > 0
        for ref in playground.spec.claims.models
    )
    held: dict[str, list[AssignedModel]] = {}
    for name, node in snapshot.nodes.items() if claimed else ():
        reports = node.status.models
        ready = {one.name for one in reports or () if one.phase is ModelPhase.READY}
        held[name] = [
            dataclasses.replace(model, priority="prefetch")
            for model in node.spec.models
            if model.name in claimed
            and (reports is None or model.name in ready)
            and _is_current(model, snapshot)
        ]
    return held


def _is_current(model: AssignedModel, snapshot: ClusterSnapshot) -> bool:
    known = snapshot.models.get(model.name)
    return known is not None and known.spec.source == model.source


def warm_nodes(key: Key, snapshot: ClusterSnapshot, now: datetime) -> tuple[str, ...]:
    """Return the nodes that hold the weights of a Playground at zero, for as long as they must."""
    playground = snapshot.playgrounds.get(key)
    if playground is None or seconds_left(playground, snapshot, now)[1] <= 0:
        return ()
    main = playground.spec.claims.main
    return tuple(
        sorted(
            name
            for name, node in snapshot.nodes.items()
            if any(one.name == main for one in node.spec.models)
            and any(
                one.name == main and one.phase is ModelPhase.READY
                for one in node.status.models or ()
            )
        )
    )


def next_steps(snapshot: ClusterSnapshot, now: datetime) -> Iterator[float]:
    """Yield the seconds until Playgrounds at zero come to their next rungs."""
    for playground in snapshot.playgrounds.values():
        yield from (left for left in seconds_left(playground, snapshot, now) if left > 0)
