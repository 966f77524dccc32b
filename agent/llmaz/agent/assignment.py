"""What the controller wants of this node, as its InferenceNode says it. Pure."""

from dataclasses import dataclass
from typing import TypeAlias

from llmaz.api.fingerprint import fingerprint
from llmaz.api.manifest import Manifest, ManifestError, decode
from llmaz.api.node import NodeSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A spec that was read, and the generation of the object that held it."""

    generation: int
    spec: NodeSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A spec that can't be read: where it is wrong and what is."""

    generation: int
    message: str


Reading: TypeAlias = Assignment | Refusal | None


def read_assignment(manifest: Manifest) -> Reading:
    """Read an InferenceNode's spec; None where nobody has assigned anything yet.

    An object as the agent creates it has no spec and is of generation 1. That is no assignment: an
    InferenceNode that somebody deleted, and the agent made anew, must not stop the node's engines.
    """
    metadata = manifest.get("metadata")
    found = metadata.get("generation") if isinstance(metadata, dict) else None
    generation = found if isinstance(found, int) else 0
    spec = manifest.get("spec")
    if not spec and generation <= 1:
        return None
    try:
        return Assignment(generation=generation, spec=decode(NodeSpec, spec or {}, "spec"))
    except ManifestError as error:
        return Refusal(generation=generation, message=str(error))


def confirms_stop(reading: Reading, engine_id: str, running: str) -> bool:
    """Tell whether an assignment says that an engine with the fingerprint `running` shall not run.

    An assignment that is unknown or can't be read confirms nothing.
    """
    if not isinstance(reading, Assignment):
        return False
    wanted = (engine for engine in reading.spec.engines if engine.id == engine_id)
    return all(fingerprint(engine) != running for engine in wanted)
