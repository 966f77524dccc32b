"""Which addresses may be asked for weights, and where an answer from one may lead. Pure."""

import ipaddress
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# Besides addresses of the link: Amazon's and Google's; Alibaba's, Azure's and Oracle's.
_TELLING = "fd00:ec2::/32 fd20:ce::/32 100.100.100.200 168.63.129.16 192.0.0.192"
_METADATA = tuple(map(ipaddress.ip_network, _TELLING.split()))


class Forbidden(Exception):
    """A place that must not be asked. Trying again is of no use."""


def may_lead(here: Address, there: Address) -> bool:
    """Tell whether a server at one address may redirect to one at another."""
    return there.is_global or not here.is_global


def refuse_link(host: str) -> None:
    """Raise Forbidden for an address where clouds keep credentials; a name may stay."""
    try:
        address = mapped(ipaddress.ip_address(host))
    except ValueError:
        return  # a name
    if address.is_link_local or any(address in network for network in _METADATA):
        raise Forbidden(f"{host} is for the machine's own credentials: no weights come from there")


def mapped(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, else the address itself."""
    meant = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return meant or address
