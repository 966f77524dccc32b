"""How many connections to use, and how long to wait after which error. Pure.

One connection seldom fills a long wire, and many anger a server and cost a twentieth more processor
time: the number doubles while that brings more bytes, and is halved when the server asks for fewer
requests.
"""

from dataclasses import dataclass, replace

FIRST_CONNECTIONS = 2
MOST_CONNECTIONS = 16
WORTHWHILE = 1.1  # how much faster it must get for twice as many to stay
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
LONGEST_RETRY_AFTER_SECONDS = 120.0  # a server that asks for more is left until the next attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How many connections are in use, and what the number was judged by.

    least: how many there are unless the server asks for fewer requests
    """

    connections: int = FIRST_CONNECTIONS
    least: int = FIRST_CONNECTIONS
    best_rate: float = 0.0  # bytes a second, with as many connections as now or fewer
    settled: bool = False


def paced(pace: Pace, *, rate: float, refusals: int) -> Pace:
    """Return the next pace after a period of `rate` bytes a second with so many refusals."""
    if refusals:
        fewer = max(1, pace.connections // 2)
        return replace(pace, connections=fewer, best_rate=rate, settled=True)
    if pace.settled:
        return pace
    if rate < pace.best_rate * WORTHWHILE:
        fewer = max(pace.least, pace.connections // 2)
        return replace(pace, connections=fewer, settled=True)
    more = min(MOST_CONNECTIONS, pace.connections * 2)
    return replace(pace, connections=more, best_rate=rate, settled=more == pace.connections)


def wait_after(failures: int, asked: float | None, jitter: float) -> float:
    """Return the seconds until the next try; `jitter` is in 0 to 1 and spreads the nodes."""
    if asked is not None:
        return asked * (1 + 0.1 * jitter)
    wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** (failures - 1))
    return wait * (0.5 + jitter / 2)
