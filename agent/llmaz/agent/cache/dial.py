"""Connects to a host of several addresses, of which some may swallow what they are sent.

Where a network carries no IPv6 and says so to nobody, every connection would else lose its whole
patience on it. An address that is not the last to try gets little time, and one that was silent is
tried last by this process ever after.
"""

import socket
from collections.abc import Callable
from typing import Any, TypeAlias

FIRST_SECONDS = 2.0

_Info: TypeAlias = tuple[Any, Any, int, str, Any]  # as getaddrinfo has it, which types it loosely


def _resolved(host: str, port: int) -> list[_Info]:
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


class Dialler:
    """Knows which addresses were silent."""

    def __init__(
        self,
        resolve: Callable[[str, int], list[_Info]] = _resolved,
        first_seconds: float = FIRST_SECONDS,
    ) -> None:
        self._resolve = resolve
        self._first_seconds = first_seconds
        self._silent: set[str] = set()

    def connect(
        self,
        address: tuple[str, int],
        timeout: float,
        source_address: tuple[str, int] | None = None,
    ) -> socket.socket:
        """Return a connection to the first address that answers; takes the place of socket's."""
        found = self._resolve(*address)
        infos = sorted(found, key=lambda info: info[4][0] in self._silent)
        last: OSError = OSError(f"{address[0]} has no address")
        for left, info in zip(range(len(infos) - 1, -1, -1), infos, strict=True):
            patience = min(timeout, self._first_seconds) if left else timeout
            try:
                return _connected(info, patience, source_address)
            except OSError as error:
                last = error
                if isinstance(error, TimeoutError):
                    self._silent.add(info[4][0])
        raise last


def _connected(
    info: _Info, timeout: float, source_address: tuple[str, int] | None
) -> socket.socket:
    family, kind, protocol, _, where = info
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(timeout)
        if source_address is not None:
            sock.bind(source_address)
        sock.connect(where)
    except OSError:
        sock.close()
        raise
    return sock
