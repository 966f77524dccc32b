"""Whether the ports of `up` are free, asked before anything is started.

A port that is asked for as 0 is drawn from below the kernel's ephemeral ports: one of those could
be some connection's own by the time that the program listens.
"""

import dataclasses
import random
import socket
from collections.abc import Iterator
from contextlib import suppress

from llmaz.local.programs import Address, Addresses

BAND = range(22000, 32000)  # above the engines'
_DRAWS = 100


class PortInUse(Exception):
    """A port that cannot be listened on."""


def free(addresses: Addresses) -> Addresses:
    """Return the addresses with a free port for each 0; raise PortInUse for one that is taken."""
    candidates = iter(random.sample(BAND, _DRAWS))
    return Addresses(
        api=_free(addresses.api, candidates),
        gateway=_free(addresses.gateway, candidates),
        agent=_free(addresses.agent, candidates),
        controller=_free(addresses.controller, candidates),
        sharing=_free(addresses.sharing, candidates),
    )


def _free(address: Address, candidates: Iterator[int]) -> Address:
    if address.port:
        return _checked(address)
    for port in candidates:
        with suppress(PortInUse):
            return _checked(dataclasses.replace(address, port=port))
    raise PortInUse(f"{_DRAWS} ports from {BAND.start} to {BAND.stop - 1} are in use")


def _checked(address: Address) -> Address:
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address.host, address.port))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PortInUse(
            f"cannot listen on {address.listen}: {reason}; choose another port with {address.flag}"
        ) from None
    return address
