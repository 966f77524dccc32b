import asyncio
from typing import cast

import pytest

from llmaz.api.kinds import INFERENCE_NODE
from llmaz.api.manifest import Manifest
from llmaz.api.node import NodeSpec
from llmaz.controller.actions import Assign
from llmaz.controller.observe import Observer
from llmaz.controller.perform import Performer
from llmaz.kube import Conflict
from support.controllerprocess import Cluster


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
