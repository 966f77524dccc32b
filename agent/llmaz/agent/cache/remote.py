"""What a source holds: files, the digests that it knows of them, and how to ask for one. Values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from llmaz.agent.cache.acl import Visibility
from llmaz.agent.cache.outcome import FetchFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """One file of a source. Without a digest, the first whole read says what the file is."""

    path: str  # below the snapshot
    size: int
    address: str = ""  # the source's own name of it, where that is not the path
    sha256: str | None = None
    git_sha1: str | None = None  # of a git blob with these bytes
    md5: str | None = None
    etag: str | None = None  # strong: it is another when the bytes are
    xet: str | None = None  # its name in the hub's store of chunks
    held: str | None = None  # the version that the address itself asks for, where it does

    @property
    def version(self) -> str | None:
        """Return what tells these bytes from later ones of the same name."""
        return self.etag or self.held


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A source at one moment. The commit names exactly these bytes, and never a branch."""

    commit: str
    files: tuple[RemoteFile, ...]
    visibility: Visibility = Visibility.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where bytes are asked for, and with which headers. Neither is ever shown."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] = field(default_factory=dict, repr=False)  # is posted


class Headers(Protocol):
    """An answer's headers, whatever the case of their names."""

    def get(self, name: str, /) -> str | None: ...


class Source(Protocol):
    """One kind of place that weights come from."""

    def listing(self) -> Listing: ...

    def target(self, file: RemoteFile) -> Target: ...

    def why(self, status: int, headers: Headers) -> "Refused | None": ...


class Refused(Exception):
    """The fetch can't go on, for a reason that is known."""

    def __init__(self, reason: str, message: str, *, passing: bool) -> None:
        super().__init__(message)
        self.failure = FetchFailed(reason=reason, message=message, passing=passing)
