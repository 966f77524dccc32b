"""Spreading replicas: over zones, then over the nodes of each, so that few go at once."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from llmaz.controller.ledger import Ledger
from llmaz.controller.peers import ZONE

_Node = tuple[int, int, str]  # replicas of the Service, place in the usual order, name


def spread(fitting: Iterable[Ledger], own: Mapping[str, int]) -> Iterator[Ledger]:
    """Yield the node for one more replica each time; `own` are those that its nodes have already.

    The zone with the fewest comes first, and of its nodes the one with the fewest; of equals the
    usual order counts. A node that gets none has no more room, and does not come again.
    """
    nodes = {ledger.view.name: ledger for ledger in fitting}
    zones: dict[str, list[_Node]] = {}
    counts: Counter[str] = Counter()
    for order, (name, ledger) in enumerate(nodes.items()):
        zone = ledger.view.labels.get(ZONE, "")
        zones.setdefault(zone, []).append((own.get(name, 0), order, name))
        counts[zone] += own.get(name, 0)
    for heap in zones.values():
        heapq.heapify(heap)
    while zones:
        zone = min(zones, key=lambda zone: (counts[zone], zone))
        count, order, name = heapq.heappop(zones[zone])
        before = nodes[name].engines
        yield nodes[name]
        if nodes[name].engines > before:
            heapq.heappush(zones[zone], (count + 1, order, name))
            counts[zone] += 1
        if not zones[zone]:
            del zones[zone]
