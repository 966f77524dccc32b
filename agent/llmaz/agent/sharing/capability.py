"""What a node shows a peer to be given a blob: a proof that it knows the nodes' shared token.

A capability is good for one blob, one node and a few minutes. It is made anew for each request, and
the token itself never travels. Pure.

    Authorization: Llmaz <node> <expiry> <hex of HMAC-SHA256>
"""

import hashlib
import hmac
from dataclasses import dataclass, field

LIFETIME_SECONDS = 120
MOST_AHEAD_SECONDS = 300  # an expiry further away than that was not made by an honest clock
SHORTEST_TOKEN = 16
_SCHEME = "Llmaz"


@dataclass(frozen=True, slots=True)
class Token:
    """The secret that all nodes share."""

    value: bytes = field(repr=False)

    @classmethod
    def read(cls, text: bytes) -> "Token":
        """Read what a token file holds; raise ValueError where it is too short to be a secret."""
        value = text.strip()
        if len(value) < SHORTEST_TOKEN:
            raise ValueError(f"a token has at least {SHORTEST_TOKEN} characters")
        return cls(value)


def authorization(token: Token, *, what: str, node: str, now: float) -> str:
    """Return the header that asks for `what` in the name of a node."""
    expiry = int(now) + LIFETIME_SECONDS
    return f"{_SCHEME} {node} {expiry} {_mac(token, what, node, expiry)}"


def why_refused(token: Token, header: str | None, *, what: str, now: float) -> str | None:
    """Return why a header opens nothing, or None where it opens `what`."""
    parts = (header or "").split(" ")
    if len(parts) != 4 or parts[0] != _SCHEME:
        return "a peer's capability is needed"
    _, node, expiry, mac = parts
    if not expiry.isascii() or not expiry.isdecimal() or len(expiry) > 12:
        return "the capability's expiry is no time"
    if not hmac.compare_digest(_mac(token, what, node, int(expiry)).encode(), mac.encode()):
        return "the capability is for something else, or of another token"
    if not now <= int(expiry) <= now + MOST_AHEAD_SECONDS:
        return "the capability has expired, or the nodes' clocks differ by minutes"
    return None


def node_of(header: str) -> str:
    """Return the node that a header which was found right speaks for."""
    return header.split(" ")[1]


def _mac(token: Token, what: str, node: str, expiry: int) -> str:
    text = f"{what}\n{node}\n{expiry}"
    return hmac.new(token.value, text.encode(), hashlib.sha256).hexdigest()
