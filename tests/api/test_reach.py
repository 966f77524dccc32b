"""What the definitions of a release let pass and no program can work with is refused where it is.

An API server takes for good what a release took, so the programs that read an object say it.
"""

import pytest

from llmaz.api.manifest import Json, Manifest
from support import judges
from support.manifests import backend_runtime, open_model, playground, service

GPU = "nvidia.com/gpu"
FLAVOR = "spec.inferenceConfig.flavors[0]"
REPLACING = "spec.rolloutStrategy.rollingUpdateConfiguration"


def flavor(**members: Json) -> Manifest:
    return open_model(inferenceConfig={"flavors": [{"name": "a", **members}]})


def asking(**resources: Json) -> Manifest:
    return playground(backendRuntimeConfig={"resources": resources})


def replacing(**limits: Json) -> Manifest:
    return service(rolloutStrategy={"rollingUpdateConfiguration": limits})


def assert_only_programs_refuse(manifest: Manifest, path: str) -> None:
    assert judges.crd(manifest).problems == ()
    assert [where for where, _ in judges.types(manifest).problems] == [path]


@pytest.mark.parametrize("amount", ["-1", "1e1.5", "1e.5", "1e99999999999999999999", "500m"])
def test_an_amount_of_devices_that_is_none_is_refused_at_its_flavor(amount: str) -> None:
    """Taken, it would stop every round of the controller, or take all devices but one."""
    assert_only_programs_refuse(flavor(limits={GPU: amount}), f"{FLAVOR}.limits.{GPU}")


@pytest.mark.parametrize("amount", [2, "2", "2000m", "1e1"])
def test_a_whole_number_of_devices_is_taken_however_it_is_written(amount: str) -> None:
    assert judges.types(flavor(limits={GPU: amount, "cpu": "500m"})).problems == ()


@pytest.mark.parametrize("key", ["TP", "PP"])
@pytest.mark.parametrize("count", ["two", "0", "-1", "1.5", "", "٣", "9" * 5000, True])
def test_a_count_of_a_flavor_that_is_none_is_refused_where_it_stands(
    key: str, count: str | bool
) -> None:
    assert_only_programs_refuse(flavor(params={key: count}), f"{FLAVOR}.params.{key}")


def test_other_params_of_a_flavor_are_any_text() -> None:
    params: Json = {"TP": 8, "PP": "2", "INSTANCE-TYPE": "p4d.24xlarge", "note": ""}
    assert judges.types(flavor(params=params)).problems == ()


@pytest.mark.parametrize(
    ("manifest", "path"),
    [
        (
            asking(requests={"cpu": -1}),
            "spec.backendRuntimeConfig.resources.requests.cpu",
        ),
        (
            asking(limits={GPU: "0.5"}),
            f"spec.backendRuntimeConfig.resources.limits.{GPU}",
        ),
        (
            playground(backendRuntimeConfig={"sharedMemorySize": "-1Gi"}),
            "spec.backendRuntimeConfig.sharedMemorySize",
        ),
        (
            playground(placement={"memory": {"perReplica": "-5Gi"}}),
            "spec.placement.memory.perReplica",
        ),
        (
            backend_runtime(
                recommendedConfigs=[{"name": "a", "resources": {"limits": {"memory": "-1Gi"}}}]
            ),
            "spec.recommendedConfigs[0].resources.limits.memory",
        ),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_nobody_can_ask_for_less_than_nothing_or_for_part_of_a_device(
    manifest: Manifest, path: str
) -> None:
    assert_only_programs_refuse(manifest, path)


@pytest.mark.parametrize(
    ("manifest", "path"),
    [
        (playground(replicas=10_001), "spec.replicas"),
        (service(replicas=10_001), "spec.replicas"),
        (
            playground(elasticConfig={"maxReplicas": 10_001}),
            "spec.elasticConfig.maxReplicas",
        ),
        (replacing(maxSurge=10_001), f"{REPLACING}.maxSurge"),
        (replacing(maxSurge="1000%"), f"{REPLACING}.maxSurge"),
        (replacing(maxUnavailable="9" * 5000 + "%"), f"{REPLACING}.maxUnavailable"),
        (
            playground(placement={"moveBack": {"afterSeconds": 10**15}}),
            "spec.placement.moveBack.afterSeconds",
        ),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_a_number_beyond_what_can_be_served_is_refused_where_it_stands(
    manifest: Manifest, path: str
) -> None:
    """Taken, it would keep everybody else's objects waiting for minutes, or for ever."""
    assert_only_programs_refuse(manifest, path)


def test_the_largest_numbers_that_can_be_served_are_taken() -> None:
    assert judges.types(playground(replicas=10_000)).problems == ()
    assert judges.types(replacing(maxSurge="999%", maxUnavailable=10_000)).problems == ()
