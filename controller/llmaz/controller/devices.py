"""Which accelerators of a node an engine gets: those that are near each other, and no better ones.

Devices that reach each other by NVLink or XGMI are one island; within it, and where there is none,
those of one NUMA node are nearer. The smallest island that has enough is taken, so that larger ones
stay whole for who needs them. Where nothing is known of it, those with the lowest indexes. Of those
that several engines share, the ones that have the fewest.
"""

from collections.abc import Iterator, Sequence

from llmaz.api.node import Accelerator
from llmaz.controller.demand import Option
from llmaz.controller.ledger import Ledger


def pick(option: Option, ledger: Ledger) -> tuple[str, ...]:
    """Return the accelerators that one engine gets of a node where it fits."""
    chosen: list[str] = []
    for resource, count in option.needs.devices.items():
        fitting = ledger.emptiest(ledger.fitting(resource, option.needs))
        chosen += nearest([ledger.device(uuid) for uuid in fitting], count)
    return tuple(chosen)


def nearest(free: Sequence[Accelerator], count: int) -> list[str]:
    """Return so many of the free accelerators, which are in order of their indexes.

    Of islands that have as many free, the one of the lowest index; where none has enough, the
    largest are taken together, since most of the way is then still short.
    """
    if len(free) <= count or not any(one.peers or one.numa_node is not None for one in free):
        return [one.uuid for one in free[:count]]
    islands = list(_islands(free))
    if len(islands) == len(free):  # none reaches another: their processors alone tell them apart
        islands = [list(free)]
    enough = [island for island in islands if len(island) >= count]
    if not enough:
        largest = sorted(islands, key=lambda island: (-len(island), island[0].index))
        return [one.uuid for island in largest for one in island][:count]
    island = min(enough, key=lambda island: (len(island), island[0].index))
    return [one.uuid for one in _of_one_processor(island, count)]


def _islands(free: Sequence[Accelerator]) -> Iterator[list[Accelerator]]:
    """Yield the free accelerators by what each reaches directly."""
    left = {one.uuid: one for one in free}
    while left:
        first = next(iter(left.values()))
        reached = {first.uuid, *first.peers}
        island = [one for one in left.values() if one.uuid in reached]
        yield island
        for one in island:
            del left[one.uuid]


def _of_one_processor(island: Sequence[Accelerator], count: int) -> Sequence[Accelerator]:
    """Return so many of an island's: of one NUMA node if any has enough, the fullest such."""
    by_node: dict[int, list[Accelerator]] = {}
    for one in island:
        if one.numa_node is not None:
            by_node.setdefault(one.numa_node, []).append(one)
    enough = [found for found in by_node.values() if len(found) >= count]
    best = min(enough, key=lambda found: (len(found), found[0].index), default=island)
    return best[:count]
