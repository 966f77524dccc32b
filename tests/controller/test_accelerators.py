import pytest

from llmaz.api.kinds import NODE
from llmaz.api.node import Accelerator
from llmaz.controller.accelerators import accelerator_labels, label_node
from llmaz.controller.actions import SetLabels
from llmaz.controller.snapshot import KubeNode, Ref
from support.controlling import gpu

OWNED = "llmaz.io/owned-labels"
A10 = {
    "llmaz.io/accelerator.vendor": "nvidia",
    "llmaz.io/accelerator.model": "NVIDIA-A10",
    "llmaz.io/accelerator.count": "2",
    "llmaz.io/accelerator.memory-mib": "24576",
    "gpu.nvidia.com/model": "a10",
}


def product(name: str, index: int = 0) -> Accelerator:
    return Accelerator(
        uuid=str(index), index=index, vendor="nvidia", product=name, resource="nvidia.com/gpu"
    )


def change(node: KubeNode, accelerators: tuple[Accelerator, ...] | None) -> SetLabels | None:
    return label_node(node, accelerators)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("NVIDIA A10", "a10"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("Tesla T4", "t4"),
        ("NVIDIA GeForce RTX 4090", "4090"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA L40S", "l40s"),
    ],
)
def test_a_product_has_the_short_name_that_manifests_select_by(name: str, short: str) -> None:
    assert accelerator_labels([product(name)])["gpu.nvidia.com/model"] == short


def test_the_commonest_product_names_the_node() -> None:
    devices = [product("NVIDIA T4", 0), product("NVIDIA A10", 1), product("NVIDIA A10", 2)]
    assert accelerator_labels(devices)["llmaz.io/accelerator.model"] == "NVIDIA-A10"


def test_a_new_node_is_labelled_and_what_is_ours_is_noted() -> None:
    assert change(KubeNode(name="n"), (gpu("a"), gpu("b", 1))) == SetLabels(
        ref=Ref(kind=NODE, name="n"), labels=A10, annotations={OWNED: ",".join(sorted(A10))}
    )


def test_a_label_of_somebody_else_stays_as_it_is() -> None:
    node = KubeNode(name="n", labels={"gpu.nvidia.com/model": "special"})
    found = change(node, (gpu("a"), gpu("b", 1)))
    assert found is not None
    assert "gpu.nvidia.com/model" not in found.labels
    assert "gpu.nvidia.com/model" not in found.annotations[OWNED]


def test_labels_of_ours_go_with_the_accelerators_and_others_stay() -> None:
    node = KubeNode(
        name="n", labels={**A10, "mine": "yes"}, annotations={OWNED: ",".join(sorted(A10))}
    )
    found = change(node, ())
    assert found is not None
    assert found.labels == dict.fromkeys(A10)
    assert found.annotations == {OWNED: ""}


def test_a_labelled_node_is_left_alone_and_so_is_one_that_is_not_known() -> None:
    node = KubeNode(name="n", labels=A10, annotations={OWNED: ",".join(sorted(A10))})
    assert change(node, (gpu("a"), gpu("b", 1))) is None
    assert change(node, None) is None
