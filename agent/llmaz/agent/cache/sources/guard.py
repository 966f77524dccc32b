"""Keeps drivers of fsspec from the addresses where clouds keep their credentials.

A driver connects by itself, so that every connection that Python makes in this process is looked at
from then on: an audit hook, which nothing can take away again. Connections that a library makes
outside of Python (gRPC, libcurl, a JVM) are not seen.
"""

import ipaddress
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llmaz.agent.cache.destinations import Forbidden, refuse_link

# Drivers that ask the machine who it is, where they are given no credentials.
_ASK_THE_MACHINE = ("az", "abfs", "abfss", "adl")


class Guard:
    """Remembers what it refused: drivers wrap errors as they like."""

    def __init__(self, scheme: str) -> None:
        self.refused = ""
        self._machine = scheme in _ASK_THE_MACHINE

    def watch(self, add: Callable[[Callable[[str, tuple[object, ...]], None]], None]) -> None:
        """Look at every connection from now on; `add` is sys.addaudithook."""
        if not self._machine:
            add(self.look)

    def look(self, event: str, args: tuple[object, ...]) -> None:
        """Refuse a connection to an address of the link."""
        address = args[1] if event == "socket.connect" else None
        if not isinstance(address, tuple) or not isinstance(address[0], str):
            return  # of another family: a Unix socket, as asyncio has
        try:
            for host in _numbers(address[0]):
                refuse_link(host)
        except Forbidden as error:
            self.refused = str(error)
            raise

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Turn whatever a driver makes of a refusal inside the `with` block into one again."""
        try:
            yield
        except Exception:
            if self.refused:
                raise Forbidden(self.refused) from None
            raise


def guarding(scheme: str) -> Guard:
    """Guard this process from now on."""
    guard = Guard(scheme)
    guard.watch(sys.addaudithook)
    return guard


def _numbers(host: str) -> list[str]:
    """Return the addresses of a host, of which most connections know the number already."""
    text = host.partition("%")[0]
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return [str(info[4][0]).partition("%")[0] for info in socket.getaddrinfo(host, None)]
    return [text]
