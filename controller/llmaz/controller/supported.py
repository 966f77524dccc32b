"""Which pods a process on a node can stand for.

What it can't honour is refused with its path, never ignored.
"""

from collections.abc import Collection, Iterator

from llmaz.api import names
from llmaz.api.podtemplate import Container, PodSpec
from llmaz.api.service import WorkloadTemplate
from llmaz.controller.actions import Refusal
from llmaz.controller.ranks import is_grouped, is_told
from llmaz.controller.resolve import SHARED_MEMORY_PATH

_TEMPLATE = "spec.workloadTemplate"
_WORKER = f"{_TEMPLATE}.workerTemplate.spec"
_LEADER = f"{_TEMPLATE}.leaderTemplate.spec"


def unsupported(template: WorkloadTemplate) -> Refusal | None:
    """Say which part of a Service can't be carried out, and where it stands."""
    for path, pod in _pods(template):
        problem = _problem(path, pod)
        if problem is None and pod.model_runner is None:
            problem = f"{path}: no model-runner"
        if problem is not None:
            return Refusal(reason="Unsupported", message=problem)
    problem = _of_group(template)
    return None if problem is None else Refusal(reason="Unsupported", message=problem)


def unmounted(template: WorkloadTemplate, mounted: Collection[str]) -> Refusal | None:
    """Say which folder of its node a slot would not see, and where the Service asks for it.

    `mounted` are the paths that the platform's own volumes have in every slot.
    """
    for path, pod in _pods(template):
        folders = {volume.name for volume in pod.volumes if volume.host_path is not None}
        for i, container in enumerate(pod.containers):
            for j, mount in enumerate(container.volume_mounts):
                if mount.name in folders and mount.mount_path not in mounted:
                    where = f"{path}.containers[{i}].volumeMounts[{j}]"
                    words = f"{mount.mount_path} of the node is in no slot: slots.volumes has none"
                    return Refusal(reason="Unsupported", message=f"{where}: {words}")
    return None


def _pods(template: WorkloadTemplate) -> Iterator[tuple[str, PodSpec]]:
    """Yield the pod templates of a Service with their paths."""
    if template.leader_template is not None:
        yield _LEADER, template.leader_template.spec
    yield _WORKER, template.worker_template.spec


def _of_group(template: WorkloadTemplate) -> str | None:
    """Say which part of a group's own policies can't be kept."""
    if template.sub_group_policy is not None:
        return f"{_TEMPLATE}.subGroupPolicy: a group is not divided any further"
    if is_grouped(template) and template.restart_policy != "RecreateGroupOnPodRestart":
        return (
            f"{_TEMPLATE}.restartPolicy: the end of a member starts all of its group anew;"
            f" {template.restart_policy} can't be kept"
        )
    return None


def _problem(path: str, pod: PodSpec) -> str | None:
    for i, container in enumerate(pod.containers):
        if container.name != names.MODEL_RUNNER:
            return f"{path}.containers[{i}]: only model-runner is run, not {container.name}"
        if container.working_dir:
            return f"{path}.containers[{i}].workingDir: can't be set for a process on a node"
        if (mount := _unmountable(pod, container)) is not None:
            return f"{path}.containers[{i}].volumeMounts: {mount}"
        if (problem := _unknown_field(container)) is not None:
            return f"{path}.containers[{i}].{problem}"
    return None


def _unknown_field(container: Container) -> str | None:
    """Say which variable wants to know something of its pod that nobody could tell it."""
    for i, variable in enumerate(container.env):
        field = variable.value_from.field_ref if variable.value_from else None
        if field is not None and not is_told(field.field_path):
            known = ", ".join(names.POD_FIELDS)
            where = f"env[{i}].valueFrom.fieldRef.fieldPath"
            return f"{where}: {field.field_path} is not known of a process on a node; {known} are"
    return None


def _unmountable(pod: PodSpec, container: Container) -> str | None:
    """Say which mount a process without a container can't have."""
    volumes = {volume.name: volume for volume in pod.volumes}
    for mount in container.volume_mounts:
        volume = volumes.get(mount.name)
        if volume is None:
            return f"there is no volume {mount.name}"
        if mount.sub_path:
            return f"{mount.mount_path}: subPath {mount.sub_path} would be another path of the node"
        on_host = volume.host_path is not None and volume.host_path.path == mount.mount_path
        if not on_host and mount.mount_path != SHARED_MEMORY_PATH:
            return f"{mount.mount_path}: a process on a node sees the node's own files"
    return None
