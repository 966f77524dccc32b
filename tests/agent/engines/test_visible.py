"""Which accelerators an engine's libraries are shown."""

import pytest

from llmaz.agent.engines.visible import visible_devices
from llmaz.api.accelerator import Accelerator

NONE = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ""}


def devices(vendor: str, *uuids: str, family: str = "") -> dict[str, Accelerator]:
    return {
        uuid: Accelerator(
            uuid=uuid, index=index, vendor=vendor, product="x", resource="x", family=family
        )
        for index, uuid in enumerate(uuids)
    }


def test_nvidias_devices_are_shown_by_uuid_in_the_order_of_the_bus() -> None:
    known = devices("nvidia", "GPU-a", "MIG-b")
    shown = visible_devices(("MIG-b", "GPU-a"), known)
    assert shown == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "MIG-b,GPU-a"}


def test_a_device_that_is_not_known_yet_is_nvidias() -> None:
    assert visible_devices(("GPU-a",), {})["CUDA_VISIBLE_DEVICES"] == "GPU-a"


def test_an_engine_without_accelerators_is_shown_none() -> None:
    assert visible_devices((), devices("nvidia", "GPU-a")) == NONE
    assert visible_devices((), devices("amd", "GPU-a")) == {**NONE, "ROCR_VISIBLE_DEVICES": ""}


def test_amds_devices_without_a_uuid_are_shown_by_index() -> None:
    known = devices("amd", "GPU-1f", "amd-0000:03:00.0")
    shown = visible_devices(tuple(known), known)
    assert shown == {**NONE, "ROCR_VISIBLE_DEVICES": "GPU-1f,1"}


@pytest.mark.parametrize(
    ("vendor", "variables"),
    [
        ("huawei", {"ASCEND_RT_VISIBLE_DEVICES": "1,2"}),
        ("intel", {"ZE_AFFINITY_MASK": "2,1", "ZE_ENABLE_PCI_ID_DEVICE_ORDER": "1"}),
        ("habana", {"HABANA_VISIBLE_MODULES": "2,1", "HABANA_VISIBLE_DEVICES": "2,1"}),
    ],
)
def test_vendors_whose_libraries_count_devices_are_told_their_numbers(
    vendor: str, variables: dict[str, str]
) -> None:
    assert visible_devices(("c", "b"), devices(vendor, "a", "b", "c")) == {**NONE, **variables}


def test_the_chips_of_a_host_that_engines_share_have_a_shape_and_a_port() -> None:
    known = devices("google", "a", "b", "c", "d")
    assert visible_devices(("c", "d"), known) == {
        **NONE,
        "TPU_VISIBLE_CHIPS": "2,3",
        "TPU_VISIBLE_DEVICES": "2,3",
        "TPU_PROCESS_BOUNDS": "1,1,1",
        "TPU_CHIPS_PER_PROCESS_BOUNDS": "1,2,1",
        "TPU_MESH_CONTROLLER_ADDRESS": "localhost:8478",
        "TPU_MESH_CONTROLLER_PORT": "8478",
    }


def test_all_chips_of_a_host_are_shown_as_they_are() -> None:
    known = devices("google", "a", "b")
    shown = {"TPU_VISIBLE_CHIPS": "0,1", "TPU_VISIBLE_DEVICES": "0,1"}
    assert visible_devices(("a", "b"), known) == {**NONE, **shown}


def test_neuron_devices_are_shown_by_their_cores() -> None:
    known = devices("amazon", "a", "b", "c", family="inferentia2")
    assert visible_devices(("c", "a"), known)["NEURON_RT_VISIBLE_CORES"] == "0,1,4,5"


def test_cores_of_a_neuron_device_that_is_not_known_are_not_guessed() -> None:
    assert visible_devices(("a",), devices("amazon", "a", family="trainium9")) == NONE
