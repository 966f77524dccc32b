"""HTTP for weights: blocking requests over kept connections, redirects followed with care.

Bytes go from the socket into the caller's own buffer, which costs half of what an asynchronous
client takes. A token or cookie is sent to the origin that it was meant for and to no other; from
https no redirect leads to http; addresses of the link, where clouds keep their credentials, are
never asked, and from the internet no redirect leads to a private network or this machine.
"""

import http.client
import ipaddress
import json
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit

from llmaz.agent.cache.destinations import Address, Forbidden, mapped, may_lead, refuse_link
from llmaz.agent.cache.dial import Dialler
from llmaz.agent.cache.remote import Headers, Target

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 30.0  # until the first byte, and between two
NEAR_SECONDS = 3.0
MOST_REDIRECTS = 5
LARGEST_TEXT = 64 * 2**20
_REDIRECTS = (301, 302, 303, 307, 308)
_SECRET_HEADERS = ("authorization", "cookie")
_AGENT = {"User-Agent": "llmaz-agent", "Accept-Encoding": "identity"}
_DIALLER = Dialler()

_Origin: TypeAlias = tuple[str, str, int]


class TooLong(Forbidden):
    """A listing that has no end, or as good as none."""


class NetworkError(Exception):
    """The place can't be reached now, or what it sent broke off."""


class CutError(NetworkError):
    """The bytes ended before they should, or another number was announced than asked for."""


@dataclass(frozen=True)
class Answer:
    """The head of an answer; its body is read once, and only through the `Wire`."""

    status: int
    headers: Headers
    url: str
    body: http.client.HTTPResponse


class Wire:
    """Connections of one thread, one to each origin.

    near: it asks the node's own cloud who the node is, at an address of the link; no proxy is in
        between, no redirect is followed, and where no cloud is, nobody answers for long
    window: how many bytes may be under way to a connection that is not read
    """

    def __init__(self, *, near: bool = False, window: int | None = None) -> None:
        self._window = window
        self._near = near
        self._connect_seconds = NEAR_SECONDS if near else CONNECT_SECONDS
        self._silence_seconds = NEAR_SECONDS if near else SILENCE_SECONDS
        self._kept: dict[_Origin, http.client.HTTPConnection] = {}
        self._addresses: dict[_Origin, Address] = {}  # of what was asked without a proxy
        self._tls: ssl.SSLContext | None = None

    def ask(self, target: Target, extra: Mapping[str, str], method: str = "GET") -> Answer:
        """Send a request and return the head of the first answer that is no redirect.

        A request with a body tells a secret: it is sent to the address that was given, or nowhere.
        """
        if target.form or self._near:
            return self._ask_once(method, target.url, {**_AGENT, **target.headers, **extra}, target)
        url, headers = target.url, {**_AGENT, **target.headers, **extra}
        came_from: str | None = None
        for _ in range(MOST_REDIRECTS + 1):
            self.check_way(came_from, url)
            answer = self._ask_once(method, url, headers, target)
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or location is None:
                return answer
            self.finish(answer)
            following = urljoin(url, location)
            headers = _for_redirect(url, following, headers)
            came_from, url = url, following
        raise Forbidden(f"{_host(url)} redirects more than {MOST_REDIRECTS} times")

    def text(self, target: Target, method: str = "GET") -> tuple[Answer, bytes]:
        """Ask, and read the whole body: of a listing, never of weights."""
        answer = self.ask(target, {}, method)
        try:
            body = answer.body.read(LARGEST_TEXT + 1)
        except (OSError, http.client.HTTPException) as error:
            raise CutError(f"{_host(answer.url)} broke off: {_line(error)}") from error
        finally:
            self.finish(answer)
        if len(body) > LARGEST_TEXT:
            raise TooLong(f"{_host(answer.url)} answers with more than {LARGEST_TEXT} bytes")
        return answer, body

    def read_into(self, answer: Answer, view: memoryview) -> int:
        """Fill the view from the body; fewer bytes than it takes are the end of the body."""
        try:
            return answer.body.readinto(view)
        except (OSError, http.client.HTTPException) as error:
            raise CutError(f"{_host(answer.url)} broke off: {_line(error)}") from error

    def finish(self, answer: Answer) -> None:
        """Keep the connection where its answer was read to the end, else close it."""
        small = answer.body.length is not None and answer.body.length < 2**16
        if small and not answer.body.isclosed():
            try:
                answer.body.read()
            except (OSError, http.client.HTTPException):
                small = False
        if not answer.body.isclosed():
            self.close()

    def cut(self) -> None:
        """End what another thread waits for on these connections."""
        for connection in list(self._kept.values()):
            if connection.sock is not None:
                try:
                    connection.sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # it has ended by itself

    def close(self) -> None:
        """Close all connections."""
        for connection in self._kept.values():
            connection.close()
        self._kept.clear()

    def check_way(self, came_from: str | None, url: str) -> None:
        """Connect where an answer leads, and refuse an address that it may not lead to."""
        if came_from is None:
            return
        here, there = _origin(urlsplit(came_from)), _origin(urlsplit(url))
        if here == there:
            return
        if there not in self._kept:
            try:
                self._kept[there] = self._connected(there)
            except (OSError, http.client.HTTPException) as error:
                raise NetworkError(f"{there[1]} can't be reached: {_line(error)}") from error
        one, other = self._addresses.get(here), self._addresses.get(there)
        if one is not None and other is not None and not may_lead(one, other):
            self.close()
            raise Forbidden(f"{here[1]} redirects to {other}, which is no address of the internet")

    def _ask_once(
        self, method: str, url: str, headers: Mapping[str, str], target: Target
    ) -> Answer:
        parts = urlsplit(url)
        origin = _origin(parts)
        tries = 2 if origin in self._kept else 1  # a kept connection may have gone stale
        while True:
            tries -= 1
            try:
                return self._send(method, parts, headers, target.form)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if tries == 0 or isinstance(error, TimeoutError):
                    words = f"{origin[1]} can't be reached: {_line(error)}"
                    raise NetworkError(words) from error

    def _send(
        self, method: str, parts: SplitResult, headers: Mapping[str, str], form: Mapping[str, str]
    ) -> Answer:
        origin = _origin(parts)
        connection = self._kept.get(origin) or self._connected(origin)
        self._kept[origin] = connection
        path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        proxy = self._proxy(origin)
        if proxy is not None and origin[0] == "http":
            path = parts._replace(fragment="").geturl()
        if form:
            body = urlencode(form)
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", path, body=body, headers={**headers, **kind})
        else:
            connection.request(method, path, headers=dict(headers))
        answer = connection.getresponse()
        return Answer(status=answer.status, headers=answer.headers, url=parts.geturl(), body=answer)

    def _connected(self, origin: _Origin) -> http.client.HTTPConnection:
        scheme, host, port = origin
        if not self._near:
            refuse_link(host)  # a name that leads there is refused once it is connected
        proxy = self._proxy(origin)
        near = (host, port) if proxy is None else (proxy.hostname or "", proxy.port or 80)
        connection: http.client.HTTPConnection
        if scheme == "https":
            self._tls = self._tls or ssl.create_default_context()
            connection = http.client.HTTPSConnection(
                *near, timeout=self._connect_seconds, context=self._tls
            )
            if proxy is not None:
                connection.set_tunnel(host, port)
        else:
            connection = http.client.HTTPConnection(*near, timeout=self._connect_seconds)
        # http.client has no other seam for where its socket comes from, nor typeshed a name for it.
        connection._create_connection = _DIALLER.connect  # type: ignore[attr-defined]
        connection.connect()
        if proxy is None:
            self._addresses[origin] = _checked_peer(connection.sock, near=self._near)
        connection.sock.settimeout(self._silence_seconds)
        if self._window is not None:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._window)
        return connection

    def _proxy(self, origin: _Origin) -> SplitResult | None:
        return None if self._near else _proxy(origin)


def json_of(body: bytes, where: str) -> object:
    """Read JSON that a server sent; raise CutError where it is none."""
    try:
        return json.loads(body)
    except ValueError:
        raise CutError(f"{where} answered with no JSON: {body[:60]!r}") from None


def _origin(parts: SplitResult) -> _Origin:
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Forbidden(f"{parts.scheme}:// is no place of the web")
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _for_redirect(url: str, following: str, headers: Mapping[str, str]) -> dict[str, str]:
    here, there = _origin(urlsplit(url)), _origin(urlsplit(following))
    if here[0] == "https" and there[0] == "http":
        raise Forbidden(f"{here[1]} redirects from https to http")
    if here == there:
        return dict(headers)
    return {key: text for key, text in headers.items() if key.lower() not in _SECRET_HEADERS}


def _proxy(origin: _Origin) -> SplitResult | None:
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  # loads much; few need it

    scheme, host, port = origin
    proxies = getproxies()
    if scheme not in proxies or proxy_bypass(f"{host}:{port}"):
        return None
    return urlsplit(proxies[scheme] if "//" in proxies[scheme] else f"//{proxies[scheme]}")


def _checked_peer(sock: socket.socket, *, near: bool) -> Address:
    text = str(sock.getpeername()[0]).partition("%")[0]
    try:
        if not near:
            refuse_link(text)
    except Forbidden:
        sock.close()
        raise
    return mapped(ipaddress.ip_address(text))


def _line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _host(url: str) -> str:
    return urlsplit(url).hostname or "the server"
