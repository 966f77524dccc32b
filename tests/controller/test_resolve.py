import pytest

from llmaz.api.backendruntime import BackendRuntime, Process, RecommendedConfig
from llmaz.api.names import REQUIREMENTS
from llmaz.api.openmodel import OpenModel
from llmaz.api.playground import BackendRuntimeConfig, Playground
from llmaz.api.pod import EnvVar, Probe, Resources
from llmaz.api.podtemplate import Container
from llmaz.api.quantity import Quantity
from llmaz.api.service import Service
from llmaz.controller.actions import Refusal
from llmaz.controller.demand import Demand, demand
from llmaz.controller.resolve import resolve
from llmaz.controller.snapshot import ClusterSnapshot
from support.builders import flavor, model, playground, runtime


def resolved(
    playground_: Playground, runtime_: BackendRuntime, *models: OpenModel
) -> Container | Refusal:
    snapshot = ClusterSnapshot(
        models={one.metadata.name: one for one in models or (model("qwen"),)},
        runtimes={runtime_.metadata.name: runtime_},
    )
    service = resolve(playground_, snapshot)
    if isinstance(service, Refusal):
        return service
    (container,) = service.spec.workload_template.worker_template.spec.containers
    return container


def container(playground_: Playground, runtime_: BackendRuntime, *models: OpenModel) -> Container:
    found = resolved(playground_, runtime_, *models)
    assert isinstance(found, Container)
    return found


def chat(**config: object) -> Playground:
    return playground("chat", "qwen", config=BackendRuntimeConfig(**config))  # type: ignore[arg-type]  # fields by name


def test_placeholders_become_text_or_variables_and_the_playgrounds_args_stay_literal() -> None:
    found = container(
        chat(args=("--name={{ .ModelName }}",)),
        runtime("vllm", "--model", "{{.ModelPath}}", "--as={{ .ModelName }}:{{ .Port }}"),
    )
    assert found.args == (
        "--model",
        "$(LLMAZ_MODEL_PATH)",
        "--as=qwen:$(LLMAZ_PORT)",
        "--name={{ .ModelName }}",
    )


def test_a_draft_model_chooses_the_config_for_speculative_decoding() -> None:
    spec = RecommendedConfig(name="speculative-decoding", args=("-md", "{{ .DraftModelPath }}"))
    found = container(
        playground("chat", "qwen", draft="small"),
        runtime(recommended_configs=(RecommendedConfig(name="default"), spec)),
        model("qwen"),
        model("small"),
    )
    assert found.args == ("-md", "$(LLMAZ_DRAFT_MODEL_PATH)")


def test_a_named_config_wins_over_the_automatic_one() -> None:
    configs = (RecommendedConfig(name="default"), RecommendedConfig(name="fuz", args=("--fuz",)))
    found = container(chat(config_name="fuz"), runtime(recommended_configs=configs))
    assert found.args == ("--fuz",)


def test_the_playgrounds_version_replaces_the_tag() -> None:
    assert container(chat(version="main"), runtime()).image == "engine:main"


def test_variables_merge_by_name_in_a_stable_order() -> None:
    envs = (EnvVar(name="A", value="1"), EnvVar(name="B", value="$(A)"))
    found = container(
        chat(envs=(EnvVar(name="C", value="3"), EnvVar(name="A", value="9"))), runtime(envs=envs)
    )
    assert [(env.name, env.value) for env in found.env] == [("A", "9"), ("B", "$(A)"), ("C", "3")]


def q(**amounts: str) -> dict[str, Quantity]:
    return {name: Quantity(text) for name, text in amounts.items()}


@pytest.mark.parametrize(
    ("mine", "limits"),
    [
        (Resources(requests=q(cpu="10")), q(cpu="10", memory="8Gi")),
        (Resources(requests=q(cpu="1"), limits=q(cpu="10")), q(cpu="10", memory="8Gi")),
        (Resources(), q(cpu="4", memory="8Gi")),
    ],
)
def test_a_limit_is_lifted_to_the_request_of_the_playground(
    mine: Resources, limits: dict[str, Quantity]
) -> None:
    theirs = Resources(requests=q(cpu="4", memory="8Gi"), limits=q(cpu="4", memory="8Gi"))
    config = RecommendedConfig(name="default", resources=theirs)
    found = container(chat(resources=mine), runtime(recommended_configs=(config,)))
    assert found.resources.limits == limits


def test_shared_memory_is_the_playgrounds_or_the_configs() -> None:
    config = RecommendedConfig(name="default", shared_memory_size=Quantity("1Gi"))
    snapshot = ClusterSnapshot(
        models={"qwen": model("qwen")},
        runtimes={"vllm": runtime(recommended_configs=(config,))},
    )
    sizes = []
    for one in (chat(), chat(shared_memory_size=Quantity("2Gi"))):
        service = resolve(one, snapshot)
        assert not isinstance(service, Refusal)
        (volume,) = service.spec.workload_template.worker_template.spec.volumes
        assert volume.empty_dir is not None
        sizes.append(str(volume.empty_dir.size_limit))
    assert sizes == ["1Gi", "2Gi"]


def test_probes_come_from_the_runtime() -> None:
    probe = Probe(period_seconds=7)
    assert container(chat(), runtime(readiness_probe=probe)).readiness_probe == probe


def test_the_requirements_of_a_process_reach_its_engines() -> None:
    vllm = runtime(process=Process(command=("vllm",), requirements=("vllm>=0.32", "ray[default]")))
    models = {"qwen": model("qwen")}
    service = resolve(chat(), ClusterSnapshot(models=models, runtimes={vllm.metadata.name: vllm}))
    assert isinstance(service, Service)
    wanted = demand(service, models)
    assert isinstance(wanted, Demand)
    assert wanted.pattern.requirements == ("vllm>=0.32", "ray[default]")


@pytest.mark.parametrize(
    ("wanted", "required"),
    [(None, "vllm==0.32.0"), ("v0.33.0", "vllm==0.33.0"), ("0.31.0", "vllm==0.31.0")],
)
def test_a_process_has_the_version_that_a_container_would_have(
    wanted: str | None, required: str
) -> None:
    process = Process(requirements=("vllm=={{ .Version }}", "ray"))
    vllm = runtime(process=process, version="v0.32.0")
    models = {"qwen": model("qwen")}
    snapshot = ClusterSnapshot(models=models, runtimes={vllm.metadata.name: vllm})
    service = resolve(chat(version=wanted), snapshot)
    assert isinstance(service, Service)
    assert service.metadata.annotations[REQUIREMENTS].splitlines() == [required, "ray"]


def test_the_command_of_a_process_wins_over_the_containers() -> None:
    found = container(chat(), runtime(process=Process(command=("llmaz-llamacpp",))))
    assert found.command == ("llmaz-llamacpp",)


def test_a_model_that_the_engine_loads_is_named_in_place_of_a_path() -> None:
    skipping = playground("chat", "qwen", annotations={"llmaz.io/skip-model-loader": "true"})
    template = runtime("vllm", "{{ .ModelPath }}")
    assert container(skipping, template).args == ("org/qwen",)
    from_s3 = model("qwen", uri="s3://bucket/qwen")
    assert container(skipping, template, from_s3).args == ("s3://bucket/qwen",)


def test_an_ollama_model_is_named_as_ollama_names_it() -> None:
    found = container(
        chat(), runtime("vllm", "{{ .ModelName }}"), model("qwen", uri="ollama://qwen2:0.5b")
    )
    assert found.args == ("qwen2:0.5b",)


def test_an_engine_that_opens_a_file_is_given_the_path_of_an_ollama_model() -> None:
    ollamas = model("qwen", uri="ollama://qwen2:0.5b")
    assert container(chat(), runtime("vllm", "{{ .ModelPath }}"), ollamas).args == (
        "$(LLMAZ_MODEL_PATH)",
    )


@pytest.mark.parametrize(
    ("wish", "args", "reason", "message"),
    [
        (
            {"backend_name": "none"},
            "",
            "RuntimeNotFound",
            "BackendRuntime none does not exist",
        ),
        (
            {"config_name": "fast"},
            "",
            "ConfigNotFound",
            "BackendRuntime vllm has no recommendedConfig fast; it has default",
        ),
        (
            {"args": ("--name", "{{ .ModelName }}-{{ .Nope }}")},
            "",
            "InvalidTemplate",
            (
                "spec.backendRuntimeConfig.args[1]: {{ .Nope }} is no placeholder, and a "
                "Playground's arguments reach the engine as they are"
            ),
        ),
        (
            {},
            "{{ .Nonsense }}",
            "InvalidTemplate",
            (
                "recommendedConfig default of BackendRuntime vllm, on any node: {{ .Nonsense }} "
                "is not known here; known are {{ .Host }}, {{ .ModelName }}, {{ .ModelPath }}, "
                "{{ .Port }}"
            ),
        ),
    ],
)
def test_what_can_not_be_resolved_is_refused_with_a_sentence(
    wish: dict[str, object], args: str, reason: str, message: str
) -> None:
    assert resolved(chat(**wish), runtime("vllm", args)) == Refusal(reason=reason, message=message)


def test_a_flavor_that_the_model_does_not_have_is_refused() -> None:
    found = resolved(
        playground("chat", "qwen", flavors=("h100",)), runtime(), model("qwen", flavor("a10"))
    )
    message = "OpenModel qwen has no flavor h100; it has a10"
    assert found == Refusal(reason="FlavorNotFound", message=message)


def test_a_flavor_without_tp_is_refused_where_the_arguments_ask_for_it() -> None:
    found = resolved(
        chat(), runtime("vllm", "{{ .TP }}"), model("qwen", flavor("a", 2, TP="2"), flavor("b"))
    )
    assert isinstance(found, Refusal)
    assert found.reason == "InvalidTemplate"
    assert "flavor b: {{ .TP }} is not known here" in found.message
