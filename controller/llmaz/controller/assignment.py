"""Outcomes of placement -> what each node shall hold and run.

Engines that serve are replaced, or moved, not more at a time than the Service's maxUnavailable lets
be missing, and none before the weights of its successor are there.
An update whose first engines do not become ready therefore goes no further.
"""

from collections.abc import Iterable, Iterator, Mapping

from llmaz.api.node import AssignedEngine, AssignedModel, InferenceNode, ModelPhase, NodeSpec
from llmaz.controller.actions import Assign
from llmaz.controller.demand import Demand
from llmaz.controller.placement import Placed
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
    for demand in served.placeable():
        for where, engine in _engines(demand, served, snapshot.nodes):
            models[where] += demand.models
            if engine is not None:
                engines[where].append(engine)
    writes = []
    for name, node in sorted(snapshot.nodes.items()):
        spec = _spec(engines[name], models[name])
        if spec != _ordered(node.spec) or _was_made_anew(node):
            gone = _gone(node, spec, snapshot)
            writes.append(Assign(node=name, uid=node.metadata.uid, spec=spec, gone=gone))
    return tuple(writes)


def _engines(
    demand: Demand, served: Served, nodes: Mapping[str, InferenceNode]
) -> Iterator[tuple[str, AssignedEngine | None]]:
    """Yield each replica's node and engine: as it shall be, or as it is until its turn comes.

    A node without an engine only gets the weights of one that will come.
    """
    ids = [id_ for id_ in (*demand.ids, *demand.surplus_ids) if id_ in served.outcomes]
    serving = {id_: seat for id_ in ids if (seat := served.serving(id_)) is not None}
    spare = len(serving) - demand.replicas + most_unavailable(demand.service)
    for id_ in ids:
        outcome = served.outcomes[id_]
        if not isinstance(outcome, Placed):
            continue
        if id_ not in served.outdated or id_ not in serving:
            yield outcome.node, outcome.engine
        elif spare > 0 and _has_weights(nodes[outcome.node], demand.models):
            spare -= 1
            yield outcome.node, outcome.engine
        else:
            yield serving[id_].node, serving[id_].engine
            yield outcome.node, None


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
    """
    by_name: dict[str, AssignedModel] = {}
    for model in sorted(models, key=lambda model: (model.name, model.secret_namespace or "")):
        by_name.setdefault(model.name, model)
    return _ordered(NodeSpec(engines=tuple(engines), models=tuple(by_name.values())))


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
