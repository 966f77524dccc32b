"""The pods of slots as they are written, for tests that look into them."""

import dataclasses
from typing import Any, cast

from llmaz.api.openmodel import Flavor
from llmaz.api.service import Service
from llmaz.controller.actions import Refusal
from llmaz.controller.demand import Demand, demand
from llmaz.controller.slots.attempts import attempts_of
from llmaz.controller.slots.manifest import Place, slot_pod
from llmaz.controller.slots.policy import SlotPolicy
from support.builders import model, playground, runtime
from support.controlling import World

POLICY = SlotPolicy(launcher="slot", image="registry.test/llmaz-agent:1", host_path="/data")


def wanted(*flavors: Flavor, labels: dict[str, str] | None = None) -> Demand:
    """The demand of a Playground on these flavors."""
    world = World().add(model("qwen", *flavors), runtime(), playground("chat", "qwen"))
    world.decide()
    service: Service = world.services[("default", "chat")]
    meta = dataclasses.replace(
        service.metadata, labels={**service.metadata.labels, **(labels or {})}
    )
    found = demand(dataclasses.replace(service, metadata=meta), world.models, world.runtimes)
    assert not isinstance(found, Refusal)
    return found


def pod_of(asked: Demand, place: Place | None = None, policy: SlotPolicy = POLICY) -> Any:  # noqa: ANN401  # JSON
    return cast("Any", slot_pod(asked, attempts_of(asked)[0], place or Place(replica="0"), policy))
