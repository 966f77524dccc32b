"""Every value of the chart reaches the objects, and every object suits Kubernetes."""

import json
from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from llmaz.agent.settings import Host, RunAgent, from_argv
from llmaz.api.backendruntime import BackendRuntime
from llmaz.api.manifest import decode
from llmaz.controller.settings import from_argv as controller_settings
from support.chart import CHART, Json, helm, helm_template, only, rendered, template, the
from support.chartvalues import BATCHES, SWITCHES, Cases

VERSIONS = ("1.31", "1.34", "1.37")
# Kinds that others define.
OPERATORS_OWN = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "HTTPRoute", "InferencePool"}

EVERYTHING = {
    "priorityClass.create": True,
    "monitoring.monitors": True,
    "monitoring.rules": "ConfigMap",
    "monitoring.dashboard.enabled": True,
    "agent.secretNamespaces": ["models"],
    "agent.runtimeClassName": "nvidia",
    "agent.hostNetwork": True,
    "agent.nvidia.devices": "mounts",
    "agent.supplementalGroups": [44],
    "image.pullSecrets": ["registry"],
    "gateway.httpRoute.enabled": True,
    "gateway.httpRoute.parentRefs": [{"name": "entry", "namespace": "gateways"}],
    "inferencePools": [{"playground": "chat", "endpointPicker": {"name": "picker"}}],
    "openWebUI.enabled": True,
    "openWebUI.keySecret": "signing",
}
LEAST = {
    "controller.replicas": 1,
    "gateway.autoscaling.enabled": False,
    "gateway.replicas": 1,
    "networkPolicy.enabled": False,
    "admissionPolicy.enabled": False,
    "agent.nvidia.devices": "none",
    "agent.secretNames": [],
    "agent.tolerations": [],
}


@pytest.fixture(scope="module")
def by_default() -> list[Json]:
    return rendered()


def test_helm_finds_no_fault() -> None:
    done = helm("lint", "--strict", str(CHART), "--namespace", "llmaz-system")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", [{}, EVERYTHING, LEAST], ids=["default", "everything", "least"])
def test_every_object_suits_the_schemas_of_kubernetes(
    values: dict[str, Json], version: str
) -> None:
    for one in rendered(values, "--kube-version", f"{version}.0"):
        if one["kind"] == "BackendRuntime":
            decode(BackendRuntime, one)
        elif one["kind"] not in OPERATORS_OWN:
            kubernetes_validate.validate(one, version, strict=True)


@pytest.fixture(scope="module", params=BATCHES)
def batch(request: pytest.FixtureRequest) -> tuple[Cases, str]:
    """Cases, and what helm renders with all their values."""
    cases = BATCHES[request.param]
    return cases, json.dumps(rendered({path: value for path, (value, _) in cases.items()}))


def test_every_value_reaches_the_objects(batch: tuple[Cases, str], by_default: list[Json]) -> None:
    cases, text = batch
    usual = json.dumps(by_default)
    unseen = [path for path, (_, shown) in cases.items() if shown not in text or shown in usual]
    assert unseen == []


def test_a_switch_leaves_a_kind_out(by_default: list[Json]) -> None:
    objects = rendered(dict.fromkeys(SWITCHES, False))
    for kind in SWITCHES.values():
        assert only(by_default, kind)
        assert not only(objects, kind)


def test_no_value_is_left_out_of_these_tests() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    del values["runtimes"]  # below
    tried = {path for cases in BATCHES.values() for path in cases}
    assert set(_leaves(values, "")) == tried | SWITCHES.keys()


def _leaves(value: Json, path: str) -> Iterator[str]:
    schema = path.rpartition(".")[2]
    if isinstance(value, dict) and value and schema not in ("resources", "labels"):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path


def test_the_runtimes_are_the_files_beside_the_templates() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    files = {path.stem for path in (CHART / "runtimes").glob("*.yaml")}
    assert values["runtimes"].keys() == files
    assert schema["properties"]["runtimes"]["properties"].keys() == files
    shipped = only(rendered(), "BackendRuntime")
    assert {one["metadata"]["name"] for one in shipped} == files


@pytest.mark.parametrize("path", sorted((CHART / "runtimes").glob("*.yaml")), ids=lambda p: p.stem)
def test_a_runtime_is_installed_as_its_file_says(path: Path, by_default: list[Json]) -> None:
    assert (
        the(by_default, "BackendRuntime", path.stem)["spec"]
        == (yaml.safe_load(path.read_text())["spec"])
    )


def test_a_runtime_can_have_another_image_and_version_or_be_left_out() -> None:
    changed = {"image": "registry.test/vllm", "version": "v1"}
    objects = rendered({"runtimes.vllm": changed, "runtimes.tgi": {"enabled": False}})
    spec = the(objects, "BackendRuntime", "vllm")["spec"]
    assert (spec["image"], spec["version"]) == ("registry.test/vllm", "v1")
    assert "tgi" not in {one["metadata"]["name"] for one in only(objects, "BackendRuntime")}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"agent.nodeSelektor": {}}, "'nodeSelektor' not allowed"),
        ({"controller.replicas": 0}, "/controller/replicas"),
        ({"runtimes.vlm": {}}, "'vlm' not allowed"),
        ({"agent.hostPath": "relative"}, "/agent/hostPath"),
        ({"agent.user": 0}, "/agent/user"),
        ({"networkPolicy.apiServerPorts": []}, "/networkPolicy/apiServerPorts"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_a_mistaken_value_is_refused_with_its_place(values: Json, words: str) -> None:
    done = helm_template(values)
    assert done.returncode != 0
    assert words in done.stderr


def test_another_namespace_is_refused_with_the_right_one() -> None:
    done = helm_template(namespace="default")
    assert done.returncode != 0
    assert "--namespace llmaz-system --create-namespace" in done.stderr


def test_an_older_kubernetes_is_refused() -> None:
    done = helm_template(None, "--kube-version", "1.30.4")
    assert "requires kubeVersion" in done.stderr


def test_the_definitions_come_before_everything_else() -> None:
    objects = [one for one in yaml.safe_load_all(template(None, "--include-crds")) if one]
    kinds = [one["kind"] for one in objects]
    served = {path.name for path in (CHART / "crds").glob("*.yaml")}
    assert kinds[: len(served)] == ["CustomResourceDefinition"] * len(served)


def test_an_agent_is_replaced_by_an_upgrade_where_engines_go_on_without_it(
    by_default: list[Json],
) -> None:
    daemonset = the(by_default, "DaemonSet", "llmaz-agent")["spec"]
    assert daemonset["updateStrategy"]["type"] == "RollingUpdate"


@pytest.mark.parametrize(
    ("values", "gone"),
    [
        ({}, 1),
        ({"controller.replicas": 1, "gateway.autoscaling.minReplicas": 1}, 0),
        ({"gateway.autoscaling.enabled": False, "gateway.replicas": 3}, 1),
        (
            {"controller.replicas": 1, "gateway.autoscaling.enabled": False, "gateway.replicas": 1},
            0,
        ),
    ],
)
def test_an_upgrade_ends_on_nodes_without_room_for_one_more_pod_unless_there_is_but_one(
    values: Json, gone: int
) -> None:
    objects = rendered(values)
    for name in ("llmaz-controller", "llmaz-gateway"):
        strategy = the(objects, "Deployment", name)["spec"]["strategy"]["rollingUpdate"]
        assert strategy == {"maxUnavailable": gone, "maxSurge": "25%"}


def test_the_controller_can_read_how_slots_are_made() -> None:
    tolerations = [{"key": "slow", "operator": "Exists", "effect": "NoSchedule"}]
    values: dict[str, Json] = {
        "slots.tolerations": tolerations,
        "slots.env": [{"name": "A", "value": "1"}],
        "slots.resources": {"requests": {"cpu": "1"}},
        "slots.volumes": [{"name": "models", "hostPath": {"path": "/models"}}],
        "agent.nodeSelector": {"gpu": "yes"},
    }
    deployment = the(rendered(values), "Deployment", "llmaz-controller")
    argv = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    slots = controller_settings(argv, {}, "pod").slots
    assert (slots.launcher, slots.image) == ("slot", "llmaz-agent:0.1.0")
    assert (slots.user, slots.node_selector) == (65532, {"gpu": "yes"})
    assert slots.tolerations[0].effect == "NoSchedule"


def test_nothing_but_a_person_replaces_a_pod_that_holds_engines() -> None:
    daemonset = the(rendered({"launcher": "process"}), "DaemonSet", "llmaz-agent")["spec"]
    pod = daemonset["template"]
    assert daemonset["updateStrategy"] == {"type": "OnDelete"}
    assert pod["metadata"]["annotations"]["karpenter.sh/do-not-disrupt"] == "true"
    (agent,) = pod["spec"]["containers"]
    assert "livenessProbe" not in agent
    assert "--stop-engines-within=150" in agent["args"]
    assert pod["spec"]["terminationGracePeriodSeconds"] > 150


@pytest.mark.parametrize(("on_the_node", "port"), [(False, 9499), (True, None)])
def test_a_pod_on_the_nodes_network_asks_for_no_port_beside_its_own(
    on_the_node: bool, port: int | None
) -> None:
    """An API server refuses a hostPort there that is not the container's."""
    objects = rendered({"agent.sharing.hostPort": 9499, "agent.hostNetwork": on_the_node})
    (agent,) = the(objects, "DaemonSet", "llmaz-agent")["spec"]["template"]["spec"]["containers"]
    (sharing,) = (one for one in agent["ports"] if one["name"] == "sharing")
    assert sharing.get("hostPort") == port


def test_no_container_may_do_more_than_it_must(by_default: list[Json]) -> None:
    for one in (*only(by_default, "Deployment"), *only(by_default, "DaemonSet")):
        pod = one["spec"]["template"]["spec"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            context = pod["securityContext"] | container["securityContext"]
            assert context["runAsNonRoot"] is True
            assert context["runAsUser"] > 0
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
    (first,) = the(by_default, "DaemonSet", "llmaz-agent")["spec"]["template"]["spec"][
        "initContainers"
    ]
    assert first["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["CHOWN"]}
    assert first["command"] == ["chown"]


def test_programs_leave_a_lost_node_in_half_a_minute(by_default: list[Json]) -> None:
    for name in ("llmaz-controller", "llmaz-gateway"):
        pod = the(by_default, "Deployment", name)["spec"]["template"]["spec"]
        borne = {one["key"]: one["tolerationSeconds"] for one in pod["tolerations"]}
        lost = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
        assert borne == dict.fromkeys(lost, 30)


def test_what_runs_before_an_upgrade_needs_nothing_that_the_upgrade_makes() -> None:
    made = rendered({"priorityClass.create": True})
    pods = {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in only(made, "Job")}
    assert "priorityClassName" not in pods["llmaz-definitions"]
    controller = the(made, "Deployment", "llmaz-controller")["spec"]["template"]["spec"]
    assert controller["priorityClassName"] == "llmaz"


def test_what_runs_before_an_upgrade_reaches_the_api_server_where_nothing_else_is_allowed() -> None:
    made = rendered({"networkPolicy.apiServerPorts": [6443]})
    job = the(made, "Job", "llmaz-definitions")
    policy = the(made, "NetworkPolicy", "llmaz-definitions")
    selected = policy["spec"]["podSelector"]["matchLabels"].items()
    assert selected <= job["spec"]["template"]["metadata"]["labels"].items()
    assert policy["spec"]["egress"] == [{"ports": [{"protocol": "TCP", "port": 6443}]}]
    assert "ingress" not in policy["spec"]
    weights = [int(one["metadata"]["annotations"]["helm.sh/hook-weight"]) for one in (policy, job)]
    assert weights[0] < weights[1]
    without = rendered({"networkPolicy.enabled": False})
    assert "NetworkPolicy" not in {one["kind"] for one in without}


def test_the_container_that_asks_the_kubelet_is_root_and_may_do_nothing_else() -> None:
    made = rendered({"agent.podResources.enabled": True})
    pod = the(made, "DaemonSet", "llmaz-agent")["spec"]["template"]["spec"]
    agent, devices = pod["containers"]
    assert devices["command"] == ["python", "-m", "llmaz.agent.slots.kubelet"]
    context = devices["securityContext"]
    assert (context["runAsUser"], context["capabilities"]) == (0, {"drop": ["ALL"]})
    assert context["allowPrivilegeEscalation"] is False
    volumes = {one["name"]: one for one in pod["volumes"]}
    assert volumes["kubelet"]["hostPath"]["path"] == "/var/lib/kubelet/pod-resources"
    mounts = {one["name"]: one for one in devices["volumeMounts"]}
    assert mounts["kubelet"]["readOnly"] is True
    assert "kubelet" not in {one["name"] for one in agent["volumeMounts"]}
    settings = from_argv(agent["args"], {}, Host(name="a", address="10.0.0.1"))
    assert isinstance(settings, RunAgent)
    assert f"--listen={settings.devices_socket}" in devices["args"]


def test_a_node_in_a_cluster_fetches_for_other_machines_only_what_it_shall_hold(
    by_default: list[Json],
) -> None:
    pod = the(by_default, "DaemonSet", "llmaz-agent")["spec"]["template"]["spec"]
    settings = from_argv(pod["containers"][0]["args"], {}, Host(name="a", address="10.0.0.1"))
    assert isinstance(settings, RunAgent)
    assert settings.mirror_fetch == "assigned"
