import dataclasses

import pytest

from llmaz.api.claims import ModelClaims, ModelRef
from llmaz.api.meta import ObjectMeta
from llmaz.api.openmodel import OpenModel
from llmaz.api.pod import EnvVar, HttpGet, Probe
from llmaz.api.podtemplate import (
    Container,
    ContainerPort,
    EmptyDir,
    HostPath,
    PodSpec,
    PodTemplate,
    Volume,
    VolumeMount,
)
from llmaz.api.quantity import Quantity
from llmaz.api.service import Service, ServiceSpec, WorkloadTemplate
from llmaz.controller.actions import Refusal
from llmaz.controller.demand import Demand, demand
from support.builders import model

RUNNER = Container(name="model-runner", command=("serve",))


def service(
    *containers: Container, volumes: tuple[Volume, ...] = (), skip: bool = False, size: int = 1
) -> Service:
    pod = PodSpec(containers=containers or (RUNNER,), volumes=volumes)
    annotations = {"llmaz.io/skip-model-loader": "true"} if skip else {}
    return Service(
        metadata=ObjectMeta(name="chat", namespace="default", annotations=annotations),
        spec=ServiceSpec(
            model_claims=ModelClaims(models=(ModelRef(name="qwen"),)),
            workload_template=WorkloadTemplate(worker_template=PodTemplate(spec=pod), size=size),
        ),
    )


def demanded(service_: Service, model_: OpenModel | None = None) -> Demand:
    found = demand(service_, {"qwen": model_ or model("qwen")})
    assert isinstance(found, Demand)
    return found


def runner(**changes: object) -> Container:
    return dataclasses.replace(RUNNER, **changes)  # type: ignore[arg-type]  # fields by name


def test_an_engine_that_is_told_its_port_has_none_fixed() -> None:
    for told in (
        runner(args=("--port=$(LLMAZ_PORT)",)),
        runner(env=(EnvVar(name="PORT", value="$(LLMAZ_PORT)"),)),
    ):
        assert demanded(service(told)).pattern.port is None
    assert demanded(service()).pattern.port == 8080


def test_a_probe_may_name_the_engines_port_as_the_container_does() -> None:
    probe = Probe(http_get=HttpGet(port="serve"))
    named = runner(readiness_probe=probe, ports=(ContainerPort(container_port=9000, name="serve"),))
    pattern = demanded(service(named)).pattern
    assert (pattern.port, pattern.readiness_probe) == (9000, Probe(http_get=HttpGet(port="http")))


def test_shared_memory_is_what_is_mounted_where_programs_look_for_it() -> None:
    shm = Volume(name="shm", empty_dir=EmptyDir(medium="Memory", size_limit=Quantity("2Gi")))
    mounted = runner(volume_mounts=(VolumeMount(name="shm", mount_path="/dev/shm"),))
    found = demanded(service(mounted, volumes=(shm,))).pattern
    assert found.shared_memory_size == Quantity("2Gi")


@pytest.mark.parametrize(
    ("model_", "variables"),
    [
        (model("qwen"), ["HUGGING_FACE_HUB_TOKEN", "HF_TOKEN"]),
        (model("qwen", uri="s3://b/p"), ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]),
        (model("qwen", uri="oss://b.e/p"), ["OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET"]),
        (model("qwen", uri="host:///models"), []),
    ],
)
def test_an_engine_that_loads_by_itself_gets_the_credentials_and_no_weights(
    model_: OpenModel, variables: list[str]
) -> None:
    found = demanded(service(skip=True), model_)
    assert [env.name for env in found.pattern.env] == variables
    assert found.models == ()
    assert found.pattern.skip_model_loader


def test_credentials_stay_with_the_agent_where_it_fetches() -> None:
    found = demanded(service())
    assert found.pattern.env == ()
    assert [one.name for one in found.models] == ["qwen"]


def test_an_ollama_model_is_pulled_by_the_engine() -> None:
    found = demanded(service(), model("qwen", uri="ollama://qwen2:0.5b"))
    assert found.pattern.model == "qwen2:0.5b"
    assert found.pattern.skip_model_loader
    assert found.models == ()


def test_an_ollama_model_is_fetched_for_an_engine_that_is_given_a_path() -> None:
    opens = runner(args=("-m", "$(LLMAZ_MODEL_PATH)"))
    found = demanded(service(opens), model("qwen", uri="ollama://qwen2:0.5b"))
    assert not found.pattern.skip_model_loader
    assert [one.name for one in found.models] == ["qwen"]


WORKER = "spec.workloadTemplate.workerTemplate.spec"


@pytest.mark.parametrize(
    ("service_", "message"),
    [
        (
            service(RUNNER, Container(name="sidecar")),
            f"{WORKER}.containers[1]: only model-runner is run, not sidecar",
        ),
        (
            service(runner(volume_mounts=(VolumeMount(name="x", mount_path="/x"),))),
            f"{WORKER}.containers[0].volumeMounts: there is no volume x",
        ),
        (
            service(
                runner(volume_mounts=(VolumeMount(name="x", mount_path="/x"),)),
                volumes=(Volume(name="x", host_path=HostPath(path="/y")),),
            ),
            (
                f"{WORKER}.containers[0].volumeMounts: /x: "
                "a process on a node sees the node's own files"
            ),
        ),
    ],
)
def test_what_is_not_served_is_refused_with_its_path(service_: Service, message: str) -> None:
    found = demand(service_, {"qwen": model("qwen")})
    assert found == Refusal(reason="Unsupported", message=message)
