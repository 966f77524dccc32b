"""The documents beside objects and discovery: the version, the list of paths, OpenAPI."""

from dataclasses import dataclass, field

from llmaz.local.apiserver.negotiation import JSON
from llmaz.local.apiserver.registry import Registry
from llmaz.local.apiserver.reviews import is_review
from llmaz.local.apiserver.versions import encoded
from llmaz.local.objects.openapi import index, openapi_v3
from llmaz.local.objects.values import Object

# The Kubernetes whose behaviour this server follows.
_MAJOR, _MINOR = "1", "36"


def version() -> Object:
    """The answer to /version."""
    return {
        "major": _MAJOR,
        "minor": _MINOR,
        "gitVersion": f"v{_MAJOR}.{_MINOR}.0+llmaz",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "linux/amd64",
    }


# OpenAPI v2 is what kubectl falls back to for kinds that v3 does not have: an empty document, so
# that it goes on to say which kind is unknown. In protobuf, field 1 is the version of the format.
OPENAPI_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_EMPTY_V2_PROTOBUF = b"\x0a\x032.0"
_EMPTY_V2: Object = {"swagger": "2.0", "info": {"title": "llmaz", "version": "v1"}, "paths": {}}


def openapi_v2(accept: str) -> tuple[bytes, str]:
    """Return the answer to /openapi/v2 and its media type."""
    if accept.startswith("application/com.github.proto-openapi.spec.v2"):
        return _EMPTY_V2_PROTOBUF, OPENAPI_V2
    return encoded(_EMPTY_V2), JSON


def paths(registry: Registry) -> Object:
    """The answer to /: the paths of every document."""
    found = ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/metrics"]
    found += ["/openapi/v2", "/openapi/v3", "/readyz", "/version"]
    for group, versions in registry.groups().items():
        if group:
            found += [f"/apis/{group}", *(f"/apis/{group}/{item}" for item in versions)]
    return {"paths": sorted(found)}


@dataclass(slots=True)
class OpenApi:
    """The OpenAPI documents of what the registry serves, made when they are first asked for."""

    registry: Registry
    _generation: int = -1
    _index: bytes = b""
    _documents: dict[str, bytes] = field(default_factory=dict)

    def index(self) -> bytes:
        """Return the answer to /openapi/v3."""
        self._make()
        return self._index

    def document(self, group_version: str) -> bytes | None:
        """Return the answer to /openapi/v3/apis/<group>/<version> or /openapi/v3/api/v1."""
        self._make()
        return self._documents.get(group_version)

    def _make(self) -> None:
        if self._generation == self.registry.generation:
            return
        made = {
            f"{group}/{item}".removeprefix("/"): openapi_v3(
                f"{group}/{item}".removeprefix("/"),
                [found for found in self.registry.of(group, item) if not is_review(found)],
            )
            for group, versions in self.registry.groups().items()
            for item in versions
        }
        self._index = encoded(index(made))
        self._documents = {name: encoded(document) for name, document in made.items()}
        self._generation = self.registry.generation
