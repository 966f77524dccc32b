"""Histories that random ones have found, in their fewest steps: each was a mistake once."""

from typing import Any

from support.simulator.history import Step, broken


def breaks(seed: int, *steps: tuple[Any, ...]) -> str | None:
    """Return the rule that a history breaks; a step is its name and what was drawn for it."""
    return broken(seed, [Step(what, tuple(args)) for what, *args in steps])


def test_a_group_that_is_driven_away_comes_before_who_waits_for_what_it_gives_up() -> None:
    """Its leader ends first, and for so long half of its place is nobody's."""
    assert not breaks(
        1012414,
        ("serve", "p3", 1),
        ("provide", "v1"),
        ("offer", "m1", "v1"),
        ("join", "n0", 2),
        ("offer", "m0", "v1"),
        ("offer", "m2", "v1"),
        ("join", "n1", 2),
        ("serve", "p0", 1),
        ("join", "n3", 4),
        ("calm",),
        ("drain", "n1", True),
    )


def test_a_group_that_is_driven_away_keeps_its_part_of_the_tenants_limit() -> None:
    assert not breaks(
        1013808,
        ("offer", "m2", "v1"),
        ("join", "n0", 2),
        ("provide", "v1"),
        ("join", "n1", 4),
        ("serve", "p3", 3),
        ("offer", "m1", "v1"),
        ("serve", "p2", 2),
        ("offer", "m0", "v1"),
        ("share", "default", 0, 2),
        ("share", "lab", 2, 2),
        ("share", "lab", 4, 2),
        ("calm",),
        ("join", "n3", 1),
        ("taint", "n1", "NoExecute"),
    )


def test_a_group_whose_leader_has_made_way_goes_on_making_way() -> None:
    """What was left of it used up the tenant's limit, and it began again in the same place."""
    assert not breaks(
        1014980,
        ("join", "n1", 1),
        ("provide", "v1"),
        ("offer", "m0", "v1"),
        ("serve", "p3", 2),
        ("offer", "m2", "v1"),
        ("join", "n0", 2),
        ("serve", "p2", 2),
        ("place", "p2", "spot"),
        ("rest", "p3"),
        ("share", "lab", 2, 2),
        ("pass_time", 1),
        ("place", "p3", "low"),
    )


def test_a_replica_on_a_sick_accelerator_and_its_sibling_do_not_wait_for_each_other() -> None:
    """The sibling was given what it still had, and it was to go when the sibling serves."""
    assert not breaks(
        1030916,
        ("serve", "p0", 1),
        ("provide", "v1"),
        ("join", "n1", 4),
        ("offer", "m2", "v1"),
        ("serve", "p3", 2),
        ("offer", "m0", "v1"),
        ("offer", "m1", "v1"),
        ("join", "n0", 2),
        ("withdraw", "p2"),
        ("sicken", "n1", False),
        ("join", "n2", 4),
    )


def test_a_group_that_nobody_wants_any_more_counts_until_its_workers_have_ended() -> None:
    assert not breaks(
        1038875,
        ("provide", "v1"),
        ("offer", "m0", "v1"),
        ("join", "n0", 2),
        ("offer", "m1", "v1"),
        ("serve", "p3", 1),
        ("offer", "m2", "v1"),
        ("join", "n1", 2),
        ("serve", "p2", 3),
        ("place", "p3", "spot"),
        ("share", "lab", 2, 2),
        ("calm",),
        ("lapse", "n0", 30),
        ("serve", "p3", 0),
        ("calm",),
    )


def test_what_serves_on_a_drained_node_goes_on_when_its_flavor_is_taken_away() -> None:
    assert not breaks(
        1051775,
        ("offer", "m2", "v1"),
        ("join", "n1", 1),
        ("serve", "p0", 3),
        ("serve", "p2", 3),
        ("join", "n0", 2),
        ("offer", "m0", "v1"),
        ("provide", "v1"),
        ("place", "p2", "spread"),
        ("calm",),
        ("drain", "n3", False),
        ("restart",),
        ("pass_time", 400),
        ("offer", "m2", "v1"),
        ("serve", "p3", 1),
        ("lapse", "n2", 60),
        ("restart_blind", 1),
        ("offer", "m0", "v2"),
        ("restart",),
        ("drain", "n1", True),
        ("offer", "m1", "v2"),
        ("drain", "n0", True),
        ("taint", "n0", "NoSchedule"),
        ("fail", 0),
        ("offer", "m0", "last flavor only"),
    )


def test_a_replica_on_a_sick_accelerator_makes_way_for_who_is_more_important() -> None:
    """Its room was kept, and nobody could take it while it had found no other."""
    assert not breaks(
        1211032,
        ("offer", "m1", "v1"),
        ("offer", "m2", "v1"),
        ("provide", "v1"),
        ("serve", "p1", 1),
        ("serve", "p3", 1),
        ("join", "n0", 2),
        ("join", "n1", 4),
        ("sicken", "n1", False),
        ("place", "p3", "low"),
        ("serve", "p1", 2),
    )


def test_who_serves_beside_a_lost_device_does_not_wait_for_whom_it_keeps_waiting() -> None:
    """A sibling was to have what it gives up, and it waited for that sibling to be ready."""
    assert not breaks(
        3053687,
        ("serve", "p1", 1),
        ("join", "n1", 4),
        ("offer", "m1", "v1"),
        ("join", "n0", 2),
        ("provide", "v1"),
        ("offer", "m0", "v1"),
        ("serve", "p3", 2),
        ("offer", "m2", "v1"),
        ("place", "p3", "high"),
        ("deafen", 2),
        ("lose_device", "n1"),
        ("serve", "p2", 3),
    )
    assert not breaks(
        3058904,
        ("serve", "p3", 3),
        ("serve", "p0", 1),
        ("offer", "m2", "v1"),
        ("provide", "v1"),
        ("join", "n1", 4),
        ("join", "n0", 2),
        ("offer", "m0", "v1"),
        ("place", "p0", "low"),
        ("calm",),
        ("cut", 3),
        ("rest", "p2"),
        ("sicken", "n1", False),
        ("edit", "p0", "--x"),
        ("join", "n2", 1),
        ("lose_device", "n2"),
    )


def test_one_replica_rests_at_zero_also_where_an_update_was_going_on() -> None:
    """The one in excess rested beside it: the update waited for somebody to be ready."""
    assert not breaks(
        4090321,
        ("serve", "p3", 2),
        ("offer", "m2", "v1"),
        ("join", "n1", 4),
        ("offer", "m1", "v1"),
        ("serve", "p1", 2),
        ("provide", "v1"),
        ("offer", "m0", "v1"),
        ("join", "n0", 2),
        ("place", "p1", "anywhere"),
        ("rest", "p1"),
        ("rest", "p3"),
        ("share", "default", 2, 2),
        ("calm",),
        ("leave", "n2"),
        ("deafen", 2),
        ("taint", "n3", "NoExecute"),
        ("crash", "n1"),
        ("deafen", 2),
        ("silence", "n0", False),
        ("serve", "p3", 0),
        ("surge", "p1", 1),
        ("rest", "p1"),
        ("rival", None),
        ("join", "n2", 0),
        ("surge", "p0", 1),
    )
