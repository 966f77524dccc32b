"""Fleets in one process: how much comes from outside, and how close to the bound all are done."""

import random

import pytest

from support.swarms import Simulation

MIB = 2**20
SIZE = 128 * MIB


def _fleet(count: int, *, origin: float = 40 * MIB) -> Simulation:
    simulation = Simulation(SIZE, origin)
    for number in range(count):
        simulation.add(f"node-{number}", 80 * MIB)
    return simulation


@pytest.mark.parametrize(("count", "ratio"), [(1, 1.1), (2, 1.25), (4, 1.25), (8, 1.25), (16, 1.5)])
def test_every_byte_comes_from_outside_once_and_in_time(count: int, ratio: float) -> None:
    simulation = _fleet(count)
    simulation.run()
    assert simulation.origin_bytes <= 1.01 * SIZE
    assert simulation.seconds <= ratio * SIZE / simulation.origin_speed


@pytest.mark.parametrize("victim", range(8))
def test_any_node_may_die_in_the_middle(victim: int) -> None:
    simulation = _fleet(8)
    simulation.kill(f"node-{victim}", when=1.5)
    simulation.run()
    lost = SIZE / 8  # what only the dead one may have held
    assert simulation.origin_bytes <= 1.05 * SIZE + lost
    assert simulation.seconds <= 1.25 * SIZE / simulation.origin_speed + 5


def test_a_slow_node_holds_up_nobody() -> None:
    simulation = _fleet(7)
    simulation.add("slow", 0.8 * MIB)
    simulation.run(until=60)
    others = [n.done_at for n in simulation.nodes.values() if n.member.name != "slow"]
    assert all(at is not None and at < 12 for at in others)  # 3.2 s without it
    assert simulation.origin_bytes <= 1.05 * SIZE


def test_a_liar_is_found_and_everybody_else_is_done() -> None:
    simulation = _fleet(7)
    simulation.add("liar", 80 * MIB, lies=True)
    simulation.run()
    assert simulation.bans == {"liar"}
    assert simulation.seconds < 30


def test_who_comes_late_takes_nothing_from_outside() -> None:
    simulation = _fleet(4)
    simulation.add("late", 80 * MIB, begins=2.0)
    simulation.add("last", 80 * MIB, begins=30.0)
    simulation.run()
    assert simulation.origin_bytes <= 1.02 * SIZE


def test_two_halves_that_do_not_see_each_other_take_twice_at_most() -> None:
    simulation = _fleet(8)
    simulation.part({f"node-{n}" for n in range(4)}, 0.2, 100.0)
    simulation.run()
    assert simulation.origin_bytes <= 2.05 * SIZE


@pytest.mark.parametrize(("zones", "racks"), [(2, 1), (1, 2), (2, 2), (4, 2)])
def test_a_stripe_enters_a_zone_and_a_rack_once(zones: int, racks: int) -> None:
    simulation = Simulation(SIZE, 40 * MIB)
    for number in range(16):
        zone, rack = number % zones, number // zones % racks
        simulation.add(f"node-{number}", 80 * MIB, zone=f"zone-{zone}", rack=f"rack-{rack}")
    simulation.run()
    assert simulation.origin_bytes <= 1.01 * SIZE
    assert simulation.cross_zone_bytes <= 1.02 * (zones - 1) * SIZE
    assert simulation.cross_rack_bytes <= 1.02 * zones * (racks - 1) * SIZE
    assert simulation.seconds <= 1.25 * SIZE / simulation.origin_speed


def test_who_brings_chunks_over_a_border_is_waited_for_while_it_goes_on() -> None:
    """Links slower than the origin: all that is held waits for long, though nobody is gone."""
    size = SIZE * 3 // 4
    simulation, chance = Simulation(size, 5 * MIB), random.Random(0)
    for number in range(8):
        simulation.add(f"node-{number}", chance.uniform(1, 3) * MIB, zone=f"zone-{number % 2}")
    simulation.run(until=3000)
    assert simulation.origin_bytes <= 1.03 * size
    assert simulation.cross_zone_bytes <= 2 * size  # 3.5 where the clock alone is asked
    assert simulation.seconds <= 70


def test_nodes_together_fill_a_wire_whose_connections_are_limited_each() -> None:
    simulation = Simulation(SIZE, 40 * MIB, connection_speed=5 * MIB)
    for number in range(4):
        simulation.add(f"node-{number}", 40 * MIB)
    simulation.run()
    assert simulation.origin_bytes <= 1.01 * SIZE
    assert simulation.seconds <= 1.2 * SIZE / simulation.origin_speed


_QUICK, _ALL = range(6), range(60)


@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=() if n in _QUICK else pytest.mark.slow) for n in _ALL]
)
def test_whoever_dies_lies_is_slow_or_comes_late_all_others_are_done(seed: int) -> None:
    chance, size = random.Random(seed), SIZE // 2
    simulation = Simulation(size, chance.uniform(20, 80) * MIB, seed=seed)
    count, zones = chance.randint(6, 16), chance.randint(1, 3)
    for number in range(count):
        begins = chance.choice((0.0, 0.0, 0.0, chance.uniform(0, 4)))
        zone = f"zone-{chance.randrange(zones)}"
        simulation.add(f"node-{number}", 80 * MIB, zone=zone, begins=begins)
    simulation.add("slow", chance.uniform(1, 20) * MIB, zone="zone-0")
    liar = simulation.add("liar", 80 * MIB, zone="zone-0", lies=True)
    dying = simulation.nodes[f"node-{chance.randrange(count)}"]
    simulation.kill(dying.member.name, when=dying.begins + chance.uniform(0.1, 3))
    simulation.run(until=1000)
    assert simulation.seconds < 1000
    assert simulation.bans == {"liar"}
    helped_nobody = dying.from_origin + liar.from_origin
    assert simulation.origin_bytes <= 1.05 * size + helped_nobody
