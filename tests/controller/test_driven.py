"""Histories of replicas that are driven away and have to go elsewhere, or nowhere.

Each was found by chance. It is gone through with the seed by which it broke a rule.
"""

from support.simulator.history import Step, broken


def test_a_group_that_is_driven_away_to_nowhere_makes_way_for_who_is_more_important() -> None:
    steps = [
        Step("join", ("n0", 2)),
        Step("offer", ("m2", "v1")),
        Step("provide", ("v1",)),
        Step("join", ("n1", 2)),
        Step("serve", ("p3", 3)),
        Step("offer", ("m0", "v1")),
        Step("serve", ("p2", 1)),
        Step("drain", ("n0", True)),
        Step("place", ("p2", "high")),
    ]
    assert broken(610227, steps) is None


def test_two_groups_that_leave_a_node_do_not_wait_for_each_others_accelerators() -> None:
    steps = [
        Step("offer", ("m2", "v1")),
        Step("serve", ("p3", 2)),
        Step("join", ("n0", 2)),
        Step("provide", ("v1",)),
        Step("join", ("n1", 2)),
        Step("calm"),
        Step("taint", ("n1", "NoExecute")),
        Step("join", ("n3", 2)),
    ]
    assert broken(1007895, steps) is None


def test_workers_without_a_leader_keep_nothing_that_others_wait_for() -> None:
    steps = [
        *(Step("provide", ("v1",)), Step("join", ("n0", 2)), Step("offer", ("m0", "v1"))),
        *(Step("offer", ("m2", "v1")), Step("offer", ("m1", "v1")), Step("serve", ("p1", 2))),
        *(Step("join", ("n1", 4)), Step("place", ("p1", "high")), Step("calm")),
        *(Step("serve", ("p3", 2)), Step("deafen", (1,)), Step("join", ("n2", 4))),
        *(Step("rest", ("p0",)), Step("cut", (3,)), Step("rival", (None,))),
        *(Step("serve", ("p1", 3)), Step("lapse", ("n0", 30)), Step("serve", ("p2", 1))),
        *(Step("sicken", ("n1", False)), Step("lose_device", ("n0",))),
        *(Step("sicken", ("n3", False)), Step("surge", ("p1", 1)), Step("serve", ("p3", 1))),
        Step("offer", ("m2", "v2")),
    ]
    assert broken(1006694, steps) is None


def test_a_replica_leaves_a_sick_accelerator_even_where_none_may_be_missing() -> None:
    steps = [
        *(Step("provide", ("v1",)), Step("join", ("n0", 2)), Step("offer", ("m2", "v1"))),
        *(Step("offer", ("m1", "v1")), Step("serve", ("p1", 2)), Step("join", ("n1", 4))),
        *(Step("place", ("p1", "high")), Step("calm"), Step("serve", ("p3", 2))),
        *(Step("join", ("n2", 4)), Step("rival", (None,)), Step("serve", ("p1", 3))),
        *(Step("sicken", ("n1", False)), Step("surge", ("p1", 1)), Step("leave", ("n0",))),
    ]
    assert broken(1006694, steps) is None


def test_what_a_group_without_its_leader_has_left_is_given_up_when_it_moves() -> None:
    steps = [
        *(Step("provide", ("v1",)), Step("join", ("n1", 4)), Step("join", ("n0", 2))),
        *(Step("serve", ("p3", 2)), Step("offer", ("m2", "v1")), Step("share", ("lab", 4, 4))),
        *(Step("silence", ("n0", False)), Step("join", ("n2", 1)), Step("calm")),
        Step("drain", ("n1", True)),
    ]
    assert broken(2047969, steps) is None
