"""What a Playground says of its placement, in the words of the stock scheduler."""

import dataclasses
from typing import Any, cast

from llmaz.api.placement import Capacity, Placement, Toleration
from llmaz.controller.actions import Refusal
from llmaz.controller.demand import Demand, demand
from llmaz.controller.slots.attempts import attempts_of
from llmaz.controller.slots.manifest import Place, slot_pod
from llmaz.controller.slots.policy import SlotPolicy
from support.builders import flavor, model, playground, runtime
from support.controlling import World


def asking(placement: Placement) -> Demand:
    world = World().add(model("qwen", flavor("a10")), runtime(), playground("chat", "qwen", 2))
    world.decide()
    service = world.services[("default", "chat")]
    spec = dataclasses.replace(service.spec, placement=placement)
    found = demand(dataclasses.replace(service, spec=spec), world.models, world.runtimes)
    assert not isinstance(found, Refusal)
    return found


def spec_of(asked: Demand, replica: int = 0) -> Any:  # noqa: ANN401  # JSON
    attempt = attempts_of(asked, f"default/chat-{replica}")[0]
    pod = slot_pod(asked, attempt, Place(replica=str(replica)), SlotPolicy())
    return cast("Any", pod)["spec"]


def test_tolerations_are_passed_on() -> None:
    asked = asking(Placement(tolerations=(Toleration(key="spot", operator="Exists"),)))
    assert {"key": "spot", "operator": "Exists"} in spec_of(asked)["tolerations"]


def test_replicas_that_shall_be_apart_are_spread_over_zones_and_nodes() -> None:
    constraints = spec_of(asking(Placement(strategy="spread")))["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in constraints] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    assert "topologySpreadConstraints" not in spec_of(asking(Placement()))


def test_the_base_runs_on_machines_that_are_not_taken_away_and_the_rest_on_spot_ones() -> None:
    asked = asking(Placement(capacity=Capacity(base=1, spill=False)))
    (base,) = terms(spec_of(asked, 0))
    assert {
        "key": "karpenter.sh/capacity-type",
        "operator": "NotIn",
        "values": ["spot", "reserved"],
    } in base
    spot = terms(spec_of(asked, 1))
    assert [{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"]}] in spot


def test_a_replica_that_may_spill_over_prefers_spot_and_takes_any() -> None:
    spec = spec_of(asking(Placement(capacity=Capacity(base=0))), 1)
    preferred = spec.get("affinity", {}).get("nodeAffinity", {})
    assert "requiredDuringSchedulingIgnoredDuringExecution" not in preferred
    weights = preferred["preferredDuringSchedulingIgnoredDuringExecution"]
    assert weights[0]["weight"] == 100
    assert weights[0]["preference"]["matchExpressions"][0]["values"] == ["spot"]


def terms(spec: Any) -> list[Any]:  # noqa: ANN401  # JSON
    required = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return [term["matchExpressions"] for term in required["nodeSelectorTerms"]]
