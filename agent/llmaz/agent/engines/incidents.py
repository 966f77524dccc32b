"""What the agent had to do to engines that none of their phases tells: the last of it."""

import asyncio
import logging
from collections import deque
from datetime import UTC, datetime

from llmaz.agent.engines.stopping import Drained
from llmaz.api.incident import EngineIncident, Incident

logger = logging.getLogger(__name__)

_KEPT = 8  # a status is no journal: who watches it hears of each as it comes


UNRECORDED = "ran, and nothing on the node said what it was for: it was ended"


def reaped(count: int) -> str:
    """Say what was found after a shim had been killed."""
    return f"its shim was killed, and {count} processes that it left behind were ended"


def unfinished(drained: Drained) -> str:
    """Say what a drain came to that took as long as it may."""
    return (
        f"{drained.unfinished} requests were not finished when the time to drain was over; it has "
        f"{drained.seconds_left:.0f} s more to end by itself, and is killed then"
    )


class Incidents:
    """The last of them since the agent began, the newest at the end."""

    def __init__(self, changed: asyncio.Event) -> None:
        self._changed = changed
        self._last: deque[EngineIncident] = deque(maxlen=_KEPT)

    def note(self, engine_id: str, reason: Incident, message: str) -> None:
        """Keep one and have it reported."""
        logger.warning("engine %s: %s: %s", engine_id, reason, message)
        at = datetime.now(UTC).replace(microsecond=0)
        self._last.append(EngineIncident(id=engine_id, reason=reason, message=message, at=at))
        self._changed.set()

    def last(self) -> tuple[EngineIncident, ...]:
        return tuple(self._last)
