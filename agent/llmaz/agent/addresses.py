"""Which addresses are this machine's own. Pure."""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """Tell whether an IP address, or the name localhost, is of this machine alone."""
    if host == "localhost":
        return True
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback


def is_at(url: str, hosts: Collection[str], port: int) -> bool:
    """Tell whether a URL leads to a port of this machine: to loopback, or to one of `hosts`."""
    try:
        parts = urlsplit(url)
        asked = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return False
    host = parts.hostname or ""
    return asked == port != 0 and (is_loopback(host) or host in hosts)
