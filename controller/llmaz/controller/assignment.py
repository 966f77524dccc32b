"""Outcomes of placement -> what each node shall hold and run.

Engines that serve are replaced, or moved, not more at a time than the Service's maxUnavailable lets
be missing, and none before the weights of its successor are there.
An update whose first engines do not become ready therefore goes no further.
"""

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping

from llmaz.api.node import AssignedEngine, AssignedModel, InferenceNode, ModelPhase, NodeSpec
from llmaz.api.source import Hub
from llmaz.controller.actions import Assign
from llmaz.controller.catalogue import held_revisions
from llmaz.controller.demand import Demand
from llmaz.controller.displaced import told
from llmaz.controller.outcomes import Placed, Unplaced
from llmaz.controller.peers import with_peers
from llmaz.controller.prefetch import prefetch, wish_for_waiting, wish_of
from llmaz.controller.rollout import most_unavailable
from llmaz.controller.served import Served, service_of
from llmaz.controller.snapshot import ClusterSnapshot, Key


def assign(snapshot: ClusterSnapshot, served: Served) -> tuple[Assign, ...]:
    """Return the assignment of every node that shall hold or run something else than it is told."""
    engines: dict[str, list[AssignedEngine]] = {name: [] for name in snapshot.nodes}
    models: dict[str, list[AssignedModel]] = {name: [] for name in snapshot.nodes}
    for id_ in sorted(served.kept):
        seat = served.seated[id_]
        engines[seat.node].append(seat.engine)
        models[seat.node] += _models_now(snapshot.nodes[seat.node], seat.engine)
    holding = _holding(served, snapshot.nodes)
    for demand in served.placeable():
        for where, engine in _engines(demand, served, snapshot.nodes, holding):
            models[where] += demand.models
            if engine is not None:
                engines[where].append(engine)
    for name, ahead in _ahead(snapshot, served, models).items():
        models[name] += ahead
    pins = held_revisions(snapshot)
    alone = {
        name: _spec(engines[name], (_pinned(model, pins) for model in models[name]))
        for name in snapshot.nodes
    }
    labels = {name: node.labels for name, node in snapshot.kube_nodes.items()}
    specs = with_peers(alone, snapshot.nodes, labels)
    writes = []
    for name, node in sorted(snapshot.nodes.items()):
        spec = specs[name]
        if spec != _ordered(node.spec) or _was_made_anew(node):
            gone = _gone(node, spec, snapshot)
            meta = node.metadata
            seen = meta.resource_version
            events = tuple(told(node, spec, served, snapshot))
            writes.append(
                Assign(node=name, uid=meta.uid, version=seen, spec=spec, gone=gone, events=events)
            )
    return tuple(writes)


def _ahead(
    snapshot: ClusterSnapshot, served: Served, models: Mapping[str, list[AssignedModel]]
) -> dict[str, list[AssignedModel]]:
    """Return what each node shall hold beside the models of its engines."""
    wishes = [wish for model in snapshot.models.values() if (wish := wish_of(model)) is not None]
    for demand in served.placeable():
        waiting = sum(isinstance(served.outcomes.get(id_), Unplaced) for id_ in demand.ids)
        flavors = tuple(option.flavor for option in demand.options)
        wishes += [
            wish_for_waiting(model, flavors, waiting, demand.prefix)
            for model in (demand.models if waiting else ())
        ]
    needed = {name: frozenset(model.name for model in there) for name, there in models.items()}
    sizes = {
        name: model.status.size_bytes
        for name, model in snapshot.models.items()
        if model.status.size_bytes is not None
    }
    return prefetch(wishes, needed, snapshot.nodes, served.views, sizes)


def _holding(served: Served, nodes: Mapping[str, InferenceNode]) -> frozenset[str]:
    """Return the replicas that others make way for, and that can't start yet.

    Until the weights are there, those that make way go on serving.
    """
    return frozenset(
        id_
        for demand in served.placeable()
        for id_ in demand.ids
        if isinstance(outcome := served.outcomes.get(id_), Placed)
        and outcome.displaced
        and not all(_has_weights(nodes[one.node], demand.models) for one in outcome.members)
    )


def _engines(
    demand: Demand,
    served: Served,
    nodes: Mapping[str, InferenceNode],
    holding: Collection[str],
) -> Iterator[tuple[str, AssignedEngine | None]]:
    """Yield each replica's node and engine: as it shall be, or as it is until its turn comes.

    A node without an engine only gets the weights of one that will come.
    """
    ids = [id_ for id_ in (*demand.ids, *demand.surplus_ids) if id_ in served.outcomes]
    serving = {id_: seat for id_ in ids if (seat := served.serving(id_)) is not None}
    # What fits nowhere holds up no update of the rest: it would wait for ever.
    possible = sum(isinstance(served.outcomes.get(id_), Placed) for id_ in demand.ids)
    spare = len(serving) - possible + most_unavailable(demand.service)
    for id_ in ids:
        outcome = served.outcomes[id_]
        if not isinstance(outcome, Placed):
            if outcome.displaced is not None and outcome.displaced.by in holding:
                yield from ((seat.node, seat.engine) for seat in served.groups.get(id_, ()))
            continue
        there = [nodes[one.node] for one in outcome.members]
        is_free = (id_ not in served.outdated or id_ not in serving) and id_ not in holding
        may_turn = id_ in serving and not is_free and spare > 0
        if may_turn and all(_has_weights(one, demand.models) for one in there):
            is_free = True
            spare -= 1
        if not is_free:
            yield from ((seat.node, seat.engine) for seat in served.groups.get(id_, ()))
        for one in outcome.members:
            yield one.node, one.engine if is_free else None


def _has_weights(node: InferenceNode, models: Iterable[AssignedModel]) -> bool:
    """Tell whether a node's agent has read what it shall hold now, and holds these models."""
    if node.status.observed_generation < node.metadata.generation:
        return False
    reports = node.status.models or ()
    ready = {report.name for report in reports if report.phase is ModelPhase.READY}
    held = {model.name: model.source for model in node.spec.models if model.name in ready}
    return all(held.get(model.name) == model.source for model in models)


def _spec(engines: Iterable[AssignedEngine], models: Iterable[AssignedModel]) -> NodeSpec:
    """Return the node's spec in a fixed order.

    Where Services of several namespaces share a model, the first namespace's Secrets fetch it.
    What an engine needs is on demand and pinned all the same where it is also held ahead.
    """
    by_name: dict[str, AssignedModel] = {}
    for model in sorted(models, key=_urgency):
        first = by_name.setdefault(model.name, model)
        if model.pin and not first.pin:
            by_name[model.name] = dataclasses.replace(first, pin=True)
    return _ordered(NodeSpec(engines=tuple(engines), models=tuple(by_name.values())))


def _pinned(model: AssignedModel, pins: Mapping[str, str]) -> AssignedModel:
    """Return the model at the commit that other nodes hold: a branch may have moved since."""
    hub = model.source.model_hub
    if hub is None or hub.name is not Hub.HUGGINGFACE:
        return model  # other sources can't be asked for what they had before
    return dataclasses.replace(model, revision=pins.get(model.name, ""))


def _urgency(model: AssignedModel) -> tuple[str, bool, str]:
    return model.name, model.priority == "prefetch", model.secret_namespace or ""


def _ordered(spec: NodeSpec) -> NodeSpec:
    return NodeSpec(
        models=tuple(sorted(spec.models, key=lambda model: model.name)),
        engines=tuple(sorted(spec.engines, key=lambda engine: engine.id)),
    )


def _models_now(node: InferenceNode, engine: AssignedEngine) -> list[AssignedModel]:
    """Return the models that an engine uses as they are assigned to its node now."""
    return [
        model for model in node.spec.models if model.name in (engine.main_model, engine.draft_model)
    ]


def _was_made_anew(node: InferenceNode) -> bool:
    """Tell whether engines run on a node that was never told what to run.

    Somebody deleted its InferenceNode, and the agent made another. An agent takes a spec that was
    never written for no word at all and stops nothing, so that the empty one has to be written.
    """
    is_unwritten = node.spec == NodeSpec() and node.metadata.generation <= 1
    return is_unwritten and bool(node.status.engines)


def _gone(node: InferenceNode, new: NodeSpec, snapshot: ClusterSnapshot) -> tuple[Key, ...]:
    """Return the Services that were not seen, and whose engines end with this assignment."""
    staying = {engine.id for engine in new.engines}
    assigned = {engine.id for engine in node.spec.engines}
    running = {report.id for report in node.status.engines or ()}
    ending = map(service_of, (assigned | running) - staying)
    return tuple(sorted({key for key in ending if key not in snapshot.services}))
