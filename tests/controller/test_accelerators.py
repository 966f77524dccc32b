import dataclasses

import pytest

from llmaz.api.accelerator import Accelerator
from llmaz.api.kinds import NODE
from llmaz.controller.accelerators import accelerator_labels, are_named, label_node
from llmaz.controller.actions import SetLabels
from llmaz.controller.snapshot import KubeNode, Ref
from support.builders import gpu

OWNED = "llmaz.io/owned-labels"
A10 = {
    "llmaz.io/accelerator.vendor": "nvidia",
    "llmaz.io/accelerator.model": "a10",
    "llmaz.io/accelerator.count": "2",
    "llmaz.io/accelerator.memory-mib": "24576",
    "gpu.nvidia.com/model": "a10",
    "nvidia.com/gpu.product": "NVIDIA-A10",
    "nvidia.com/gpu.count": "2",
    "nvidia.com/gpu.replicas": "1",
    "nvidia.com/gpu.sharing-strategy": "none",
    "nvidia.com/mps.capable": "false",
    "nvidia.com/gpu.memory": "24576",
}


def product(name: str, index: int = 0) -> Accelerator:
    return Accelerator(
        uuid=str(index), index=index, vendor="nvidia", product=name, resource="nvidia.com/gpu"
    )


def change(node: KubeNode, accelerators: tuple[Accelerator, ...]) -> SetLabels | None:
    return next(label_node(node, accelerator_labels(accelerators)), None)


def test_the_commonest_product_names_the_node() -> None:
    devices = [product("NVIDIA T4", 0), product("NVIDIA A10", 1), product("NVIDIA A10", 2)]
    assert accelerator_labels(devices)["llmaz.io/accelerator.model"] == "a10"
    assert accelerator_labels(devices)["llmaz.io/accelerator.count"] == "2"


def test_a_new_node_is_labelled_and_what_is_ours_is_noted() -> None:
    assert change(KubeNode(name="n"), (gpu("a"), gpu("b", 1))) == SetLabels(
        ref=Ref(kind=NODE, name="n"), labels=A10, annotations={OWNED: ",".join(sorted(A10))}
    )


def test_a_label_of_somebody_else_stays_as_it_is() -> None:
    node = KubeNode(name="n", labels={"gpu.nvidia.com/model": "special"})
    found = change(node, (gpu("a"), gpu("b", 1)))
    assert found is not None
    assert "gpu.nvidia.com/model" not in found.labels
    assert "gpu.nvidia.com/model" not in (found.annotations[OWNED] or "")


def test_labels_of_ours_go_with_the_accelerators_and_others_stay() -> None:
    node = KubeNode(
        name="n", labels={**A10, "mine": "yes"}, annotations={OWNED: ",".join(sorted(A10))}
    )
    found = change(node, ())
    assert found is not None
    assert found.labels == dict.fromkeys(A10)
    assert found.annotations == {OWNED: ""}


def test_a_labelled_node_is_left_alone() -> None:
    node = KubeNode(name="n", labels=A10, annotations={OWNED: ",".join(sorted(A10))})
    assert change(node, (gpu("a"), gpu("b", 1))) is None


def test_a_device_that_is_not_well_still_counts() -> None:
    well, lost = gpu("a"), gpu("b", 1, healthy=False)
    assert accelerator_labels([well, lost]) == accelerator_labels([well, gpu("b", 1)])


def test_a_machines_name_becomes_a_label_of_a_node_with_nvidias_devices() -> None:
    machine = "Standard PC (Q35 + ICH9, 2009)"
    labels = accelerator_labels([gpu("a")], machine)
    assert labels["nvidia.com/gpu.machine"] == "Standard-PC-Q35-ICH9-2009"
    assert accelerator_labels([], machine) == {}


def test_devices_without_names_say_nothing_about_labels() -> None:
    undriven = dataclasses.replace(gpu("a"), product="", healthy=False)
    assert not are_named([undriven])
    assert are_named([undriven, gpu("b", 1)])
    assert are_named([])


def test_what_is_not_known_is_no_label() -> None:
    device = Accelerator(
        uuid="habana-0000:19:00.0",
        index=0,
        vendor="habana",
        product="Gaudi2",
        resource="habana.ai/gaudi",
        family="gaudi2",
    )
    assert accelerator_labels([device]) == {
        "llmaz.io/accelerator.vendor": "habana",
        "llmaz.io/accelerator.model": "gaudi2",
        "llmaz.io/accelerator.count": "1",
        "llmaz.io/accelerator.family": "gaudi2",
    }
    assert accelerator_labels([dataclasses.replace(device, product="")]) == {}


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        (("nvlink", "nvlink"), "nvlink"),
        (("xgmi", "xgmi"), "xgmi"),
        (("nvlink", "pcie"), "pcie"),
        (("nvlink", ""), None),
        (("",), None),
    ],
)
def test_the_interconnect_is_the_one_that_all_devices_have(
    kinds: tuple[str, ...], told: str | None
) -> None:
    devices = [
        dataclasses.replace(gpu(f"GPU-{place}", place), interconnect=kind)
        for place, kind in enumerate(kinds)
    ]
    assert accelerator_labels(devices).get("llmaz.io/accelerator.interconnect") == told


def test_where_nvidias_discovery_runs_its_labels_are_its_own() -> None:
    node = KubeNode(name="n", labels={"nvidia.com/gfd.timestamp": "1", "nvidia.com/gpu.count": "8"})
    found = change(node, (gpu("a"), gpu("b", 1)))
    assert found is not None
    assert not any(key.startswith("nvidia.com/") for key in found.labels)
    assert found.labels["gpu.nvidia.com/model"] == "a10"


def test_labels_of_ours_are_left_to_nvidias_discovery_when_it_comes() -> None:
    labels = {**A10, "nvidia.com/gfd.timestamp": "1"}
    node = KubeNode(name="n", labels=labels, annotations={OWNED: ",".join(sorted(A10))})
    kept = sorted(key for key in A10 if not key.startswith("nvidia.com/"))
    for accelerators in ((gpu("a"), gpu("b", 1)), ()):
        found = change(node, accelerators)
        assert found is not None
        assert not any(key.startswith("nvidia.com/") for key in found.labels)
        assert found.annotations == {OWNED: ",".join(kept) if accelerators else ""}
