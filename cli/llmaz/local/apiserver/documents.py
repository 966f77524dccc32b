"""The documents beside objects and discovery: the version, the list of paths, OpenAPI."""

from aiohttp import web

from llmaz.local.apiserver.registry import Registry
from llmaz.local.objects.values import Object

# The Kubernetes whose behaviour this server follows.
_MAJOR, _MINOR = "1", "36"


def version() -> Object:
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


def paths(registry: Registry) -> Object:
    """The answer to /: the paths of every document."""
    found = ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2"]
    found += ["/openapi/v3", "/readyz", "/version"]
    for group, versions in registry.groups().items():
        if group:
            found += [f"/apis/{group}", *(f"/apis/{group}/{item}" for item in versions)]
    return {"paths": sorted(found)}


def openapi(registry: Registry, rest: list[str], accept: str) -> web.Response:
    """Answer /openapi/v2, /openapi/v3 and the document of each group version."""
    return web.Response(status=404, text="404 page not found\n")
