"""Whatever a driver of fsspec reads (az://, abfs://, hdfs://, sftp://, ftp://, github:// ...).

A driver knows its store, and knows nothing of ranges in parallel, of journals and digests. So it is
put behind a small HTTP server on loopback, inside the fetching process, and everything else is as
for any source. The server answers under a path that nobody can guess.
"""

import hashlib
import importlib
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias
from urllib.parse import quote

from llmaz.agent.cache.destinations import Forbidden
from llmaz.agent.cache.origin import STORAGE_OPTIONS, Filesystem, name_of
from llmaz.agent.cache.remote import Headers, Listing, Refused, RemoteFile, Target
from llmaz.agent.cache.sources.answers import bounded, number, pinned
from llmaz.agent.cache.sources.bridge import Bridge, Opened
from llmaz.agent.cache.sources.guard import Guard, guarding
from llmaz.agent.cache.wire import NetworkError

_VERSIONS = (
    *("etag", "ETag", "md5Hash", "content_md5", "sha"),
    *("mtime", "modify", "last_modified", "modificationTime"),
)

_OF_CREDENTIALS = ("authentication", "logonfailure", "accessdenied", "permissiondenied")

_Info: TypeAlias = Mapping[str, object]


class Driver(Protocol):
    """As much of fsspec's file systems as is used."""

    def info(self, path: str) -> _Info: ...

    def walk(
        self, path: str, *, detail: bool, on_error: str
    ) -> Iterator[tuple[str, Mapping[str, _Info], Mapping[str, _Info]]]: ...

    def open(self, path: str, mode: str) -> Opened: ...


@dataclass(frozen=True)
class FilesystemSource:
    """One file, or all below a folder."""

    origin: Filesystem
    driver: Driver
    root: str
    bridge: Bridge = field(repr=False)
    guard: Guard

    @classmethod
    def of(
        cls, origin: Filesystem, credentials: Mapping[str, str], environ: Mapping[str, str]
    ) -> "FilesystemSource":
        """Load the driver. Its options are a JSON object, as fsspec's `storage_options`."""
        text = credentials.get(STORAGE_OPTIONS) or environ.get("FSSPEC_STORAGE_OPTIONS") or "{}"
        options = _options(text)
        guard = guarding(origin.url.partition("://")[0])
        with guard.telling(), _worded(origin):
            driver, root = _loaded(origin, options)
        is_concurrent = bool(getattr(driver, "async_impl", False))
        bridge = Bridge(driver.open, secrets.token_urlsafe(24), one_at_a_time=not is_concurrent)
        return cls(origin, driver, root, bridge, guard)

    def listing(self) -> Listing:
        try:
            with self.guard.telling(), _worded(self.origin):
                files = bounded(map(self._file, self._infos()), name_of(self.origin))
        except FileNotFoundError:
            words = f"there is nothing at {name_of(self.origin)}"
            raise Refused("FileNotFound", words, passing=False) from None
        except PermissionError:
            words = f"the source refuses {name_of(self.origin)} to these credentials"
            raise Refused("Unauthorized", words, passing=False) from None
        return pinned(files, anonymous=False)  # a driver may use the node's own identity

    def target(self, file: RemoteFile) -> Target:
        return Target(url=f"{self.bridge.url}/{quote(file.address)}")

    def why(self, status: int, headers: Headers) -> Refused | None:  # noqa: ARG002
        """Say what was refused to the driver; the bridge's statuses mean the same as everywhere."""
        if not self.guard.refused:
            return None
        words = f"{name_of(self.origin)}: {self.guard.refused}"
        return Refused("ForbiddenAddress", words, passing=False)

    def _infos(self) -> Iterator[_Info]:
        """Walk folder by folder: what finds all at once holds all at once."""
        info = self.driver.info(self.root)
        if info.get("type") != "directory":
            yield {**info, "name": self.root}
            return
        for _, _, files in self.driver.walk(self.root, detail=True, on_error="raise"):
            yield from files.values()

    def _file(self, info: _Info) -> RemoteFile:
        path = str(info.get("name"))
        below = path.removeprefix(self.root).lstrip("/")
        version = [str(info.get(name)) for name in _VERSIONS if info.get(name) is not None]
        digest = hashlib.sha256(json.dumps([path, info.get("size"), version]).encode()).hexdigest()
        return RemoteFile(
            path=below or path.rpartition("/")[2],
            size=number(info.get("size")),
            address=path,
            etag=f'"{digest}"' if version else None,
        )


@contextmanager
def _worded(origin: Filesystem) -> Iterator[None]:
    """Say of an error inside the `with` block whose it is; each driver has errors of its own."""
    scheme = origin.url.partition("://")[0]
    try:
        yield
    except (Refused, Forbidden, NetworkError, FileNotFoundError, PermissionError):
        raise
    except OSError as error:
        raise NetworkError(f"the driver of {scheme}:// says: {_line(error)}") from error
    except Exception as error:
        words = f"{name_of(origin)} can't be read: {type(error).__name__} of the driver"
        reason = "Unauthorized" if is_of_credentials(error) else "FetchFailed"
        passing = reason != "Unauthorized"
        raise Refused(reason, f"{words}: {_line(error)}", passing=passing) from error


def is_of_credentials(error: Exception) -> bool:
    """Tell whether a driver's error is about who asks: the same question has the same answer.

    Drivers share no such error, only its name: AuthenticationException of paramiko,
    ClientAuthenticationError of Azure, LogonFailure of SMB. A server that was too slow to say
    who may enter has refused nobody.
    """
    if "timeout" in str(error).lower():
        return False
    names = " ".join(kind.__name__.lower() for kind in type(error).__mro__)
    return any(word in names for word in _OF_CREDENTIALS)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _options(text: str) -> Mapping[str, object]:
    try:
        options = json.loads(text)
    except ValueError:
        options = None
    if not isinstance(options, dict):
        words = f"{STORAGE_OPTIONS} is no JSON object"
        raise Refused("BadCredentials", words, passing=False)
    return options


def _loaded(origin: Filesystem, options: Mapping[str, object]) -> tuple[Driver, str]:
    scheme = origin.url.partition("://")[0]
    try:
        core = importlib.import_module("fsspec.core")
        driver, root = core.url_to_fs(origin.url, **options)
    except ImportError as error:
        words = f"{scheme}:// needs a Python package beside the agent (llmaz[fsspec]): {error}"
        raise Refused("DriverMissing", words, passing=False) from None
    except ValueError as error:
        words = f"fsspec has no driver for {scheme}://: {error}"
        raise Refused("UnsupportedSource", words, passing=False) from None
    return driver, str(root)
