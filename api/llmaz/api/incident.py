"""What an agent had to do to an engine, and what no phase of the engine tells."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Incident(StrEnum):
    """What was done."""

    ORPHAN_REAPED = "OrphanReaped"  # processes that nobody watched over any more were ended
    DRAIN_TIMED_OUT = "DrainTimedOut"  # it was asked to end with requests under way


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineIncident:
    """One of them.

    id: the engine
    reason: OrphanReaped or DrainTimedOut
    message: what was done, in words that follow the engine's id
    at: when
    """

    id: str
    reason: Incident
    message: str
    at: datetime
