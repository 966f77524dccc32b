"""What a node shows a peer to be given a blob: a proof that it knows the nodes' shared token.

A capability is good for one blob, one node and a few minutes. It is made anew for each request, and
the token itself never travels. Pure.

A file of tokens has one a line. The first is what this node asks with; it answers to all of them,
so that a token can be changed while some nodes have the new one already and others do not.

    Authorization: Llmaz <node> <expiry> <hex of HMAC-SHA256>
"""

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass, field

LIFETIME_SECONDS = 120
MOST_AHEAD_SECONDS = 300  # an expiry further away than that was not made by an honest clock
SHORTEST_TOKEN = 16
_SCHEME = "Llmaz"


@dataclass(frozen=True, slots=True)
class Token:
    """The secret that all nodes share."""

    value: bytes = field(repr=False)


def read_tokens(text: bytes) -> tuple[Token, ...]:
    """Read what a token file holds; raise ValueError where one is too short to be a secret."""
    tokens = tuple(Token(line.strip()) for line in text.strip().splitlines() if line.strip())
    if not tokens or any(len(token.value) < SHORTEST_TOKEN for token in tokens):
        raise ValueError(f"a token has at least {SHORTEST_TOKEN} characters")
    return tokens


def authorization(token: Token, *, what: str, node: str, now: float) -> str:
    """Return the header that asks for `what` in the name of a node."""
    expiry = int(now) + LIFETIME_SECONDS
    return f"{_SCHEME} {node} {expiry} {_mac(token, what, node, expiry)}"


def why_refused(
    tokens: Collection[Token], header: str | None, *, what: str, now: float
) -> str | None:
    """Return why a header opens nothing, or None where by one of the tokens it opens `what`."""
    parts = (header or "").split(" ")
    # What is no UTF-8 comes as surrogates, which no digest can be made of.
    if len(parts) != 4 or parts[0] != _SCHEME or not parts[1].isascii() or not parts[3].isascii():
        return "a peer's capability is needed"
    _, node, expiry, mac = parts
    if not expiry.isascii() or not expiry.isdecimal() or len(expiry) > 12:
        return "the capability's expiry is no time"
    macs = [_mac(token, what, node, int(expiry)).encode() for token in tokens]
    if not any(hmac.compare_digest(right, mac.encode()) for right in macs):
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
