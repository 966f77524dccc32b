"""What the API server refuses is told on the object that waits for it."""

import dataclasses
from typing import Any

import pytest

from llmaz.api.kinds import (
    CORE_SERVICE,
    HORIZONTAL_POD_AUTOSCALER,
    INFERENCE_NODE,
    PLAYGROUND,
    POD,
    SERVICE,
    Kind,
)
from llmaz.api.manifest import Manifest
from llmaz.api.meta import ObjectMeta, find_condition
from llmaz.api.node import NodeSpec
from llmaz.api.scaling import ElasticConfig, HpaTrigger, ScaleTrigger
from llmaz.controller.actions import ApplyOwned, Assign, RecordEvent, SetLabels
from llmaz.controller.loop import refused
from llmaz.controller.news import news
from llmaz.controller.owned import reference
from llmaz.controller.plan import plan
from llmaz.controller.snapshot import ClusterSnapshot, Denial, Ref
from llmaz.kube import Conflict, Forbidden, Invalid, KubeError, NotFound, Unavailable
from support.cluster import condition, status
from support.controllerprocess import Cluster
from support.controlling import World, world_of

ELASTIC = ElasticConfig(
    max_replicas=2, scale_trigger=ScaleTrigger(hpa=HpaTrigger(metrics=({"type": 7},)))
)
WORDS = "apply x: exceeded quota: count/pods=0"


def denied(kind: Kind, name: str, owner: str) -> Denial:
    ref = Ref(kind=kind, namespace="default", name=name)
    return Denial(ref=ref, owner=owner, words=WORDS)


def told_of(world: World, *denials: Denial) -> dict[Kind, tuple[str, list[str]]]:
    """Return what the Playground's and the Service's condition says, and the Events on each."""
    before = dataclasses.replace(world.snapshot(), refused={one.ref: one for one in denials})
    actions = plan(before, world.now).actions
    for action in actions:
        world.perform(action)
    service = world.services["default", "chat"]
    statuses = {PLAYGROUND: world.playground("chat").status, SERVICE: service.status}
    said = {}
    for kind, now in statuses.items():
        found = find_condition(now.conditions, "ObjectsAccepted")
        events = [
            one.reason for one in actions if isinstance(one, RecordEvent) and one.ref.kind == kind
        ]
        said[kind] = (found.message if found else "", events)
    return said


@pytest.mark.parametrize(("kind", "name"), [(CORE_SERVICE, "chat-lb"), (POD, "chat-0-a10-0")])
def test_what_a_service_may_not_have_is_told_of_it_and_of_its_playground(
    kind: Kind, name: str
) -> None:
    world = world_of()
    world.settle()
    uid = world.services["default", "chat"].metadata.uid
    words = f"{kind.kind} {name} is refused: {WORDS}"
    one = denied(kind, name, uid)
    assert told_of(world, one) == {
        PLAYGROUND: (words, ["ObjectRefused"]),
        SERVICE: (words, ["ObjectRefused"]),
    }
    assert world.playground("chat").status.message == words
    assert told_of(world, one) == {PLAYGROUND: (words, []), SERVICE: (words, [])}, "told again"
    assert told_of(world) == {PLAYGROUND: ("", []), SERVICE: ("", [])}, "it was taken since"
    assert world.playground("chat").status.message == ""


def test_a_playgrounds_own_autoscaler_is_told_of_it_alone() -> None:
    world = world_of()
    world.settle()
    uid = world.playground("chat").metadata.uid
    one = denied(HORIZONTAL_POD_AUTOSCALER, "chat", uid)
    words = f"HorizontalPodAutoscaler chat is refused: {WORDS}"
    assert told_of(world, one) == {PLAYGROUND: (words, ["ObjectRefused"]), SERVICE: ("", [])}
    spec = dataclasses.replace(world.playground("chat").spec, elastic_config=ELASTIC)
    world.add(dataclasses.replace(world.playground("chat"), spec=spec))
    told_of(world, one)
    scaling = find_condition(world.playground("chat").status.conditions, "ScalingActive")
    assert scaling is not None
    assert (scaling.status, scaling.reason) == ("False", "AutoscalerRefused")
    available = world.available("chat")
    assert available is not None
    assert available.is_true, "what serves goes on serving"


def test_several_refusals_are_one_sentence() -> None:
    world = world_of()
    world.settle()
    uid = world.services["default", "chat"].metadata.uid
    three = (denied(POD, f"chat-{index}", uid) for index in (2, 0, 1))
    words = f"Pod chat-0 is refused: {WORDS} (and 2 more objects)"
    assert told_of(world, *three)[SERVICE][0] == words


def test_a_service_that_is_refused_is_one_event_of_its_playground() -> None:
    world = world_of()
    uid = world.playground("chat").metadata.uid
    one = denied(SERVICE, "chat", uid)
    actions = plan(dataclasses.replace(world.snapshot(), refused={one.ref: one}), world.now).actions
    told = [action for action in actions if isinstance(action, RecordEvent)]
    assert [(event.ref.kind, event.reason, event.message) for event in told] == [
        (PLAYGROUND, "ServiceRefused", WORDS)
    ]
    for action in actions:
        world.perform(action)
    assert find_condition(world.playground("chat").status.conditions, "ObjectsAccepted") is not None


NODE = Ref(kind=INFERENCE_NODE, name="n1")
POD_REF = Ref(kind=POD, namespace="default", name="chat-0")
OWNER = ObjectMeta(name="chat", uid="uid-of-service")
METADATA: Manifest = {"name": "chat-0", "ownerReferences": [reference(SERVICE, OWNER)]}
APPLY = ApplyOwned(ref=POD_REF, manifest={"metadata": METADATA})
ASSIGN = Assign(node="n1", uid="uid-n1", spec=NodeSpec())
LABEL = SetLabels(ref=NODE, labels={})


@pytest.mark.parametrize(
    ("action", "error", "found"),
    [
        (APPLY, Forbidden("no"), Denial(ref=POD_REF, owner="uid-of-service", words="no")),
        (APPLY, Conflict("mine"), Denial(ref=POD_REF, owner="uid-of-service", words="mine")),
        (APPLY, Unavailable("no answer in time"), None),
        (
            APPLY,
            Unavailable('failed calling webhook "w": EOF'),
            Denial(ref=POD_REF, owner="uid-of-service", words='failed calling webhook "w": EOF'),
        ),
        (ASSIGN, Invalid("too long"), Denial(ref=NODE, uid="uid-n1", words="too long")),
        (ASSIGN, NotFound("gone"), None),
        (LABEL, Forbidden("no"), Denial(ref=NODE, words="no")),
        (LABEL, Conflict("another uid"), None),
    ],
)
def test_what_passes_by_itself_is_no_refusal(
    action: ApplyOwned | Assign | SetLabels, error: KubeError, found: Denial | None
) -> None:
    assert refused(action, error) == found


def test_a_refused_write_to_what_others_made_is_an_event_on_it_once() -> None:
    one = Denial(ref=NODE, uid="uid-n1", words="no")
    before, after = ClusterSnapshot(), ClusterSnapshot(refused={NODE: one})
    (event,) = news(before, after)
    assert (event.ref, event.type, event.reason) == (NODE, "Warning", "WriteRefused")
    assert not list(news(after, after))


async def test_an_autoscaler_that_a_real_server_refuses_is_told_until_it_is_mended(
    cluster: Cluster,
) -> None:
    agent = await cluster.agent(gpus=1)
    model = await cluster.model("qwen", agent)

    async def ask(metric: Manifest) -> None:
        trigger: Any = {"hpa": {"metrics": [metric]}}
        elastic: Any = {"minReplicas": 1, "maxReplicas": 2, "scaleTrigger": trigger}
        await cluster.apply("chat", {"modelClaim": {"modelName": model}, "elasticConfig": elastic})

    await ask({"type": 7})
    seen = await cluster.until("chat", lambda one: status(one, "ObjectsAccepted") == "False")
    words = condition(seen, "ObjectsAccepted")["message"]
    assert words.startswith("HorizontalPodAutoscaler chat is refused: apply ")
    assert "spec.metrics" in words
    target: Manifest = {"type": "Utilization", "averageUtilization": 50}
    await ask({"type": "Resource", "resource": {"name": "cpu", "target": target}})
    await cluster.until("chat", lambda one: not condition(one, "ObjectsAccepted"))
