"""How fast a fetch goes and when it will be done, from what it tells of itself. Pure."""

from dataclasses import dataclass

WINDOW_SECONDS = 10.0  # long enough to be calm, short enough to see a link that slows down


@dataclass(frozen=True, slots=True)
class Pace:
    """What had come at some moments of the last seconds: (seconds, bytes), oldest first.

    What was on the disk before did not come, and what turns out to be wrong did: of bytes that are
    done, either would make a rate that no link has.
    """

    seen: tuple[tuple[float, int], ...] = ()

    def after(self, now: float, came: int) -> "Pace":
        """Take one more look; a moment before the window stays, to measure over all of it."""
        recent = [at for at, _ in self.seen if at > now - WINDOW_SECONDS]
        kept = self.seen[max(0, len(self.seen) - len(recent) - 1) :]
        if len(kept) > 1 and now - kept[-1][0] < WINDOW_SECONDS / 20:
            kept = kept[:-1]
        return Pace(seen=(*kept, (now, came)))

    def bytes_per_second(self) -> int | None:
        """Return the rate; None before two moments have passed."""
        if len(self.seen) < 2:
            return None
        (begun, first), (ended, last) = self.seen[0], self.seen[-1]
        return int((last - first) / (ended - begun)) if ended > begun else None

    def seconds_left(self, rest: int) -> int | None:
        """Return how long so many bytes take at this rate; None where nothing moves."""
        rate = self.bytes_per_second()
        return max(0, rest) // rate if rate else None
