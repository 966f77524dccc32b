"""What of a Service's pod templates can't be carried out is refused, with the path of it."""

import dataclasses

import pytest

from llmaz.api.pod import EnvVar, EnvVarSource, FieldSelector
from llmaz.api.podtemplate import Container, HostPath, PodSpec, PodTemplate, Volume, VolumeMount
from llmaz.api.service import SubGroupPolicy, WorkloadTemplate
from llmaz.controller.ranks import told_env
from llmaz.controller.supported import unmounted, unsupported

RUNNER = Container(name="model-runner", image="engine:v1")
INDEX = "metadata.labels['leaderworkerset.sigs.k8s.io/worker-index']"


def template(*containers: Container, volumes: tuple[Volume, ...] = ()) -> WorkloadTemplate:
    spec = PodSpec(containers=containers or (RUNNER,), volumes=volumes)
    return WorkloadTemplate(worker_template=PodTemplate(spec=spec))


def reading(path: str) -> EnvVar:
    return EnvVar(name="X", value_from=EnvVarSource(field_ref=FieldSelector(field_path=path)))


def runner(**changes: object) -> Container:
    return dataclasses.replace(RUNNER, **changes)  # type: ignore[arg-type]  # the field's own type


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (template(RUNNER, runner(name="sidecar")), "workerTemplate.spec.containers[1]"),
        (template(runner(working_dir="/srv")), "workerTemplate.spec.containers[0].workingDir"),
        (
            template(runner(volume_mounts=(VolumeMount(name="v", mount_path="/v"),))),
            "workerTemplate.spec.containers[0].volumeMounts",
        ),
        (
            template(
                runner(volume_mounts=(VolumeMount(name="v", mount_path="/v", sub_path="in"),)),
                volumes=(Volume(name="v", host_path=HostPath(path="/v")),),
            ),
            "workerTemplate.spec.containers[0].volumeMounts",
        ),
        (
            template(runner(env=(EnvVar(name="A", value="a"), reading("metadata.uid")))),
            "workerTemplate.spec.containers[0].env[1].valueFrom.fieldRef.fieldPath",
        ),
        (
            dataclasses.replace(
                template(), leader_template=template(runner(working_dir="/x")).worker_template
            ),
            "leaderTemplate.spec.containers[0].workingDir",
        ),
        (dataclasses.replace(template(), sub_group_policy=SubGroupPolicy()), "subGroupPolicy"),
        (dataclasses.replace(template(), size=2, restart_policy="None"), "restartPolicy"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_can_not_be_carried_out_is_refused_with_its_path(
    given: WorkloadTemplate, path: str
) -> None:
    refusal = unsupported(given)
    assert refusal is not None
    assert refusal.reason == "Unsupported"
    assert refusal.message.startswith(f"spec.workloadTemplate.{path}: ")


@pytest.mark.parametrize(
    "given",
    [
        template(),
        template(runner(env=(reading("status.podIP"), reading(INDEX)))),
        dataclasses.replace(template(), size=2),
        # An engine alone starts anew in place, whichever of them is asked for.
        dataclasses.replace(template(), restart_policy="None"),
    ],
)
def test_what_can_be_carried_out_is_not_refused(given: WorkloadTemplate) -> None:
    assert unsupported(given) is None


def test_an_engine_without_a_group_is_told_what_the_labels_of_its_pod_would_say() -> None:
    env = (EnvVar(name="A", value="a"), reading(INDEX), reading("status.podIP"))
    told = told_env(env, "default/chat-3")
    assert told == (env[0], EnvVar(name="X", value="0"), env[2])


def test_a_folder_of_the_node_that_no_slot_sees_is_refused_with_its_path() -> None:
    seeing = template(
        runner(volume_mounts=(VolumeMount(name="data", mount_path="/data"),)),
        volumes=(Volume(name="data", host_path=HostPath(path="/data")),),
    )
    refusal = unmounted(seeing, ())
    assert refusal is not None
    assert "workerTemplate.spec.containers[0].volumeMounts[0]: /data of the" in refusal.message
    assert unmounted(seeing, ("/data",)) is None
    assert unmounted(template(), ()) is None
