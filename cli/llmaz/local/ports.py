"""Whether the ports of `up` are free, asked before anything is started."""

import dataclasses
import socket

from llmaz.local.programs import Address, Addresses


class PortInUse(Exception):
    """A port that cannot be listened on."""


def free(addresses: Addresses) -> Addresses:
    """Return the addresses with a free port for each 0; raise PortInUse for one that is taken."""
    return Addresses(
        api=_free(addresses.api),
        gateway=_free(addresses.gateway),
        agent=_free(addresses.agent),
        controller=_free(addresses.controller),
        sharing=_free(addresses.sharing),
    )


def _free(address: Address) -> Address:
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address.host, address.port))
            return dataclasses.replace(address, port=probe.getsockname()[1])
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PortInUse(
            f"cannot listen on {address.listen}: {reason}; choose another port with {address.flag}"
        ) from None
