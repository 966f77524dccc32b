"""Ports that programs of one machine claim from each other until whoever is told one listens there.

That nobody listens on a port proves little: another program may have been told it a second ago, and
still be loading. A claim is an abstract Unix socket named after the port. Its names belong to the
same network namespace as ports do, are seen by every user, and end with the process that has them.
"""

import random
import socket
from collections.abc import Iterable


class PortClaim:
    """A port that no other program of llmaz' on this machine takes meanwhile."""

    def __init__(self, port: int, name: socket.socket) -> None:
        self.port = port
        self._name = name

    def release(self) -> None:
        """Leave the port to others."""
        self._name.close()


def claim(port: int) -> PortClaim | None:
    """Claim a port; None where it is somebody else's."""
    name = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        name.bind(f"\0llmaz/port/{port}")
    except OSError:
        name.close()
        return None
    return PortClaim(port, name)


def is_free(port: int, host: str = "0.0.0.0") -> bool:  # noqa: S104  # not listened on
    """Tell whether a program could listen on `port` of `host` now: by default of every address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            return False
    return True


def claim_first(ports: Iterable[int], host: str = "0.0.0.0") -> PortClaim | None:  # noqa: S104
    """Claim the first of `ports` that is free; None where none is."""
    for port in ports:
        if (claimed := claim(port)) is None:
            continue
        if is_free(port, host):
            return claimed
        claimed.release()
    return None


def at_random(band: range, draws: int = 100) -> list[int]:
    """Return ports of a band to try one after the other, in no order that others would try them."""
    return random.sample(band, min(draws, len(band)))
