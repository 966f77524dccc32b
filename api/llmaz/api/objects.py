"""Read the manifest of any llmaz kind."""

from llmaz.api.backendruntime import BackendRuntime
from llmaz.api.kinds import (
    BACKEND_RUNTIME,
    INFERENCE_NODE,
    OPEN_MODEL,
    PLAYGROUND,
    SERVICE,
    TENANT,
    Kind,
)
from llmaz.api.manifest import ManifestError, decode
from llmaz.api.node import InferenceNode
from llmaz.api.openmodel import OpenModel
from llmaz.api.playground import Playground
from llmaz.api.service import Service
from llmaz.api.tenant import Tenant

Object = OpenModel | Playground | Service | BackendRuntime | InferenceNode | Tenant

CLASSES: dict[Kind, type[Object]] = {
    OPEN_MODEL: OpenModel,
    PLAYGROUND: Playground,
    SERVICE: Service,
    BACKEND_RUNTIME: BackendRuntime,
    INFERENCE_NODE: InferenceNode,
    TENANT: Tenant,
}


def kind_of(manifest: object) -> Kind:
    """Return the llmaz kind that a manifest says it is; raise ManifestError where it is none."""
    if not isinstance(manifest, dict):
        raise ManifestError("", "a manifest must be an object with apiVersion, kind and metadata")
    api_version, kind = manifest.get("apiVersion"), manifest.get("kind")
    for known in CLASSES:
        if (known.api_version, known.kind) == (api_version, kind):
            return known
    names = ", ".join(f"{known.api_version} {known.kind}" for known in CLASSES)
    raise ManifestError("kind", f"{api_version} {kind} is not one of {names}")


def from_manifest(manifest: object) -> Object:
    """Read a manifest of any llmaz kind; raise ManifestError with the path of what is wrong."""
    return decode(CLASSES[kind_of(manifest)], manifest)
