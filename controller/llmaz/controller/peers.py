"""Who shares each model with whom: all nodes that shall hold it, and serve what they hold. Pure."""

import dataclasses
from collections.abc import Mapping

from llmaz.api.node import AssignedModel, InferenceNode, ModelPeer, NodeSpec

ZONE = "topology.kubernetes.io/zone"
RACKS = ("topology.kubernetes.io/rack", "topology.k8s.aws/network-node-layer-3")
MOST_PEERS = 256


def with_peers(
    specs: Mapping[str, NodeSpec],
    nodes: Mapping[str, InferenceNode],
    labels: Mapping[str, Mapping[str, str]],
) -> dict[str, NodeSpec]:
    """Return the specs with the peers of every model: sorted, and none where a node is alone.

    The list depends on what is assigned and where nodes serve alone, so that a fetch that ends
    changes nothing and nothing is written in a steady state.
    """
    sharing: dict[str, list[ModelPeer]] = {}
    for name, spec in sorted(specs.items()):
        url = nodes[name].status.sharing_url
        if url:
            peer = _peer(name, url, labels.get(name, {}))
            for model in spec.models:
                sharing.setdefault(model.name, []).append(peer)
    return {
        name: dataclasses.replace(
            spec, models=tuple(_shared(model, sharing.get(model.name, [])) for model in spec.models)
        )
        for name, spec in specs.items()
    }


def _shared(model: AssignedModel, peers: list[ModelPeer]) -> AssignedModel:
    listed = tuple(peers[:MOST_PEERS]) if len(peers) > 1 else ()
    return dataclasses.replace(model, peers=listed)


def _peer(name: str, url: str, labels: Mapping[str, str]) -> ModelPeer:
    rack = next((labels[label] for label in RACKS if label in labels), "")
    return ModelPeer(name=name, url=url, zone=labels.get(ZONE, ""), rack=rack)
