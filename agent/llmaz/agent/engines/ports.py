"""Ports of engines: leased from a band below the kernel's ephemeral ports, and seen to be free.

An engine keeps its port over restarts of itself and of the agent, which remembers it in the
engine's record. While it has the port no other agent of this machine leases it, though the engine
may still be loading and nobody listen there.
"""

from llmaz.agent.engines.errors import EngineError
from llmaz.daemon.ports import PortClaim, claim, claim_first, is_free

BAND = range(20000, 22000)


class Leases:
    """The ports of one agent's engines."""

    def __init__(self, band: range, *, start_at: int = 0) -> None:
        self._band = band
        self._start_at = start_at
        self._claims: dict[str, PortClaim] = {}

    def adopt(self, engine_id: str, port: int | None) -> None:
        """Take a port that an engine has from a former agent, unless another agent has it too."""
        if port is None or port not in self._band:
            return
        if (claimed := claim(port)) is not None:
            self.release(engine_id)
            self._claims[engine_id] = claimed

    def lease(self, engine_id: str, former: int | None = None) -> int:
        """Return a port that no engine has and nobody listens on: the former one if it is such.

        Without a former one it is never the one that the engine has now, which was no good.
        """
        held = self._claims.get(engine_id)
        if held is not None and held.port == former and is_free(held.port):
            return held.port
        again = [former] if former is not None and former in self._band else []
        start = self._start_at % len(self._band)
        claimed = claim_first((*again, *self._band[start:], *self._band[:start]))
        if claimed is None:
            last = self._band.stop - 1
            raise EngineError(f"no port from {self._band.start} to {last} is free")
        self.release(engine_id)  # not before: it would be found again
        self._claims[engine_id] = claimed
        return claimed.port

    def release(self, engine_id: str) -> None:
        """Leave an engine's port to others."""
        if (held := self._claims.pop(engine_id, None)) is not None:
            held.release()

    def release_all(self) -> None:
        """Leave all ports: the agent ends, and engines that live on listen on theirs."""
        for engine_id in list(self._claims):
            self.release(engine_id)
