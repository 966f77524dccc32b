"""CEL functions on URLs, IP addresses and CIDR ranges, as Kubernetes adds them."""

import ipaddress
from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, parse_qs, urlsplit

from llmaz.local.objects import formats
from llmaz.local.objects.values import Json, Object

# The key by which a map says that it stands for a value of a type which CEL here does not have.
TYPE = "__type"


def tagged(kind: str, text: str) -> Object:
    """Return the map that stands for a value of an added type."""
    return {TYPE: kind, "text": text}


def _url(text: str) -> Object:
    if not formats.matches(text, "uri"):
        raise ValueError(f"URL parse error during conversion from string: parse {text!r}")
    return tagged("url", text)


def _parts(url: Object) -> SplitResult:
    return urlsplit(url["text"])


def _is_address(text: Json) -> bool:
    try:
        _address(text)
    except ValueError:
        return False
    return True


def _address(text: Json) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text["text"] if isinstance(text, dict) else text)
    if isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped or address.scope_id):
        raise ValueError(f"IPv4-mapped and zoned addresses are not allowed: {text}")
    return address


def _ip(value: Json) -> Object:
    """`ip("10.0.0.1")`, and `range.ip()`: the address a CIDR range was written with."""
    if isinstance(value, dict):
        return tagged("ip", value["text"].partition("/")[0])
    return tagged("ip", str(_address(value)))


def _network(value: Json) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    text = value["text"] if isinstance(value, dict) else value
    if "/" not in text:
        raise ValueError(f"network address parse error: {text}")
    return ipaddress.ip_interface(text)


def _is_cidr(text: Json) -> bool:
    try:
        _network(text)
    except ValueError:
        return False
    return True


def _contains_ip(network: Json, address: Json) -> bool:
    return _address(address) in _network(network).network


def _contains_cidr(network: Json, other: Json) -> bool:
    outer, inner = _network(network).network, _network(other).network
    if isinstance(outer, ipaddress.IPv4Network) and isinstance(inner, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(outer, ipaddress.IPv6Network) and isinstance(inner, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return False


def _global(address: Json) -> bool:
    found = _address(address)
    return not (
        found.is_unspecified or found.is_loopback or found.is_multicast or found.is_link_local
    )


FUNCTIONS: Mapping[str, Callable[..., Json]] = {
    "url": _url,
    "isURL": lambda text: formats.matches(text, "uri"),
    "getScheme": lambda url: _parts(url).scheme,
    "getHost": lambda url: _parts(url).netloc.rpartition("@")[2],
    "getHostname": lambda url: _parts(url).hostname or "",
    "getPort": lambda url: str(_parts(url).port or ""),
    "getEscapedPath": lambda url: _parts(url).path,
    "getQuery": lambda url: parse_qs(_parts(url).query, keep_blank_values=True),
    "ip": _ip,
    "isIP": _is_address,
    "ip.isCanonical": lambda text: str(_address(text)) == text,
    "family": lambda address: _address(address).version,
    "isUnspecified": lambda address: _address(address).is_unspecified,
    "isLoopback": lambda address: _address(address).is_loopback,
    "isLinkLocalMulticast": lambda address: _address(address).is_multicast,
    "isLinkLocalUnicast": lambda address: _address(address).is_link_local,
    "isGlobalUnicast": _global,
    "cidr": lambda text: tagged("cidr", str(_network(text))),
    "isCIDR": _is_cidr,
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "prefixLength": lambda network: _network(network).network.prefixlen,
    "masked": lambda network: tagged("cidr", str(_network(network).network)),
}
