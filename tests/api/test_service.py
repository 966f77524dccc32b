"""Services written by hand: what is carried out, and what is refused instead of ignored."""

import pytest

from llmaz.api.manifest import Json, Manifest, ManifestError, decode
from llmaz.api.names import MODEL_RUNNER
from llmaz.api.service import Service
from support import judges
from support.manifests import PUBLISHED, documents, part, service

TEMPLATE = ("spec", "workloadTemplate", "workerTemplate")


def with_pod(**spec: Json) -> Manifest:
    manifest = service()
    part(manifest, *TEMPLATE, "spec").update(spec)
    return manifest


def with_container(**fields: Json) -> Manifest:
    return with_pod(containers=[{"name": MODEL_RUNNER, **fields}])


@pytest.mark.parametrize(
    ("manifest", "path"),
    [
        (with_pod(hostNetwork=True), "hostNetwork"),
        (with_pod(affinity={}), "affinity"),
        (with_pod(initContainers=[]), "initContainers"),
        (with_container(securityContext={}), "containers[0].securityContext"),
        (with_container(envFrom=[]), "containers[0].envFrom"),
        (with_pod(volumes=[{"name": "a", "configMap": {"name": "b"}}]), "volumes[0].configMap"),
    ],
)
def test_what_can_not_be_carried_out_is_refused_with_its_path(
    manifest: Manifest, path: str
) -> None:
    with pytest.raises(ManifestError) as refused:
        decode(Service, manifest)
    assert refused.value.path == f"{'.'.join(TEMPLATE)}.spec.{path}"
    assert refused.value.reason.startswith("unknown field")


def test_an_api_server_keeps_it_so_that_the_controller_can_say_so() -> None:
    manifest = with_container(securityContext={"privileged": True})
    verdict = judges.crd(manifest)
    assert verdict.problems == ()
    kept = part(verdict.object, *TEMPLATE, "spec")["containers"]
    assert kept == [{"name": MODEL_RUNNER, "securityContext": {"privileged": True}}]


def test_the_engine_is_the_container_named_model_runner() -> None:
    manifest = with_pod(containers=[{"name": "log"}, {"name": MODEL_RUNNER, "image": "vllm"}])
    pod = decode(Service, manifest).spec.workload_template.worker_template.spec
    assert pod.model_runner is not None
    assert pod.model_runner.image == "vllm"


def test_a_group_of_a_leader_and_workers_is_read_whole() -> None:
    _, manifest = documents(PUBLISHED / "upstream" / "multi-nodes" / "service.yaml")
    template = decode(Service, manifest).spec.workload_template
    assert template.size == 2
    assert template.leader_template is not None
    leader = template.leader_template.spec.model_runner
    assert leader is not None
    assert leader.env[1].value_from is not None
    assert leader.env[1].value_from.field_ref is not None
    assert leader.env[1].value_from.field_ref.field_path == (
        "metadata.labels['leaderworkerset.sigs.k8s.io/worker-index']"
    )
    assert template.leader_template.spec.volumes[0].empty_dir is not None
    assert template.leader_template.spec.volumes[0].empty_dir.medium == "Memory"
