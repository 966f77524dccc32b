import asyncio
from typing import cast

import pytest

from llmaz.api.kinds import INFERENCE_NODE, POD
from llmaz.api.manifest import Manifest
from llmaz.api.meta import ObjectMeta
from llmaz.api.names import SERVICE_NAME
from llmaz.api.node import NodeSpec
from llmaz.controller.actions import ApplyOwned, Assign, Known, Refusal, SetLabels
from llmaz.controller.demand import Demand, demand
from llmaz.controller.observe import Observer
from llmaz.controller.owned import reference
from llmaz.controller.perform import Performer, Superseded
from llmaz.controller.slots.attempts import attempts_of
from llmaz.controller.slots.manifest import Place, slot_pod
from llmaz.controller.slots.pod import ATTEMPT, RANK, REPLICA, SPARE
from llmaz.controller.slots.policy import SlotPolicy
from llmaz.controller.snapshot import Ref
from llmaz.kube import Conflict
from support.builders import flavor, model, playground, runtime
from support.controllerprocess import Cluster
from support.controlling import World


async def test_an_assignment_by_who_has_not_seen_the_latest_news_of_a_node_is_not_written(
    cluster: Cluster,
) -> None:
    name = f"{cluster.namespace}-late"
    made = await cluster.kube.apply(INFERENCE_NODE, {"metadata": {"name": name}}, manager="tests")
    seen = cast("Manifest", made["metadata"])
    labels: Manifest = {"metadata": {"labels": {"rack": "r1"}}}
    await cluster.kube.patch(INFERENCE_NODE, name, labels)
    late = Assign(
        node=name, uid=str(seen["uid"]), version=str(seen["resourceVersion"]), spec=NodeSpec()
    )
    performer = Performer(cluster.kube, Observer(cluster.kube, asyncio.Event(), gateway_url=""))
    with pytest.raises(Conflict):
        await performer.perform(late)
    await cluster.kube.delete(INFERENCE_NODE, name)


async def test_a_spare_slot_becomes_the_pod_of_another_owner(cluster: Cluster) -> None:
    performer = Performer(cluster.kube, Observer(cluster.kube, asyncio.Event(), gateway_url=""))
    former, owner = [await _owner(cluster, name) for name in ("former", "owner")]
    made = slot_pod(slotted(), attempts_of(slotted())[0], Place(replica=SPARE), SlotPolicy())
    metadata = cast("Manifest", made["metadata"])
    ref = Ref(kind=POD, namespace=cluster.namespace, name=str(metadata["name"]))
    own: Manifest = {**metadata, "namespace": ref.namespace, "ownerReferences": [former]}
    await performer.perform(ApplyOwned(ref=ref, manifest={**made, "metadata": own}))
    taken = SetLabels(ref=ref, labels={REPLICA: "1"}, annotations={ATTEMPT: "0"}, owner=owner)
    await performer.perform(taken)
    pod = await cluster.kube.get(POD, ref.name, ref.namespace)
    shown = cast("Manifest", pod["metadata"])
    assert shown["ownerReferences"] == [owner]
    assert cast("Manifest", shown["labels"])[REPLICA] == "1"
    await cluster.kube.delete(POD, ref.name, ref.namespace)
    for one in (former, owner):
        await cluster.kube.delete(INFERENCE_NODE, str(one["name"]))


async def test_no_second_pod_is_made_where_one_of_another_name_was_not_seen(
    cluster: Cluster,
) -> None:
    """The first pod of a replica has gone, and its successor has a name of its own."""
    performer = Performer(cluster.kube, Observer(cluster.kube, asyncio.Event(), gateway_url=""))
    owner = await _owner(cluster, "one")

    def making(after: str, *seen: str) -> ApplyOwned:
        place = Place(replica="0", after=after)
        made = slot_pod(slotted(), attempts_of(slotted())[0], place, SlotPolicy())
        metadata = cast("Manifest", made["metadata"])
        ref = Ref(kind=POD, namespace=cluster.namespace, name=str(metadata["name"]))
        own: Manifest = {**metadata, "namespace": ref.namespace, "ownerReferences": [owner]}
        labels = {SERVICE_NAME: "chat", REPLICA: "0", RANK: "0"}
        known = Known(labels=labels, uids=frozenset(seen))
        return ApplyOwned(ref=ref, manifest={**made, "metadata": own}, known=known)

    successor = making("first")
    await performer.perform(successor)
    with pytest.raises(Superseded, match="another has its place"):
        await performer.perform(making(""))
    seen = await cluster.kube.get(POD, successor.ref.name, cluster.namespace)
    another = making("", str(cast("Manifest", seen["metadata"])["uid"]))
    await performer.perform(another)
    for made in (successor, another):
        await cluster.kube.delete(POD, made.ref.name, cluster.namespace)
    await cluster.kube.delete(INFERENCE_NODE, str(owner["name"]))


async def _owner(cluster: Cluster, name: str) -> Manifest:
    """Make an object that may own another, and return how it is referred to."""
    meta: Manifest = {"name": f"{cluster.namespace}-{name}"}
    made = await cluster.kube.apply(INFERENCE_NODE, {"metadata": meta}, manager="tests")
    uid = str(cast("Manifest", made["metadata"])["uid"])
    return reference(INFERENCE_NODE, ObjectMeta(name=str(meta["name"]), uid=uid))


def slotted() -> Demand:
    world = World().add(model("qwen", flavor("a10")), runtime(), playground("chat", "qwen"))
    world.decide()
    found = demand(world.services["default", "chat"], world.models, world.runtimes)
    assert not isinstance(found, Refusal)
    return found
