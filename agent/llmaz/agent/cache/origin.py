"""Where a model's weights come from, read from its source. Pure."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias

from llmaz.api.manifest import encode
from llmaz.api.source import Hub, ModelHub, ModelSource


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePulls:
    """The engine brings the weights itself; the node has nothing to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePath:
    """A file or directory that is on the node already, and is served where it is."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRepository:
    """A repository of the Hugging Face hub: whole, one file of it, or what patterns select."""

    repository: str  # organization/name
    revision: str
    filename: str | None = None
    allow_patterns: tuple[str, ...] | None = None
    ignore_patterns: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported:
    """A source that this agent can't read, and the sentence that says so."""

    message: str


Origin: TypeAlias = EnginePulls | NodePath | HubRepository | Unsupported


def origin_of(source: ModelSource) -> Origin:
    """Read a source. A hub wins over a URI, as upstream has it."""
    if source.model_hub is not None:
        return _of_hub(source.model_hub)
    if source.uri is not None:
        return _of_uri(source.uri)
    return Unsupported(message="the model names neither a hub's repository nor a URI")


def key_of(origin: Origin, endpoint: str) -> str:
    """Return a name for what is fetched, the same for models that share it: 32 hex digits."""
    text = json.dumps([endpoint, encode(origin)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _of_hub(hub: ModelHub) -> Origin:
    if hub.name is not Hub.HUGGINGFACE:
        return Unsupported(message=f"the hub {hub.name} can't be read by this agent")
    for name, value in (("filename", hub.filename), ("revision", hub.revision)):
        if value is not None and not leads_inside(value):
            return Unsupported(message=f"{name} {value!r} leads out of the repository")
    return HubRepository(
        repository=hub.model_id,
        revision=hub.revision,
        filename=hub.filename,
        allow_patterns=hub.allow_patterns,
        ignore_patterns=hub.ignore_patterns,
    )


def _of_uri(uri: str) -> Origin:
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return Unsupported(message=f"{uri!r} is not a URI such as host:///models/name")
    match scheme.lower():
        case "ollama":
            return EnginePulls()
        case "host" | "file" if rest.startswith("/"):
            return NodePath(path=rest)
        case "host" | "file":
            return Unsupported(message=f"{uri!r} needs an absolute path: {scheme}:///{rest}")
        case _:
            return Unsupported(
                message=f"{scheme}:// can't be read by this agent; host://, file://, ollama:// "
                "and Hugging Face repositories can"
            )


def leads_inside(name: str) -> bool:
    """Tell whether a relative name stays below the directory that it is joined to."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts
