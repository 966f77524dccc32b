"""A kubeconfig as frozen types. Keys beside these are passed over, as kubectl does."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, TypeVar

from llmaz.api.manifest import ManifestError, decode, named

_Entry = TypeVar("_Entry", "NamedContext", "NamedCluster", "NamedUser")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where an API server is, and what proves that it is the one. Data wins over files."""

    LENIENT: ClassVar = True
    server: str
    authority: str | None = field(default=None, metadata=named("certificate-authority"))
    authority_data: str | None = field(
        default=None, metadata=named("certificate-authority-data"), repr=False
    )
    insecure: bool = field(default=False, metadata=named("insecure-skip-tls-verify"))
    server_name: str | None = field(default=None, metadata=named("tls-server-name"))
    proxy_url: str | None = field(default=None, metadata=named("proxy-url"))


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who asks. A token's file wins over the token, as it is what is renewed."""

    LENIENT: ClassVar = True
    token: str | None = field(default=None, repr=False)
    token_file: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    certificate: str | None = field(default=None, metadata=named("client-certificate"))
    certificate_data: str | None = field(
        default=None, metadata=named("client-certificate-data"), repr=False
    )
    key: str | None = field(default=None, metadata=named("client-key"))
    key_data: str | None = field(default=None, metadata=named("client-key-data"), repr=False)
    exec: Mapping[str, object] | None = None
    auth_provider: Mapping[str, object] | None = field(
        default=None, metadata=named("auth-provider")
    )

    @property
    def by_plugin(self) -> bool:
        """Tell whether another program, or a provider's own protocol, makes the credentials."""
        return self.exec is not None or self.auth_provider is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Which user asks which cluster."""

    LENIENT: ClassVar = True
    cluster: str
    user: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedContext:
    """An entry of `contexts`."""

    name: str
    context: Context


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCluster:
    """An entry of `clusters`."""

    name: str
    cluster: Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedUser:
    """An entry of `users`."""

    name: str
    user: User


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubeconfig:
    """The whole file."""

    LENIENT: ClassVar = True
    current_context: str = field(metadata=named("current-context"))
    contexts: tuple[NamedContext, ...] = ()
    clusters: tuple[NamedCluster, ...] = ()
    users: tuple[NamedUser, ...] = ()

    @classmethod
    def from_manifest(cls, manifest: object) -> "Kubeconfig":
        """Read the parsed file; raise ManifestError with the path of what is wrong."""
        return decode(cls, manifest)

    def current(self) -> tuple[Cluster, User]:
        """Return what the current context names; without a user, nobody in particular asks."""
        context = _entry(self.contexts, self.current_context, "contexts").context
        cluster = _entry(self.clusters, context.cluster, "clusters").cluster
        if not context.user:
            return cluster, User()
        return cluster, _entry(self.users, context.user, "users").user


def _entry(entries: tuple[_Entry, ...], name: str, path: str) -> _Entry:
    for entry in entries:
        if entry.name == name:
            return entry
    raise ManifestError(path, f"has no {name!r}")


def content(key: str, data: str | None, file: str | None, base: Path) -> str | None:
    """Return what is given in base64, else as a file, whose name may be relative to `base`."""
    if not data:
        return (base / file).read_text() if file else None
    try:
        return base64.b64decode(data, validate=True).decode()
    except ValueError as error:
        raise ManifestError(f"{key}-data", str(error)) from error
