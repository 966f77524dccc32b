"""The pods of slots as they are written."""

import dataclasses

import kubernetes_validate
import pytest

from llmaz.api.pod import Resources
from llmaz.api.quantity import Quantity
from llmaz.controller.slots.manifest import Place
from llmaz.controller.slots.policy import SlotToleration
from support.builders import GPU, flavor, on
from support.slotpods import POLICY, pod_of, wanted


@pytest.mark.parametrize("version", ["1.31", "1.34", "1.37"])
def test_a_pod_suits_the_schemas_of_kubernetes(version: str) -> None:
    policy = dataclasses.replace(
        POLICY,
        runtime_class_name="nvidia",
        image_pull_secrets=("registry",),
        supplemental_groups=(44,),
        tolerations=(SlotToleration(key="slow", effect="NoSchedule"),),
        resources=Resources(requests={"cpu": Quantity("1")}),
    )
    flavors = (on(flavor("a10"), gpu="a10"), on(flavor("l4"), gpu="l4"))
    pod = pod_of(wanted(*flavors), policy=policy)
    kubernetes_validate.validate({"apiVersion": "v1", "kind": "Pod", **pod}, version, strict=True)


def test_a_pod_owns_its_accelerators_in_the_scheduler_s_ledger() -> None:
    pod = pod_of(wanted(flavor("h100", 8)))
    (container,) = pod["spec"]["containers"]
    assert container["resources"]["limits"] == {GPU: "8"}
    assert {"key": GPU, "operator": "Exists"} in pod["spec"]["tolerations"]


def test_a_pod_may_do_no_more_than_a_restricted_one_but_see_the_cache() -> None:
    spec = pod_of(wanted(flavor("a10")))["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*spec["initContainers"], *spec["containers"]):
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
    (runner,) = spec["containers"]
    mounts = {mount["name"]: mount for mount in runner["volumeMounts"]}
    assert mounts["cache"] == {"name": "cache", "mountPath": "/data/cache", "readOnly": True}
    assert mounts["slots"]["subPathExpr"] == "$(LLMAZ_POD_UID)"  # its own directory alone


def test_a_pod_sees_the_copies_in_memory_read_only_where_there_are_some() -> None:
    asked = wanted(flavor("a10"))
    policy = dataclasses.replace(POLICY, memory_path="/dev/shm/llmaz")  # the node's
    spec = pod_of(asked, policy=policy)["spec"]
    volume = next(one for one in spec["volumes"] if one["name"] == "memory")
    assert volume["hostPath"]["path"] == "/dev/shm/llmaz"
    (runner,) = spec["containers"]
    mount = next(one for one in runner["volumeMounts"] if one["name"] == "memory")
    assert mount == {"name": "memory", "mountPath": "/data/memory", "readOnly": True}
    assert "memory" not in {one["name"] for one in pod_of(asked)["spec"]["volumes"]}


def test_the_shim_comes_from_the_agent_s_image_and_is_the_first_process_of_the_runtime_s() -> None:
    spec = pod_of(wanted(flavor("a10")))["spec"]
    (bringer,), (runner,) = spec["initContainers"], spec["containers"]
    assert bringer["image"] == "registry.test/llmaz-agent:1"
    assert runner["image"] == "engine:v1"
    assert runner["command"][0] == "/run/llmaz/shim/ld.so"
    assert runner["command"][-1] == "run"
    assert runner["lifecycle"]["preStop"]["exec"]["command"][-1] == "drain"
    assert runner["readinessProbe"]["exec"]["command"][-2:] == ["probe", "ready"]
    assert "livenessProbe" not in runner


def test_a_pod_has_more_time_to_end_than_its_engine() -> None:
    asked = wanted(flavor("a10"))
    spec = pod_of(asked)["spec"]
    grace = asked.pattern.termination_grace_period_seconds
    assert spec["terminationGracePeriodSeconds"] == grace + 20
    env = {one["name"]: one.get("value") for one in spec["containers"][0]["env"]}
    assert env["LLMAZ_SLOT_GRACE"] == str(grace)


def test_autoscalers_leave_a_pod_that_serves_alone_and_not_a_spare_one() -> None:
    asked = wanted(flavor("a10"))
    left_alone = {
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
        "karpenter.sh/do-not-disrupt": "true",
    }
    assert left_alone.items() <= pod_of(asked)["metadata"]["annotations"].items()
    spare = pod_of(asked, Place(replica="spare"))["metadata"]["annotations"]
    assert not left_alone.keys() & spare.keys()


def test_a_queue_of_kueue_s_is_passed_on() -> None:
    queue = {"kueue.x-k8s.io/queue-name": "team"}
    pod = pod_of(wanted(flavor("a10"), labels=queue))
    assert queue.items() <= pod["metadata"]["labels"].items()


def test_devices_are_claimed_where_the_policy_names_a_template() -> None:
    policy = dataclasses.replace(POLICY, device_claims={GPU: "one-gpu"})
    pod = pod_of(wanted(flavor("a10", 2)), policy=policy)
    for version in ("1.31", "1.34", "1.37"):
        kubernetes_validate.validate(
            {"apiVersion": "v1", "kind": "Pod", **pod}, version, strict=True
        )
    spec = pod["spec"]
    assert spec["resourceClaims"] == [
        {"name": "gpu-0", "resourceClaimTemplateName": "one-gpu"},
        {"name": "gpu-1", "resourceClaimTemplateName": "one-gpu"},
    ]
    resources = spec["containers"][0]["resources"]
    assert resources["claims"] == [{"name": "gpu-0"}, {"name": "gpu-1"}]
    assert GPU not in resources["limits"]


def test_the_name_of_a_pod_is_another_one_than_that_of_the_pod_before_it() -> None:
    first = Place(replica="0").name("chat", "key")
    assert first.startswith("chat-0-")
    assert Place(replica="0").name("chat", "key") == first
    assert Place(replica="0", after="uid").name("chat", "key") != first
    assert Place(replica="0", attempt=1).name("chat", "key") != first


def test_a_pod_leaves_a_node_whose_kubelet_is_silent_after_the_grace_that_is_said() -> None:
    policy = dataclasses.replace(POLICY, lost_seconds=45)
    tolerations = pod_of(wanted(flavor("a10")), policy=policy)["spec"]["tolerations"]
    assert {one["key"]: one["tolerationSeconds"] for one in tolerations if one["key"] != GPU} == {
        "node.kubernetes.io/not-ready": 45,
        "node.kubernetes.io/unreachable": 45,
    }


def test_a_grace_of_the_platform_s_own_for_silent_kubelets_counts() -> None:
    key = "node.kubernetes.io/unreachable"
    own = SlotToleration(key=key, effect="NoExecute", toleration_seconds=900)
    policy = dataclasses.replace(POLICY, tolerations=(own,))
    tolerations = pod_of(wanted(flavor("a10")), policy=policy)["spec"]["tolerations"]
    assert [one["tolerationSeconds"] for one in tolerations if one["key"] == key] == [900]
