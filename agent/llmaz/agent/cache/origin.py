"""Where a model's weights come from, read from its source. Pure."""

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from llmaz.agent.cache.names import why_unsafe
from llmaz.api.manifest import encode
from llmaz.api.names import AWS_SECRET, HF_TOKEN, MODELHUB_SECRET, OSS_SECRET
from llmaz.api.source import Hub, ModelHub, ModelSource

OLLAMA_REGISTRY = "registry.ollama.ai"
_AWS_KEYS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_S3_ADDRESSING_STYLE",
    "GOOGLE_CREDENTIALS",
)
FSSPEC_SECRET = "fsspec-access-secret"  # noqa: S105  # the name of a Secret, not its content
STORAGE_OPTIONS = "STORAGE_OPTIONS"
# What reads the node's own files, or wraps another file system, is no source from afar.
_NO_DRIVERS = (
    *("local", "memory", "data", "dir", "dask", "reference", "generic", "zip", "tar", "root"),
    *("libarchive", "simplecache", "filecache", "blockcache", "cached", "asyncwrapper"),
    *("async_wrapper", "asynclocal", "git", "dvc"),
)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_OSS_KEYS = ("OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN", "OSS_REGION")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePath:
    """A file or directory that is on the node already, and is served where it is."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRepository:
    """A repository of a hub: whole, one file of it, or what patterns select."""

    hub: Hub = Hub.HUGGINGFACE
    repository: str  # organization/name
    revision: str
    filename: str | None = None
    allow_patterns: tuple[str, ...] | None = None
    ignore_patterns: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What lies in an object store under a key: one object, or all below it."""

    scheme: str  # s3, gs or oss
    bucket: str
    key: str
    endpoint: str | None = None  # a host; it is a part of an oss:// URI


@dataclass(frozen=True, slots=True, kw_only=True)
class WebFile:
    """One file of a web server."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OllamaModel:
    """A model of an Ollama registry, of which the GGUF file is wanted."""

    registry: str
    repository: str  # namespace/name
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported:
    """A source that this agent can't read, and the sentence that says so."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filesystem:
    """What a driver of fsspec reads, such as az:// or sftp://: one file, or all below a folder."""

    url: str


Remote: TypeAlias = HubRepository | Bucket | WebFile | OllamaModel | Filesystem
Origin: TypeAlias = NodePath | Remote | Unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKeys:
    """A Secret that may open a source, and the keys of it that are read.

    named: the model asks for this very Secret, so that nothing else does where it is missing
    """

    name: str
    keys: tuple[str, ...]
    named: bool = False


def origin_of(source: ModelSource) -> Origin:
    """Read a source. A hub wins over a URI, as upstream has it."""
    if source.model_hub is not None:
        return _of_hub(source.model_hub)
    if source.uri is not None:
        return _of_uri(source.uri)
    return Unsupported(message="the model names neither a hub's repository nor a URI")


def key_of(origin: Remote, endpoint: str) -> str:
    """Return a name for what is fetched, the same for models that share it: 32 hex digits."""
    text = json.dumps([endpoint, type(origin).__name__, encode(origin)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def name_of(origin: Remote) -> str:
    """Name an origin in a sentence; what comes after a URL's `?` may be a signature."""
    match origin:
        case HubRepository(repository=repository):
            return repository
        case Bucket(scheme=scheme, bucket=bucket, key=key, endpoint=endpoint):
            return f"{scheme}://{bucket}{f'.{endpoint}' if endpoint else ''}/{key}"
        case WebFile(url=url) | Filesystem(url=url):
            parts = urlsplit(url)
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        case OllamaModel(repository=repository, tag=tag):
            return f"{repository}:{tag}"


def home_of(origin: Remote) -> tuple[str, str]:
    """Return the family of trees and the repository under which an origin's files are kept."""
    match origin:
        case HubRepository(hub=Hub.HUGGINGFACE, repository=repository):
            return "hub", repository
        case HubRepository(repository=repository):
            return "modelscope", repository
        case Bucket(scheme=scheme, bucket=bucket, key=key):
            return scheme, f"{bucket}/{key}"
        case WebFile(url=url):
            return "web", _place(url)
        case OllamaModel(repository=repository, tag=tag):
            return "ollama", f"{repository}/{tag}"
        case Filesystem(url=url):
            return "fsspec", f"{url.partition('://')[0]}/{_place(url)}".strip("/")


def _place(url: str) -> str:
    """Return the host and path of a URL, without what a directory's name has no use for."""
    parts = urlsplit(url)
    return f"{parts.hostname or ''}{parts.path}"


def kind_of(origin: Remote) -> str:
    """Return the kind of source, by which rates are limited."""
    family = home_of(origin)[0]
    return "huggingface" if family == "hub" else family


def secret_of(origin: Remote, named: str = "") -> SecretKeys | None:
    """Return the Secret for an origin: the one that is named, else upstream's for its kind."""
    usual = _usual_secret(origin)
    return usual and SecretKeys(name=named or usual.name, keys=usual.keys, named=bool(named))


def _usual_secret(origin: Remote) -> SecretKeys | None:
    """Return upstream's Secret for a kind of origin; gs:// has that of AWS, as upstream has it."""
    match origin:
        case HubRepository(hub=Hub.HUGGINGFACE):
            return SecretKeys(name=MODELHUB_SECRET, keys=(HF_TOKEN,))
        case HubRepository():
            return SecretKeys(name=MODELHUB_SECRET, keys=("MODELSCOPE_API_TOKEN",))
        case Bucket(scheme="oss"):
            return SecretKeys(name=OSS_SECRET, keys=_OSS_KEYS)
        case Bucket():
            return SecretKeys(name=AWS_SECRET, keys=_AWS_KEYS)
        case Filesystem():
            return SecretKeys(name=FSSPEC_SECRET, keys=(STORAGE_OPTIONS,))
        case _:
            return None


def _of_hub(hub: ModelHub) -> Origin:
    for name, value in (("filename", hub.filename), ("revision", hub.revision)):
        if value is not None and why_unsafe(value) is not None:
            return Unsupported(message=f"{name} {value!r} leads out of the repository")
    if why_unsafe(hub.model_id) is not None or hub.model_id.count("/") > 1:
        return Unsupported(message=f"{hub.model_id!r} names no repository")
    return HubRepository(
        hub=hub.name,
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
        case "host" | "file" if rest.startswith("/"):
            return NodePath(path=rest)
        case "host" | "file":
            return Unsupported(message=f"{uri!r} needs an absolute path: {scheme}:///{rest}")
        case "http" | "https" if PurePosixPath(urlsplit(uri).path).name:
            return WebFile(url=uri)
        case "http" | "https":
            return Unsupported(message=f"{name_of(WebFile(url=uri))} names no file")
        case "s3" | "gs" | "gcs" | "oss":
            return _of_bucket(scheme.lower().replace("gcs", "gs"), rest)
        case "hf":
            return _of_hub_uri(rest)
        case "ollama":
            return _of_ollama(rest)
        case "pvc":
            return Unsupported(
                message="a claim is mounted in pods, not on nodes: mount its volume on the nodes, "
                "and name the path there, as host:///path"
            )
        case "ftp" | "ftps":
            return Unsupported(
                message=f"{scheme}:// has neither ranges nor versions of files, so that nothing "
                "read from it can be held to be whole: use https:// or sftp://"
            )
        case known if _SCHEME.fullmatch(known) and known not in _NO_DRIVERS and rest.strip("/"):
            return Filesystem(url=f"{known}://{rest}")
        case _:
            return Unsupported(
                message=f"{scheme}:// can't be read by this agent; s3://, gs://, oss://, http://, "
                "https://, ollama://, host://, file://, what fsspec has a driver for and the hubs' "
                "repositories can"
            )


def _of_hub_uri(rest: str) -> Origin:
    """Read hf://owner/name[@revision][/file], as the hub's own file system spells it.

    It spells a `/` of a revision as %2F.
    """
    owner, _, others = rest.partition("/")
    name, _, file = others.partition("/")
    name, _, revision = name.partition("@")
    if not owner or not name:
        return Unsupported(message=f"'hf://{rest}' is not of the form hf://owner/name")
    if owner in ("datasets", "spaces"):
        return Unsupported(message=f"'hf://{rest}' is one of the hub's {owner}, and no model")
    hub = ModelHub(model_id=f"{owner}/{name}", filename=file or None)
    return _of_hub(dataclasses.replace(hub, revision=unquote(revision)) if revision else hub)


def _of_bucket(scheme: str, rest: str) -> Origin:
    where, _, key = rest.partition("/")
    bucket, dot, endpoint = where.partition(".") if scheme == "oss" else (where, ".", None)
    if not bucket or not dot or not key.strip("/"):
        form = "oss://bucket.endpoint/path" if scheme == "oss" else f"{scheme}://bucket/path"
        return Unsupported(message=f"'{scheme}://{rest}' is not of the form {form}")
    return Bucket(scheme=scheme, bucket=bucket, key=key.strip("/"), endpoint=endpoint)


def _of_ollama(rest: str) -> Origin:
    registry, name = OLLAMA_REGISTRY, rest
    first, slash, others = rest.partition("/")
    if slash and ("." in first.strip(".") or ":" in first):
        registry, name = first, others
    repository, _, tag = name.partition(":")
    if not repository or why_unsafe(repository) is not None or why_unsafe(tag or "x") is not None:
        return Unsupported(message=f"'ollama://{rest}' names no model of an Ollama registry")
    if "/" not in repository:
        repository = f"library/{repository}"
    return OllamaModel(registry=registry, repository=repository, tag=tag or "latest")
