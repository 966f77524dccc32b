"""Which pods a process on a node can stand for.

What it can't honour is refused with its path, never ignored.
"""

from llmaz.api import names
from llmaz.api.podtemplate import Container, PodSpec
from llmaz.api.service import WorkloadTemplate
from llmaz.controller.actions import Refusal
from llmaz.controller.resolve import SHARED_MEMORY_PATH

_WORKER = "spec.workloadTemplate.workerTemplate.spec"
_LEADER = "spec.workloadTemplate.leaderTemplate.spec"


def unsupported(template: WorkloadTemplate) -> Refusal | None:
    """Say which part of a Service can't be carried out, and where it stands."""
    pods = [(_WORKER, template.worker_template.spec)]
    if template.leader_template is not None:
        pods.insert(0, (_LEADER, template.leader_template.spec))
    for path, pod in pods:
        problem = _problem(path, pod)
        if problem is None and pod.model_runner is None:
            problem = f"{path}: no model-runner"
        if problem is not None:
            return Refusal(reason="Unsupported", message=problem)
    return None


def _problem(path: str, pod: PodSpec) -> str | None:
    for i, container in enumerate(pod.containers):
        if container.name != names.MODEL_RUNNER:
            return f"{path}.containers[{i}]: only model-runner is run, not {container.name}"
        if container.working_dir:
            return f"{path}.containers[{i}].workingDir: can't be set for a process on a node"
        if (mount := _unmountable(pod, container)) is not None:
            return f"{path}.containers[{i}].volumeMounts: {mount}"
    return None


def _unmountable(pod: PodSpec, container: Container) -> str | None:
    """Say which mount a process without a container can't have."""
    volumes = {volume.name: volume for volume in pod.volumes}
    for mount in container.volume_mounts:
        volume = volumes.get(mount.name)
        if volume is None:
            return f"there is no volume {mount.name}"
        on_host = volume.host_path is not None and volume.host_path.path == mount.mount_path
        if not on_host and mount.mount_path != SHARED_MEMORY_PATH:
            return f"{mount.mount_path}: a process on a node sees the node's own files"
    return None
