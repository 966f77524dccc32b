"""Whether the ports of `up` are free, asked before anything is started.

A port that is asked for as 0 is drawn from below the kernel's ephemeral ports: one of those could
be some connection's own by the time that the program listens. It is claimed as well, since another
`up` may draw in that time.
"""

import dataclasses
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from llmaz.daemon.ports import at_random, claim_first
from llmaz.local.programs import Address, Addresses

BAND = range(22000, 32000)  # above the engines'
_DRAWS = 100


class PortInUse(Exception):
    """A port that cannot be listened on."""


@contextmanager
def claimed(addresses: Addresses) -> Iterator[Addresses]:
    """Yield the addresses with a port for each 0, which is nobody else's inside the block.

    Raises PortInUse for a port that is taken.
    """
    with ExitStack() as claims:
        yield Addresses(
            api=_free(addresses.api, claims),
            gateway=_free(addresses.gateway, claims),
            agent=_free(addresses.agent, claims),
            controller=_free(addresses.controller, claims),
            sharing=_free(addresses.sharing, claims),
        )


def _free(address: Address, claims: ExitStack) -> Address:
    if address.port:
        return _checked(address)
    found = claim_first(at_random(BAND, _DRAWS), address.host)
    if found is None:
        raise PortInUse(f"{_DRAWS} ports from {BAND.start} to {BAND.stop - 1} are in use")
    claims.callback(found.release)
    return dataclasses.replace(address, port=found.port)


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
