"""Which accelerators of a node are given together."""

import dataclasses
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from llmaz.api.node import Accelerator
from llmaz.controller.devices import nearest
from support.builders import gpu


def linked(*islands: Sequence[int], numa: dict[int, int] | None = None) -> list[Accelerator]:
    """Devices by their indexes; those of an island reach each other by NVLink."""
    found = []
    for island in islands:
        for index in island:
            peers = tuple(str(other) for other in island if other != index)
            one = dataclasses.replace(gpu(str(index), index), peers=peers)
            found.append(dataclasses.replace(one, numa_node=(numa or {}).get(index)))
    return sorted(found, key=lambda one: one.index)


def test_where_nothing_is_known_the_lowest_indexes_are_taken() -> None:
    assert nearest([gpu("a", 0), gpu("b", 1), gpu("c", 2)], 2) == ["a", "b"]


def test_a_pair_is_linked_though_others_have_lower_indexes() -> None:
    assert nearest(linked([0], [1, 3], [2]), 2) == ["1", "3"]


def test_the_smallest_island_that_has_enough_is_taken() -> None:
    devices = linked([0, 1, 2, 3], [4, 5])
    assert nearest(devices, 2) == ["4", "5"]
    assert nearest(devices, 3) == ["0", "1", "2"]
    assert nearest(linked([0, 1, 2, 3], [4]), 1) == ["4"]


def test_where_no_island_has_enough_the_largest_are_taken_together() -> None:
    assert nearest(linked([0], [1, 2, 3], [4, 5], [6]), 5) == ["1", "2", "3", "4", "5"]


def test_of_an_island_those_of_one_processor_are_taken() -> None:
    numa = {0: 0, 1: 0, 2: 0, 3: 1, 4: 1}
    assert nearest(linked([0, 1, 2, 3, 4], numa=numa), 2) == ["3", "4"]
    assert nearest(linked([0, 1, 2, 3, 4], numa=numa), 4) == ["0", "1", "2", "3"]


def test_without_any_link_those_of_one_processor_are_taken() -> None:
    numa = {0: 0, 1: 0, 2: 0, 3: 1, 4: 1}
    assert nearest(linked([1], [2], [3], numa=numa), 2) == ["1", "2"]
    assert nearest(linked([0], [3], [4], numa=numa), 2) == ["3", "4"]
    assert nearest(linked([0], [1], [2], [3], [4], numa=numa), 2) == ["3", "4"]
    assert nearest(linked([0], [1], [3], [4], numa=numa), 3) == ["0", "1", "3"]


@given(
    cuts=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    numa=st.dictionaries(st.integers(0, 15), st.integers(0, 1)),
    count=st.integers(0, 16),
)
def test_as_many_are_chosen_as_are_asked_for_each_once(
    cuts: list[int], numa: dict[int, int], count: int
) -> None:
    islands, first = [], 0
    for size in cuts:
        islands.append(range(first, first + size))
        first += size
    devices = linked(*islands, numa=numa)
    chosen = nearest(devices, count)
    assert len(chosen) == len(set(chosen)) == min(count, len(devices))
    assert chosen == nearest(devices, count)
