"""Who shares with whom: a model, all nodes that shall hold it; the rest, those next to each other.

Pure.
"""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from itertools import islice, zip_longest

from llmaz.api.node import AssignedModel, InferenceNode, NodeSpec
from llmaz.api.peer import ModelPeer

ZONE = "topology.kubernetes.io/zone"
RACKS = ("topology.kubernetes.io/rack", "topology.k8s.aws/network-node-layer-3")
MOST_PEERS = 256
MOST_NEIGHBOURS = 16


def with_peers(
    specs: Mapping[str, NodeSpec],
    nodes: Mapping[str, InferenceNode],
    labels: Mapping[str, Mapping[str, str]],
) -> dict[str, NodeSpec]:
    """Return the specs with every model's peers, and neighbours: sorted, none where one is alone.

    The list depends on what is assigned and where nodes serve alone, so that a fetch that ends
    changes nothing and nothing is written in a steady state.
    """
    sharing: dict[str, list[ModelPeer]] = {}
    serving = {
        name: _peer(name, url, labels.get(name, {}))
        for name in sorted(specs)
        if (url := nodes[name].status.sharing_url)
    }
    for name, peer in serving.items():
        for model in specs[name].models:
            sharing.setdefault(model.name, []).append(peer)
    listed = {model: _listed(model, peers) for model, peers in sharing.items()}
    near = _neighbours(serving)
    return {
        name: dataclasses.replace(
            spec,
            models=tuple(_shared(model, name, listed.get(model.name, ())) for model in spec.models),
            neighbours=near.get(name, ()),
        )
        for name, spec in specs.items()
    }


def _neighbours(serving: Mapping[str, ModelPeer]) -> dict[str, tuple[ModelPeer, ...]]:
    """Return each node's neighbours: all of a few, of many those next to it on a ring of hashes.

    Neighbours know each other, a zone's nodes stand together, and who comes or goes moves few.
    """
    if len(serving) < 2:  # nobody is there to be asked
        return {}
    if len(serving) <= MOST_NEIGHBOURS + 1:
        return dict.fromkeys(serving, tuple(serving.values()))
    ring = sorted(serving.values(), key=lambda peer: (peer.zone, _weight("", peer.name)))
    around, half = ring + ring + ring, MOST_NEIGHBOURS // 2
    return {
        peer.name: tuple(sorted(around[at - half : at + half + 1], key=lambda one: one.name))
        for at, peer in enumerate(ring, len(ring))
    }


def _shared(model: AssignedModel, node: str, peers: tuple[ModelPeer, ...]) -> AssignedModel:
    """Tell a node of its peers also before it serves anything itself: it begins with theirs."""
    told = peers if any(peer.name != node for peer in peers) else ()
    return model if model.peers == told else dataclasses.replace(model, peers=told)


def _listed(model: str, peers: list[ModelPeer]) -> tuple[ModelPeer, ...]:
    """Return the peers that are told of, the same to all nodes.

    They agree on who brings what from outside only where they see the same members. Of many there
    are as many of each zone, by a hash of their names, so that few change when nodes come and go.
    All other nodes take from those and bring nothing themselves.
    """
    if len(peers) <= MOST_PEERS:
        return tuple(peers)
    zones: dict[str, list[ModelPeer]] = {}
    for peer in sorted(peers, key=lambda peer: _weight(model, peer.name)):
        zones.setdefault(peer.zone, []).append(peer)
    chosen = islice(_in_turn(zones), MOST_PEERS)
    return tuple(sorted(chosen, key=lambda peer: peer.name))


def _in_turn(zones: Mapping[str, list[ModelPeer]]) -> Iterator[ModelPeer]:
    for row in zip_longest(*(zones[zone] for zone in sorted(zones))):
        yield from (peer for peer in row if peer is not None)


def _weight(model: str, node: str) -> bytes:
    return hashlib.blake2b(f"{model}/{node}".encode(), digest_size=8).digest()


def _peer(name: str, url: str, labels: Mapping[str, str]) -> ModelPeer:
    rack = next((labels[label] for label in RACKS if label in labels), "")
    return ModelPeer(name=name, url=url, zone=labels.get(ZONE, ""), rack=rack)
