"""Machines of several prices and with notices, taints that are tolerated, and kinds of machines."""

import dataclasses

import pytest

from llmaz.api.placement import Capacity, Toleration
from llmaz.controller.leaving import capacity_type, leaving, tolerates
from llmaz.controller.snapshot import KubeNode, Taint
from support.builders import flavor, model, node, playground, runtime
from support.controlling import World
from support.placing import placed_as, sentence

KARPENTER = "karpenter.sh/capacity-type"


def fleet(**kinds: str) -> World:
    """A node of one accelerator for each name, of this capacity type."""
    world = World().add(model("qwen", flavor("a10")), runtime())
    for name, kind in kinds.items():
        world.add(node(name, 2))
        world.kube_nodes[name] = KubeNode(name=name, labels={KARPENTER: kind} if kind else {})
    return world


def places(world: World) -> dict[str, str]:
    return {id_.removeprefix("default/"): where for id_, (where, _) in world.engines().items()}


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ({}, "on-demand"),
        ({KARPENTER: "reserved"}, "reserved"),
        ({"eks.amazonaws.com/capacityType": "SPOT"}, "spot"),
        ({"cloud.google.com/gke-spot": "true"}, "spot"),
        ({"kubernetes.azure.com/scalesetpriority": "spot"}, "spot"),
    ],
)
def test_each_cloud_says_in_its_own_words_what_a_machine_costs(
    labels: dict[str, str], kind: str
) -> None:
    assert capacity_type(labels) == kind


def test_a_notice_is_urgent_and_a_drain_is_not() -> None:
    assert leaving(KubeNode(name="n")) is None
    drained = leaving(KubeNode(name="n", annotations={"llmaz.io/drain": "true"}))
    assert drained is not None
    assert (drained.words, drained.is_urgent) == ("is drained", False)
    key = "cloud.google.com/impending-node-termination"
    notice = leaving(KubeNode(name="n", taints=(Taint(key=key, effect="NoSchedule"),)))
    assert notice is not None
    assert notice.is_urgent
    assert leaving(KubeNode(name="n", annotations={"llmaz.io/drain": "false"})) is None


@pytest.mark.parametrize(
    ("toleration", "suits"),
    [
        (Toleration(operator="Exists"), True),
        (Toleration(key="k", operator="Exists", effect="NoExecute"), False),
        (Toleration(key="k", value="v"), True),
        (Toleration(key="k", value="w"), False),
        (Toleration(value="v"), False),
    ],
)
def test_a_toleration_suits_a_taint_as_for_pods(toleration: Toleration, suits: bool) -> None:
    assert tolerates([toleration], Taint(key="k", value="v", effect="NoSchedule")) is suits


def test_a_base_runs_on_machines_that_stay_and_the_rest_on_spot() -> None:
    world = fleet(spot="spot", steady="on-demand")
    world.add(placed_as("chat", "qwen", 3, capacity=Capacity(base=1)))
    world.settle()
    assert places(world) == {"chat-0": "steady", "chat-1": "spot", "chat-2": "spot"}


def test_what_finds_no_spot_machine_goes_to_any_if_it_may() -> None:
    world = fleet(spot="spot", steady="").add(
        placed_as("chat", "qwen", 4, capacity=Capacity(base=1))
    )
    world.settle()
    assert places(world)["chat-3"] == "steady"
    world = fleet(steady="").add(
        placed_as("chat", "qwen", 2, capacity=Capacity(base=1, spill=False))
    )
    world.settle()
    assert places(world) == {"chat-0": "steady"}
    assert "a10 on spot nodes: 0 of 1 nodes fit: none is spot" in sentence(world)


def test_a_base_never_runs_on_spot() -> None:
    world = fleet(spot="spot").add(placed_as("chat", "qwen", 1, capacity=Capacity(base=1)))
    world.settle()
    assert places(world) == {}
    assert sentence(world) == "a10 on on-demand nodes: 0 of 1 nodes fit: none is on-demand"


def test_what_is_tolerated_keeps_nothing_off() -> None:
    world = fleet(n1="")
    taint = Taint(key="team", value="a", effect="NoExecute")
    world.kube_nodes["n1"] = dataclasses.replace(world.kube_nodes["n1"], taints=(taint,))
    mine = Toleration(key="team", value="a")
    world.add(placed_as("mine", "qwen", tolerations=(mine,)), playground("other", "qwen"))
    world.settle()
    assert places(world) == {"mine-0": "n1"}
    assert "n1 is tainted team=a:NoExecute" in sentence(world, "other")


def test_a_flavor_may_name_its_kind_of_machine() -> None:
    kind = {"node.kubernetes.io/instance-type": "p5.48xlarge"}
    wanted = dataclasses.replace(flavor("h100"), params={"INSTANCE-TYPE": "p5.48xlarge"})
    world = fleet(n1="", n2="").add(model("qwen", wanted), playground("chat", "qwen"))
    world.settle()
    assert sentence(world) == (
        "h100: 0 of 2 nodes fit: none is labelled node.kubernetes.io/instance-type=p5.48xlarge"
    )
    world.kube_nodes["n2"] = KubeNode(name="n2", labels=kind)
    world.settle()
    assert places(world) == {"chat-0": "n2"}
