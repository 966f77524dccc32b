"""A port for programs that must be told one.

It is below those that the kernel gives to connections, and claimed until this process ends: what is
told a port may listen there late, or end and be started again with the same one.
"""

from llmaz.daemon.ports import PortClaim, at_random, claim_first

BAND = range(30000, 32700)  # above the ports of engines, and those at which groups meet
_CLAIMS: list[PortClaim] = []


def free_port() -> int:
    """Return a port that nobody has, nor is given, while this process lives."""
    claimed = claim_first(at_random(BAND))
    assert claimed is not None, f"no port from {BAND.start} to {BAND.stop - 1} is free"
    _CLAIMS.append(claimed)
    return claimed.port
