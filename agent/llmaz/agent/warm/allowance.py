"""How much of the memory reading ahead may use. Pure."""

from dataclasses import dataclass

LEFT_FREE = 0.15  # of the machine, and of the engine's own limit: what else runs needs some


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What there is, in bytes.

    available: what the kernel could give without swapping; what was read ahead counts as such
    limit: of the cgroup that the pages are charged to; None: it has none
    used: what is charged to it already
    """

    total: int
    available: int
    limit: int | None = None
    used: int = 0


def allowed(memory: Memory, *, read: int) -> int:
    """Return how many more bytes may be read, after `read` of them: 0 or less is to stop.

    A page that was read is given back by the kernel when somebody wants it, but an engine which
    had to fetch its own pages again, since others were read in their place, would have lost.
    """
    spare = memory.available - int(memory.total * LEFT_FREE) - read
    if memory.limit is not None:
        spare = min(spare, int(memory.limit * (1 - LEFT_FREE)) - memory.used)
    return spare
