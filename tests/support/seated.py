"""Where the engines of a cluster are, for tests of the controller."""

from llmaz.controller.seats import Seat
from llmaz.controller.snapshot import ClusterSnapshot


def seats_by_engine(snapshot: ClusterSnapshot) -> dict[str, Seat]:
    """Return the seats of all nodes by engine, each once: where it is ready, else on the first."""
    found: dict[str, Seat] = {}
    for name in sorted(snapshot.seats):
        for seat in snapshot.seats[name]:
            known = found.get(seat.engine.id)
            if known is None or (seat.is_ready and not known.is_ready):
                found[seat.engine.id] = seat
    return found
