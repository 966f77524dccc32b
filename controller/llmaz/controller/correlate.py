"""Which events are recorded, and under which message: few of them may come of one object at once.

The rules are those of Kubernetes' own components: after ten different messages of one reason within
ten minutes the next ones count up one Event, and of one object there are 25 at once, then one every
five minutes. Warnings have an allowance of their own: the start of many replicas silences none of
them. What is left out here stands in the log all the same.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TypeVar

from llmaz.controller.actions import RecordEvent

MOST_ALIKE = 10
ALIKE_SECONDS = 600.0
BURST = 25
REFILL_SECONDS = 300.0
_MOST_KNOWN = 4096  # objects and reasons that are remembered
_K = TypeVar("_K")
_V = TypeVar("_V")
_COMBINED = "(combined from similar events) "


@dataclass(slots=True)
class _Alike:
    since: float
    messages: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Allowance:
    at: float
    left: float = BURST


class Correlator:
    """What was recorded of late."""

    def __init__(self) -> None:
        self._alike: OrderedDict[tuple[str, str, str], _Alike] = OrderedDict()
        self._allowances: OrderedDict[tuple[str, str], _Allowance] = OrderedDict()

    def judge(self, event: RecordEvent, now: float) -> tuple[str, str] | None:
        """Return the key that tells the Event from others, and its message; None to leave it out.

        `now` is in seconds, of any clock that never goes back.
        """
        if not self._is_allowed((event.uid, event.type), now):
            return None
        about = (event.uid, event.type, event.reason)
        alike = self._alike.pop(about, None)
        if alike is None or now - alike.since > ALIKE_SECONDS:
            alike = _Alike(now)
        self._alike[about] = alike
        _bound(self._alike)
        if event.message not in alike.messages and len(alike.messages) >= MOST_ALIKE:
            return " ".join((*about, _COMBINED)), _COMBINED + event.message
        alike.messages.add(event.message)
        return f"{event.uid} {event.reason} {event.message}", event.message

    def _is_allowed(self, of: tuple[str, str], now: float) -> bool:
        found = self._allowances.pop(of, None) or _Allowance(now)
        found.left = min(BURST, found.left + (now - found.at) / REFILL_SECONDS)
        found.at = now
        self._allowances[of] = found
        _bound(self._allowances)
        if found.left < 1:
            return False
        found.left -= 1
        return True


def _bound(known: "OrderedDict[_K, _V]") -> None:
    """Forget who was not heard of for longest."""
    while len(known) > _MOST_KNOWN:
        known.popitem(last=False)
