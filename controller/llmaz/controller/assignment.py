"""Outcomes of placement, and whose turn it is -> what each node shall hold and run."""

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime

from llmaz.api.node import AssignedEngine, AssignedModel, InferenceNode, NodeSpec
from llmaz.api.source import Hub
from llmaz.controller.actions import Assign
from llmaz.controller.catalogue import held_revisions
from llmaz.controller.displaced import told
from llmaz.controller.ladder import warm_models
from llmaz.controller.outcomes import Unplaced
from llmaz.controller.peers import with_peers
from llmaz.controller.prefetch import prefetch, wish_for_waiting, wish_of
from llmaz.controller.served import Served, service_of
from llmaz.controller.snapshot import ClusterSnapshot, Key
from llmaz.controller.turns import turns


def assign(snapshot: ClusterSnapshot, served: Served, now: datetime) -> tuple[Assign, ...]:
    """Return the assignment of every node that shall hold or run something else than it is told."""
    engines: dict[str, list[AssignedEngine]] = {name: [] for name in snapshot.nodes}
    models: dict[str, list[AssignedModel]] = {name: [] for name in snapshot.nodes}
    for id_ in sorted(served.kept):
        seat = served.seated[id_]
        engines[seat.node].append(seat.engine)
        models[seat.node] += _models_now(snapshot.nodes[seat.node], seat.engine)
    for turn in turns(served, snapshot.nodes):
        for where, engine in turn.engines:
            engines[where].append(engine)
        for where in turn.nodes:
            models[where] += turn.models
    for name, warm in warm_models(snapshot, now).items():
        models[name] += warm
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
    revision = pins.get(model.name, "")
    return model if model.revision == revision else dataclasses.replace(model, revision=revision)


def _urgency(model: AssignedModel) -> tuple[str, bool, str]:
    return model.name, model.priority == "prefetch", model.secret_namespace or ""


def _ordered(spec: NodeSpec) -> NodeSpec:
    return dataclasses.replace(
        spec,
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
