"""Ports of engines: leased from a band below the kernel's ephemeral ports, and seen to be free.

An engine keeps its port over restarts of itself and of the agent, which remembers it in the
engine's record.
"""

import socket
from collections.abc import Collection

from llmaz.agent.engines.errors import EngineError

BAND = range(20000, 22000)


def lease(band: range, taken: Collection[int], *, start_at: int = 0) -> int:
    """Return a port of the band that no engine has and nobody listens on."""
    for offset in range(len(band)):
        port = band[(start_at + offset) % len(band)]
        if port not in taken and is_free(port):
            return port
    raise EngineError(f"no port from {band.start} to {band.stop - 1} is free")


def is_free(port: int) -> bool:
    """Tell whether an engine could listen on `port` on every address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("0.0.0.0", port))  # noqa: S104  # not listened on
        except OSError:
            return False
    return True
