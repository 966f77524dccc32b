"""What a request asks for, read from its method, path and query alone."""

from collections.abc import Mapping
from dataclasses import dataclass

_VERBS = {
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "GET": "get",
    "HEAD": "get",
    "DELETE": "delete",
}
_OF_NAMESPACES = frozenset({"status", "finalize"})  # what follows the name of a namespace itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A request for objects: `verb` is what authorization and metrics call it."""

    verb: str
    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        parts = (self.version, self.namespace, self.plural, self.name, self.subresource)
        return "/".join(part for part in (self.group, *parts) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as the handlers see it: no socket, no header dictionary."""

    method: str
    path: str
    query: Mapping[str, str]
    accept: str = ""
    content_type: str = ""
    user_agent: str = ""
    body: bytes = b""

    def flag(self, name: str) -> bool:
        """Return a boolean of the query; `watch=` and `watch=1` mean true as on the real server."""
        return name in self.query and self.query[name].lower() not in ("false", "0")

    def manager(self) -> str:
        """Return who writes: the `fieldManager`, else the program's name in its user agent."""
        given = self.query.get("fieldManager", "")
        return given or self.user_agent.split("/")[0][:128] or "unknown"

    @property
    def dry_run(self) -> bool:
        return self.query.get("dryRun") == "All"


def route(method: str, path: str, query: Mapping[str, str]) -> Route | None:
    """Return the route of a request for objects, or None for any other path, such as /healthz."""
    parts = [part for part in path.split("/") if part]
    match parts:
        case ["api", version, first, *rest]:
            group = ""
        case ["apis", group, version, first, *rest]:
            pass
        case _:
            return None
    namespace, plural, rest = _scope([first, *rest])
    if len(rest) > 2:  # a name and a subresource
        return None
    name = rest[0] if rest else ""
    subresource = rest[1] if len(rest) > 1 else ""
    verb = _verb(method, name, query)
    if plural == "namespaces" and not group and name:
        namespace = name
    return Route(
        verb=verb,
        group=group,
        version=version,
        plural=plural,
        namespace=namespace,
        name=name,
        subresource=subresource,
    )


def _scope(parts: list[str]) -> tuple[str, str, list[str]]:
    if parts[0] == "namespaces" and len(parts) > 2 and parts[2] not in _OF_NAMESPACES:
        return parts[1], parts[2], parts[3:]
    return "", parts[0], parts[1:]


def _verb(method: str, name: str, query: Mapping[str, str]) -> str:
    verb = _VERBS.get(method, method.lower())
    if not name and verb == "get":  # one object is not watched by its path, but by its name
        return "watch" if query.get("watch", "false").lower() not in ("false", "0") else "list"
    return "deletecollection" if not name and verb == "delete" else verb
