"""HTTP from one node to another: a kept connection, a capability for each request, no proxies."""

import hashlib
import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from llmaz.agent.sharing.capability import Token, authorization, read_tokens
from llmaz.agent.sharing.renewed import Renewed
from llmaz.agent.sharing.tls import TlsFiles, client_context

CONNECT_SECONDS = 3.0
SILENCE_SECONDS = 12.0  # a peer that follows sends a line each second
_LONGEST_LINE = 16 * 2**20


class PeerError(Exception):
    """A peer did not give what it was asked for; `why` is a word for it."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__(message)
        self.why = why


_WHY = {503: "busy", 404: "gone", 409: "gone", 401: "refused", 403: "refused"}


def _answered(status: int) -> PeerError:
    return PeerError(_WHY.get(status, "cut"), f"HTTP {status}")


def _broken(error: Exception, *, connected: bool) -> PeerError:
    if isinstance(error, PeerError):
        return error
    if not connected:
        return PeerError("unreachable", str(error))
    return PeerError("silent" if isinstance(error, TimeoutError) else "cut", str(error))


class Identity:
    """Who asks, and how it is proven: by what the files hold at the moment of asking."""

    def __init__(self, node: str, token_file: Path, tls: TlsFiles | None) -> None:
        """Read the files; raise OSError or ValueError where they can't be used."""
        self.node = node
        self._tokens = Renewed([token_file], lambda: read_tokens(token_file.read_bytes()))
        self._tls = Renewed(tls.all, lambda: client_context(tls)) if tls is not None else None

    @property
    def tokens(self) -> tuple[Token, ...]:
        """The tokens that nodes share; the first is what this one asks with."""
        return self._tokens.get()

    @property
    def tls(self) -> ssl.SSLContext | None:
        return self._tls.get() if self._tls is not None else None


def client(url: str, identity: Identity) -> http.client.HTTPConnection:
    """Return a connection that is still to be made."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 0
    if parts.scheme == "https":
        return http.client.HTTPSConnection(
            host, port, timeout=CONNECT_SECONDS, context=identity.tls
        )
    return http.client.HTTPConnection(host, port, timeout=CONNECT_SECONDS)


class Connection:
    """One connection to one peer, of one thread."""

    def __init__(self, url: str, identity: Identity) -> None:
        self._url = url
        self._identity = identity
        self._http = client(url, identity)

    def bring(self, key: str, span: tuple[int, int], into: "Sink") -> None:
        """Bring a range, in pieces; raise PeerError where less or other than it comes."""
        start, end = span
        headers = {**self._permission(key), "Range": f"bytes={start}-{end - 1}"}
        answer = self._ask("GET", f"/v1/blobs/{key}", headers)
        if answer.status != http.client.PARTIAL_CONTENT:
            self._drop(answer)
            raise _answered(answer.status)
        if answer.length != end - start:
            self.close()
            raise PeerError("cut", f"{answer.length} bytes instead of {end - start}")
        try:
            while start < end:
                view = into.buffer[: min(len(into.buffer), end - start)]
                if answer.readinto(view) != len(view):
                    raise PeerError("cut", "cut off")
                into.take(start, view)
                start += len(view)
        except (OSError, http.client.HTTPException, PeerError) as error:
            self.close()
            raise _broken(error, connected=True) from error

    def follow(self, keys: Sequence[str]) -> Iterator[dict[str, object]]:
        """Yield what a peer tells of these keys, until it hangs up; an empty one is a heartbeat."""
        body = json.dumps({"keys": list(keys)}).encode()
        headers = self._permission(hashlib.sha256(body).hexdigest())
        answer = self._ask("POST", "/v1/follow", headers, body)
        if answer.status != http.client.OK:
            self._drop(answer)
            raise _answered(answer.status)
        try:
            while line := answer.readline(_LONGEST_LINE):
                news = json.loads(line) if line.strip() else {}
                if isinstance(news, dict):
                    yield news
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _broken(error, connected=True) from error
        finally:
            self.close()

    def close(self) -> None:
        self._http.close()

    def _permission(self, what: str) -> dict[str, str]:
        identity = self._identity
        header = authorization(identity.tokens[0], what=what, node=identity.node, now=time.time())
        return {"Authorization": header}

    def _ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> http.client.HTTPResponse:
        tries = 2 if self._http.sock is not None else 1  # a kept connection may have gone stale
        while True:
            tries -= 1
            try:
                if self._http.sock is None:
                    self._connect()
                self._http.request(method, path, body, headers)
                return self._http.getresponse()
            except (OSError, http.client.HTTPException) as error:
                connected = self._http.sock is not None
                self.close()
                if tries == 0:
                    raise _broken(error, connected=connected) from error

    def _connect(self) -> None:
        self._http = client(self._url, self._identity)  # by a certificate that may be a new one
        self._http.connect()
        sock: socket.socket = self._http.sock
        sock.settimeout(SILENCE_SECONDS)

    def _drop(self, answer: http.client.HTTPResponse) -> None:
        try:
            answer.read(2**16)
        except (OSError, http.client.HTTPException):
            self.close()


class Sink:
    """Where a chunk goes that is not believed yet: onto the disk, and through its digest."""

    def __init__(self, buffer: memoryview, lay: Callable[[int, memoryview], None]) -> None:
        self.buffer = buffer
        self._lay = lay
        self._digest = hashlib.sha256()

    def take(self, offset: int, view: memoryview) -> None:
        self._digest.update(view)
        self._lay(offset, view)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()
