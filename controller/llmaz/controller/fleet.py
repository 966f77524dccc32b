"""All nodes while replicas are placed: what is left of each, and in which order they are tried."""

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping

from llmaz.controller.demand import Demand, Needs, Option, Selector
from llmaz.controller.ledger import Ledger
from llmaz.controller.nodes import NodeView

_Resources = tuple[str, ...]


class Fleet:
    """The ledgers of all nodes. It is mutable, and never leaves the placing that it serves.

    Open nodes are kept sorted by how many devices they have free, so that neither the nodes that
    are full nor those behind the one that fits cost anything.
    """

    def __init__(self, views: Mapping[str, NodeView]) -> None:
        self.ledgers = {name: Ledger(view) for name, view in sorted(views.items())}
        self._fullest_first: dict[_Resources, list[tuple[int, str]]] = {}
        self._selected: dict[tuple[Selector, str | None], dict[str, Ledger]] = {}
        self._holders: dict[str, set[str]] = {}
        for view in views.values():
            for model in view.models:
                self._holders.setdefault(model, set()).add(view.name)

    def take(self, name: str, needs: Needs, uuids: tuple[str, ...]) -> None:
        """Give part of a node to an engine."""
        ledger = self.ledgers[name]
        before = self._counts(ledger)
        ledger.take(needs, uuids)
        self._reorder(ledger, before)

    def give_back(self, name: str, needs: Needs, uuids: tuple[str, ...]) -> None:
        """Take back what an engine was given."""
        ledger = self.ledgers[name]
        before = self._counts(ledger)
        ledger.give_back(needs, uuids)
        self._reorder(ledger, before)

    def _counts(self, ledger: Ledger) -> dict[_Resources, int]:
        return {resources: _free(ledger, resources) for resources in self._fullest_first}

    def _reorder(self, ledger: Ledger, before: Mapping[_Resources, int]) -> None:
        name = ledger.view.name
        for resources, count in before.items() if ledger.view.closed is None else ():
            order = self._fullest_first[resources]
            del order[bisect_left(order, (count, name))]
            insort(order, (_free(ledger, resources), name))

    def candidates(self, demand: Demand, option: Option) -> Iterator[Ledger]:
        """Yield the open nodes of a flavor that may have room, the best first.

        Those that have the weights come before the others, then the fullest, then by name.
        """
        resources = tuple(option.needs.devices)
        selected = self.selected(option)
        near = self._near(demand)
        by_room = sorted(
            (_free(selected[name], resources), name) for name in selected.keys() & near
        )
        yield from (selected[name] for _, name in by_room if selected[name].view.closed is None)
        order = self._order(resources)
        enough = bisect_left(order, (sum(option.needs.devices.values()), ""))
        for _, name in order[enough:]:
            if name in selected and name not in near:
                yield selected[name]

    def selected(self, option: Option) -> Mapping[str, Ledger]:
        """Return the nodes, open or not, that have a flavor, in order of their names."""
        key = option.selector, option.capacity
        found = self._selected.get(key)
        if found is None:
            found = {
                name: ledger
                for name, ledger in self.labelled(option).items()
                if option.capacity in (None, ledger.view.capacity_type)
            }
            self._selected[key] = found
        return found

    def labelled(self, option: Option) -> Mapping[str, Ledger]:
        """Return the nodes with the labels of a flavor, whatever they cost."""
        found = self._selected.get((option.selector, None))
        if found is None:
            found = {
                name: ledger
                for name, ledger in self.ledgers.items()
                if all(ledger.view.labels.get(key) == value for key, value in option.selector)
            }
            self._selected[option.selector, None] = found
        return found

    def _near(self, demand: Demand) -> set[str]:
        """Return the nodes that have all weights of a demand."""
        holders = [self._holders.get(model.name, set()) for model in demand.models]
        return set.intersection(*holders) if holders else set()

    def _order(self, resources: _Resources) -> list[tuple[int, str]]:
        order = self._fullest_first.get(resources)
        if order is None:
            open_ledgers = (one for one in self.ledgers.values() if one.view.closed is None)
            order = sorted((_free(ledger, resources), ledger.view.name) for ledger in open_ledgers)
            self._fullest_first[resources] = order
        return order


def _free(ledger: Ledger, resources: _Resources) -> int:
    return sum(len(ledger.free(resource)) for resource in resources)
