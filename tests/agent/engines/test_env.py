"""The command line and environment of an engine."""

import dataclasses

import pytest

from llmaz.agent.engines.env import InvalidEnvironment, Leased, Local, command_line, expand
from llmaz.api.node import AssignedEngine
from llmaz.api.pod import EnvVar, EnvVarSource, FieldSelector, KeySelector, Resources
from llmaz.api.quantity import Quantity

LOCAL = Local(node_name="n1", address="10.0.0.1", path="/own/bin:/usr/bin")
LEASED = Leased(port=20001, model_path="/models/qwen")


def engine(**fields: object) -> AssignedEngine:
    made = AssignedEngine(
        id="prod/chat-0", service="chat", model="qwen", main_model="qwen", command=("serve",)
    )
    return dataclasses.replace(made, **fields)  # type: ignore[arg-type]  # as replace itself


def secret(name: str, *, optional: bool = False) -> EnvVar:
    selector = KeySelector(name="hub", key="token", optional=optional)
    return EnvVar(name=name, value_from=EnvVarSource(secret_key_ref=selector))


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)-$(B)", "1-2"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A} $", "$A ${A} $"),
        ("$(A", "$(A"),
        ("$()", "$()"),
    ],
)
def test_references_are_expanded_as_a_kubelet_does(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expanded


def test_arguments_get_what_only_the_node_knows() -> None:
    args = ("--model", "$(LLMAZ_MODEL_PATH)", "--port=$(LLMAZ_PORT)")
    line = command_line(engine(args=args), LOCAL, LEASED)
    assert line.argv == ("serve", "--model", "/models/qwen", "--port=20001")
    assert line.env["LWS_LEADER_ADDRESS"] == "10.0.0.1"
    assert line.env["HF_HUB_OFFLINE"] == "1"


def test_a_variable_may_refer_to_those_above_it() -> None:
    env = (EnvVar(name="A", value="1$(B)"), EnvVar(name="B", value="$(A)2"))
    line = command_line(engine(env=env), LOCAL, LEASED)
    assert (line.env["A"], line.env["B"]) == ("1$(B)", "1$(B)2")


def test_the_environment_is_clean() -> None:
    local = dataclasses.replace(LOCAL, inherited={"HOME": "/root"})
    line = command_line(engine(skip_model_loader=True), local, LEASED)
    assert line.env == {
        "HOME": "/root",
        "PATH": "/own/bin:/usr/bin",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": "",
        "LLMAZ_MODEL_PATH": "/models/qwen",
        "LLMAZ_DRAFT_MODEL_PATH": "",
        "LLMAZ_PORT": "20001",
        "LLMAZ_HOST": "0.0.0.0",
        "LWS_LEADER_ADDRESS": "10.0.0.1",
        "LWS_GROUP_SIZE": "1",
        "LWS_WORKER_INDEX": "0",
        "PYTHONUNBUFFERED": "1",
    }


def test_an_engine_sees_its_own_accelerators_by_uuid() -> None:
    wanted = engine(accelerators=("GPU-b", "MIG-a"))
    assert command_line(wanted, LOCAL, LEASED).env["CUDA_VISIBLE_DEVICES"] == "GPU-b,MIG-a"


def test_a_secret_goes_into_the_environment() -> None:
    leased = dataclasses.replace(LEASED, secrets={"hub": {"token": "s3cret"}})
    line = command_line(engine(env=(secret("TOKEN"),)), LOCAL, leased)
    assert line.env["TOKEN"] == "s3cret"
    assert "s3cret" not in repr(line)


@pytest.mark.parametrize("reference", ["$(TOKEN)", "--key=$(COPY)"])
def test_a_secret_is_refused_in_the_command_line(reference: str) -> None:
    env = (secret("TOKEN"), EnvVar(name="COPY", value="x$(TOKEN)"))
    leased = dataclasses.replace(LEASED, secrets={"hub": {"token": "s3cret"}})
    with pytest.raises(InvalidEnvironment, match="which comes from a Secret") as raised:
        command_line(engine(env=env, args=(reference,)), LOCAL, leased)
    assert raised.value.fault.reason == "SecretInArguments"


def test_a_secret_that_does_not_exist_is_named_unless_it_is_optional() -> None:
    with pytest.raises(InvalidEnvironment, match="wants key token of Secret hub"):
        command_line(engine(env=(secret("TOKEN"),)), LOCAL, LEASED)
    line = command_line(engine(env=(secret("TOKEN", optional=True),)), LOCAL, LEASED)
    assert "TOKEN" not in line.env


def test_fields_of_the_pod_are_the_engines() -> None:
    paths = ("metadata.namespace", "metadata.name", "spec.nodeName", "status.podIP")
    env = tuple(
        EnvVar(name=f"F{i}", value_from=EnvVarSource(field_ref=FieldSelector(field_path=path)))
        for i, path in enumerate(paths)
    )
    found = command_line(engine(env=env), LOCAL, LEASED).env
    assert [found[f"F{i}"] for i in range(4)] == ["prod", "chat-0", "n1", "10.0.0.1"]


def test_limits_become_those_of_a_cgroup() -> None:
    limits = {"memory": Quantity("2Gi"), "cpu": Quantity("1500m"), "nvidia.com/gpu": Quantity("1")}
    line = command_line(engine(resources=Resources(limits=limits)), LOCAL, LEASED)
    assert line.limits == {"pids": 32768, "memory": 2 << 30, "cpu": 1500}


def test_a_runtime_without_a_command_is_refused() -> None:
    with pytest.raises(InvalidEnvironment, match="names no command"):
        command_line(engine(command=()), LOCAL, LEASED)


def test_an_engine_that_fetches_its_weights_itself_asks_the_nodes_endpoint() -> None:
    local = dataclasses.replace(LOCAL, hub_url="http://127.0.0.1:9401")
    fetching = engine(skip_model_loader=True)
    assert command_line(fetching, local, LEASED).env["HF_ENDPOINT"] == "http://127.0.0.1:9401"
    own = dataclasses.replace(fetching, env=(EnvVar(name="HF_ENDPOINT", value="http://hub"),))
    assert command_line(own, local, LEASED).env["HF_ENDPOINT"] == "http://hub"
    assert "HF_ENDPOINT" not in command_line(engine(), local, LEASED).env
