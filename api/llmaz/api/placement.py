"""Placement: what a Playground or Service may say of where its replicas run, if anything."""

from dataclasses import dataclass, field

from llmaz.api.memory import ReplicaMemory


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where replicas run, beyond the flavors.

    memory: what a replica shall have room for on its accelerators
    """

    memory: ReplicaMemory = field(default_factory=ReplicaMemory)
