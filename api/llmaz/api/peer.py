"""Who shares weights: what nodes are told of each other. The fetch of a model reads no more."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPeer:
    """A node that shares weights with others.

    name: the node
    url: where it serves its weights
    zone: its topology.kubernetes.io/zone
    rack: its topology.kubernetes.io/rack, or that of a narrower domain
    """

    name: str
    url: str
    zone: str = ""
    rack: str = ""
