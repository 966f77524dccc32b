"""v0.1.0 and later manifests say the same in other words."""

import pytest

from llmaz.api.backendruntime import BackendRuntime
from llmaz.api.manifest import Manifest, ManifestError, decode, encode
from llmaz.api.openmodel import OpenModel
from llmaz.api.playground import Playground
from llmaz.api.quantity import Quantity
from support.manifests import PUBLISHED, backend_runtime, documents, open_model, part, playground

(VLLM_0_1_0,) = documents(PUBLISHED / "seeds" / "seed000-backendruntime-vllm-v0.1.0.yaml")


def test_requests_of_a_flavor_are_its_limits() -> None:
    older = open_model(inferenceConfig={"flavors": [{"name": "a", "requests": {"gpu": 8}}]})
    newer = open_model(inferenceConfig={"flavors": [{"name": "a", "limits": {"gpu": 8}}]})
    assert decode(OpenModel, older) == decode(OpenModel, newer)


def test_a_runtimes_commands_args_and_flags_are_its_command_and_configurations() -> None:
    spec = decode(BackendRuntime, VLLM_0_1_0).spec
    assert spec.command == ("python3", "-m", "vllm.entrypoints.openai.api_server")
    assert [config.name for config in spec.recommended_configs] == [
        "default",
        "speculative-decoding",
        "model-parallelism",
    ]
    assert spec.recommended_configs[2].args[-2:] == ("--pipeline-parallel-size", "{{ .PP }}")
    assert spec.multi_host_commands is not None
    assert "ray start --head" in spec.multi_host_commands.leader[2]


def test_resources_and_triggers_said_once_hold_for_every_configuration() -> None:
    trigger: Manifest = {"name": "cpu", "hpa": {"metrics": [{"type": "Resource"}]}}
    spec = part(VLLM_0_1_0, "spec") | {"scaleTriggers": [trigger]}
    manifest = VLLM_0_1_0 | {"spec": spec}
    config = decode(BackendRuntime, manifest).spec.config("speculative-decoding")
    assert config is not None
    assert config.resources is not None
    assert config.resources.limits["memory"] == Quantity("8Gi")
    assert config.scale_trigger is not None
    assert config.scale_trigger.hpa.metrics == ({"type": "Resource"},)


def test_a_configurations_own_resources_come_first() -> None:
    runtime = backend_runtime(
        resources={"limits": {"cpu": 1}},
        recommendedConfigs=[{"name": "default", "resources": {"limits": {"cpu": 2}}}],
    )
    config = decode(BackendRuntime, runtime).spec.config("default")
    assert config is not None
    assert config.resources is not None
    assert config.resources.limits == {"cpu": Quantity("2")}


def test_a_runtime_has_no_configuration_of_an_unknown_name() -> None:
    assert decode(BackendRuntime, VLLM_0_1_0).spec.config("mine") is None


def test_an_older_runtime_applied_over_a_newer_one_is_what_counts() -> None:
    merged = backend_runtime(command=["vllm", "serve"], **part(VLLM_0_1_0, "spec"))
    assert decode(BackendRuntime, merged).spec == decode(BackendRuntime, VLLM_0_1_0).spec


def test_a_playgrounds_args_may_name_the_configuration_that_they_add_to() -> None:
    older: Manifest = {"name": "sglang", "args": {"name": "mine", "flags": ["--fast"]}}
    newer: Manifest = {"backendName": "sglang", "configName": "mine", "args": ["--fast"]}
    assert decode(Playground, playground(backendRuntimeConfig=older)) == decode(
        Playground,
        playground(backendRuntimeConfig=newer),
    )


def test_what_is_written_is_in_the_later_dialect() -> None:
    written = encode(decode(BackendRuntime, VLLM_0_1_0))
    assert {"commands", "args"}.isdisjoint(part(written, "spec"))


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"args": {"flags": ["a", 1]}}, "args.flags[1]"),
        ({"args": {"flag": []}}, "args.flag"),
        ({"args": {"name": "a"}, "configName": "b"}, "args.name"),
        ({"args": "--fast"}, "args"),
        ({"args": ["a", None]}, "args[1]"),
    ],
)
def test_errors_name_the_field_that_the_manifest_has(config: Manifest, path: str) -> None:
    with pytest.raises(ManifestError) as refused:
        decode(Playground, playground(backendRuntimeConfig=config))
    assert refused.value.path == f"spec.backendRuntimeConfig.{path}"


def test_a_short_claim_and_a_long_one_are_the_same_claim() -> None:
    short = playground(modelClaim={"modelName": "a", "inferenceFlavors": ["x"]})
    long = playground(modelClaims={"models": [{"name": "a"}], "inferenceFlavors": ["x"]})
    assert decode(Playground, short).spec.claims == decode(Playground, long).spec.claims
