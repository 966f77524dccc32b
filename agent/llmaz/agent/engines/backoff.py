"""How long to wait before an engine that failed is started again.

The wait depends on the count of failures and the engine's name alone, so that an agent that was
restarted arrives at the same moment again: nothing of it needs to be kept but the count.
"""

import zlib
from datetime import datetime, timedelta

FIRST_SECONDS = 0.25  # what served until now shall serve again: most crashes do not come twice
SECOND_SECONDS = 2.0
CAP_SECONDS = 60.0
JITTER = 0.2  # engines that fail together (a lost disk) shall not come back together
CRASH_LOOP = 5  # failures in a row after which the user is told that waiting won't help
CRASH_LOOP_SECONDS = 300.0  # as a kubelet's cap
HEALTHY_SECONDS = 600.0  # an engine that was ready for so long starts counting anew


def delay(engine_id: str, failures: int) -> float:
    """Return the seconds to wait after the `failures`-th failure in a row."""
    if failures < 1:
        return 0.0
    if failures >= CRASH_LOOP:
        return CRASH_LOOP_SECONDS * _jitter(engine_id, failures)
    grown = SECOND_SECONDS * 2.0 ** (failures - 2) if failures > 1 else FIRST_SECONDS
    return min(CAP_SECONDS, grown) * _jitter(engine_id, failures)


def failures_after(
    failures: int, *, failed: bool, ready_at: datetime | None, ended_at: datetime
) -> int:
    """Count an end of an engine; one that was asked for or was long healthy starts anew."""
    if not failed:
        return 0
    healthy = timedelta(seconds=HEALTHY_SECONDS)
    if ready_at is not None and ended_at - ready_at >= healthy:
        return 1
    return failures + 1


def _jitter(engine_id: str, failures: int) -> float:
    spread = zlib.crc32(f"{engine_id} {failures}".encode()) / 0xFFFFFFFF
    return 1 - JITTER + 2 * JITTER * spread
