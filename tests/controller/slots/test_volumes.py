"""A Service written by hand that wants a folder of the node which no slot sees."""

import dataclasses

from llmaz.api.claims import ModelClaims, ModelRef
from llmaz.api.meta import ObjectMeta, find_condition
from llmaz.api.podtemplate import Container, HostPath, PodSpec, PodTemplate, Volume, VolumeMount
from llmaz.api.service import Service, ServiceSpec, WorkloadTemplate
from llmaz.controller.slots.policy import SlotPolicy
from support.controlling import world_of
from support.slotworld import slot_world

RUNNER = Container(
    name="model-runner",
    image="engine:v1",
    command=("serve",),
    volume_mounts=(VolumeMount(name="data", mount_path="/data"),),
)
POD = PodSpec(
    containers=(RUNNER,), volumes=(Volume(name="data", host_path=HostPath(path="/data")),)
)
KEY = ("default", "by-hand")


def test_its_slots_are_made_only_where_the_platform_gives_them_that_folder() -> None:
    world = slot_world(world_of(1))
    world.services[KEY] = Service(
        metadata=ObjectMeta(name=KEY[1], namespace=KEY[0], uid="uid-by-hand", generation=1),
        spec=ServiceSpec(
            model_claims=ModelClaims(models=(ModelRef(name="qwen"),)),
            workload_template=WorkloadTemplate(worker_template=PodTemplate(spec=POD)),
        ),
    )
    world.settle()
    available = find_condition(world.services[KEY].status.conditions, "Available")
    assert available is not None
    assert (available.is_true, available.reason) == (False, "Unsupported")
    assert "workerTemplate.spec.containers[0].volumeMounts[0]: /data" in available.message
    assert [pod.owner for pod in world.pods() if pod.owner == KEY] == []

    world.policy = dataclasses.replace(
        SlotPolicy(launcher="slot"), volume_mounts=({"name": "data", "mountPath": "/data"},)
    )
    world.settle()
    assert [pod.owner for pod in world.pods() if pod.owner == KEY] == [KEY]
