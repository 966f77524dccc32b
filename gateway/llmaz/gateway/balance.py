"""Which of the ready engines gets the next request: the one with the fewest under way."""

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from llmaz.gateway.routes import Endpoint


class Outstanding:
    """Counts the requests under way to each endpoint."""

    def __init__(self) -> None:
        self._under_way: Counter[Endpoint] = Counter()
        self._picks = 0
        self._picked_at: dict[Endpoint, int] = {}

    def pick(self, endpoints: Collection[Endpoint]) -> Endpoint:
        """Return the endpoint with the fewest requests; of equals, the one picked longest ago."""
        self._picks += 1
        chosen = min(
            endpoints, key=lambda one: (self._under_way[one], self._picked_at.get(one, 0), one)
        )
        self._picked_at[chosen] = self._picks
        return chosen

    @contextmanager
    def request(self, endpoint: Endpoint) -> Iterator[None]:
        """Count one request for as long as the block lasts."""
        self._under_way[endpoint] += 1
        try:
            yield
        finally:
            self._under_way[endpoint] -= 1

    def forget_all_but(self, endpoints: Collection[Endpoint]) -> None:
        """Drop what is known of endpoints that are gone and have nothing under way."""
        for gone in self._picked_at.keys() - set(endpoints):
            if not self._under_way[gone]:
                del self._picked_at[gone]
                del self._under_way[gone]
