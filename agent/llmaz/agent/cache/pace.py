"""How fast a fetch goes and when it will be done, from what it tells of itself. Pure."""

from dataclasses import dataclass

WINDOW_SECONDS = 10.0  # long enough to be calm, short enough to see a link that slows down
SHORTEST_SECONDS = 2.0  # of which a rate is told: before, a first small file is all that came
LONGEST_SECONDS_LEFT = 7 * 24 * 3600  # beyond, the link stands as good as still


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
        """Return the rate; None before it has been looked at for long enough."""
        if not self.seen:
            return None
        (begun, first), (ended, last) = self.seen[0], self.seen[-1]
        return int((last - first) / (ended - begun)) if ended - begun >= SHORTEST_SECONDS else None

    def seconds_left(self, rest: int) -> int | None:
        """Return how long so many bytes take at this rate; None where nothing moves."""
        rate = self.bytes_per_second()
        seconds = max(0, rest) // rate if rate else None
        return seconds if seconds is not None and seconds <= LONGEST_SECONDS_LEFT else None
