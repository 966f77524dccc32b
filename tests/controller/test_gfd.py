"""Labels in the formats of NVIDIA's GPU Feature Discovery."""

import dataclasses

import pytest

from llmaz.api.accelerator import Accelerator, MigShape, VirtualGpu
from llmaz.controller.gfd import gfd_labels

H100 = Accelerator(
    uuid="GPU-1",
    index=0,
    vendor="nvidia",
    product="NVIDIA H100 80GB HBM3",
    resource="nvidia.com/gpu",
    memory_bytes=81559 * 2**20,
    family="hopper",
    compute="9.0",
    driver_version="580.126.20",
    runtime_version="13.0",
)


def _like(uuid: str, **changes: str | int | None) -> Accelerator:
    return dataclasses.replace(H100, uuid=uuid, **changes)  # type: ignore[arg-type]  # fields' own types


def _part(uuid: str, parent: str, profile: str, mebibytes: int) -> Accelerator:
    return _like(
        uuid,
        product=f"{H100.product} MIG {profile}",
        parent=parent,
        profile=profile,
        resource=f"nvidia.com/mig-{profile}",
        memory_bytes=mebibytes * 2**20,
    )


def test_a_node_of_one_product_has_the_labels_that_discovery_would_give_it() -> None:
    assert gfd_labels([H100, _like("GPU-2")]) == {
        "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
        "nvidia.com/gpu.count": "2",
        "nvidia.com/gpu.memory": "81559",
        "nvidia.com/gpu.replicas": "1",
        "nvidia.com/gpu.sharing-strategy": "none",
        "nvidia.com/mps.capable": "false",
        "nvidia.com/gpu.family": "hopper",
        "nvidia.com/gpu.compute.major": "9",
        "nvidia.com/gpu.compute.minor": "0",
        "nvidia.com/cuda.driver-version.full": "580.126.20",
        "nvidia.com/cuda.driver-version.major": "580",
        "nvidia.com/cuda.driver-version.minor": "126",
        "nvidia.com/cuda.driver-version.revision": "20",
        "nvidia.com/cuda.driver.major": "580",
        "nvidia.com/cuda.driver.minor": "126",
        "nvidia.com/cuda.driver.rev": "20",
        "nvidia.com/cuda.runtime-version.full": "13.0",
        "nvidia.com/cuda.runtime-version.major": "13",
        "nvidia.com/cuda.runtime-version.minor": "0",
        "nvidia.com/cuda.runtime.major": "13",
        "nvidia.com/cuda.runtime.minor": "0",
    }


def test_the_machine_and_the_class_of_its_devices_are_told() -> None:
    labels = gfd_labels([_like("GPU-1", pci_class="0x030200")], machine="DGX-H100")
    assert labels["nvidia.com/gpu.machine"] == "DGX-H100"
    assert labels["nvidia.com/gpu.mode"] == "compute"
    assert gfd_labels([_like("GPU-1", pci_class="0x030000")])["nvidia.com/gpu.mode"] == "graphics"


def test_a_virtual_device_and_its_hosts_driver_are_told() -> None:
    host = VirtualGpu(host_driver_version="595.71.03", host_driver_branch="r596_25")
    labels = gfd_labels([dataclasses.replace(H100, virtual=host)])
    assert labels["nvidia.com/vgpu.present"] == "true"
    assert labels["nvidia.com/vgpu.host-driver-version"] == "595.71.03"
    assert labels["nvidia.com/vgpu.host-driver-branch"] == "r596_25"
    silent = gfd_labels([dataclasses.replace(H100, virtual=VirtualGpu())])
    assert [name for name in silent if "vgpu" in name] == ["nvidia.com/vgpu.present"]


def test_devices_that_the_bus_takes_for_different_things_have_no_mode_in_common() -> None:
    board, screen = _like("GPU-1", pci_class="0x030200"), _like("GPU-2", pci_class="0x030000")
    assert gfd_labels([board, screen])["nvidia.com/gpu.mode"] == "unknown"
    assert "nvidia.com/gpu.mode" not in gfd_labels([board, _like("GPU-3", pci_class="")])


@pytest.mark.parametrize(
    ("cliques", "told"),
    [
        (("c.1", "c.1"), "c.1"),
        (("c.1", "c.2"), None),
        (("c.1", ""), "c.1"),
        (("", ""), None),
    ],
)
def test_the_clique_is_the_one_of_all_devices_of_the_fabric(
    cliques: tuple[str, ...], told: str | None
) -> None:
    devices = [_like(f"GPU-{n}", clique=clique) for n, clique in enumerate(cliques)]
    assert gfd_labels(devices).get("nvidia.com/gpu.clique") == told


@pytest.mark.parametrize(
    ("capable", "told"),
    [((True, False), "true"), ((False,), "false"), ((None, True), "true"), ((None, False), None)],
)
def test_that_devices_can_be_cut_up_is_told_where_it_is_known(
    capable: tuple[bool | None, ...], told: str | None
) -> None:
    devices = [_like(f"GPU-{n}", mig_capable=can) for n, can in enumerate(capable)]
    assert gfd_labels(devices).get("nvidia.com/mig.capable") == told


def test_a_part_tells_its_slices_and_engines() -> None:
    shape = MigShape(gpu_slices=1, compute_slices=1, multiprocessors=16, copy_engines=1, decoders=1)
    part = dataclasses.replace(_part("MIG-1", "GPU-9", "1g.10gb", 9856), shape=shape)
    prefix = "nvidia.com/mig-1g.10gb."
    labels = gfd_labels([part])
    assert labels["nvidia.com/gpu.replicas"] == "0"
    assert {k.removeprefix(prefix): v for k, v in labels.items() if k.startswith(prefix)} == {
        "count": "1",
        "product": "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb",
        "memory": "9856",
        "replicas": "1",
        "sharing-strategy": "none",
        "multiprocessors": "16",
        "slices.gi": "1",
        "slices.ci": "1",
        "engines.copy": "1",
        "engines.decoder": "1",
        "engines.encoder": "0",
        "engines.jpeg": "0",
        "engines.ofa": "0",
    }


def test_other_characters_of_a_products_name_go_and_blanks_become_dashes() -> None:
    labels = gfd_labels([_like("GPU-1", product="NVIDIA  GeForce (R) GTX_1080 Ti")])
    assert labels["nvidia.com/gpu.product"] == "NVIDIA-GeForce-R-GTX_1080-Ti"


def test_the_commonest_product_is_described() -> None:
    others = [_like(f"GPU-{n}", product="Tesla T4", memory_bytes=15360 * 2**20) for n in (2, 3)]
    labels = gfd_labels([H100, *others])
    assert labels["nvidia.com/gpu.product"] == "Tesla-T4"
    assert labels["nvidia.com/gpu.count"] == "2"
    assert labels["nvidia.com/gpu.memory"] == "15360"


def test_a_device_that_is_cut_up_is_counted_once_and_its_parts_by_profile() -> None:
    parts = [
        _part("MIG-1", "GPU-9", "1g.10gb", 9856),
        _part("MIG-2", "GPU-9", "1g.10gb", 9856),
        _part("MIG-3", "GPU-9", "3g.40gb", 40320),
    ]
    labels = gfd_labels([*parts, H100])
    assert labels["nvidia.com/gpu.product"] == "NVIDIA-H100-80GB-HBM3"
    assert labels["nvidia.com/gpu.count"] == "2"
    assert labels["nvidia.com/gpu.memory"] == "81559"
    assert {
        key: value
        for key, value in labels.items()
        if "mig" in key and not key.endswith((".replicas", ".sharing-strategy"))
    } == {
        "nvidia.com/mig.capable": "true",
        "nvidia.com/mig.strategy": "mixed",
        "nvidia.com/mig-1g.10gb.count": "2",
        "nvidia.com/mig-1g.10gb.memory": "9856",
        "nvidia.com/mig-1g.10gb.product": "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb",
        "nvidia.com/mig-3g.40gb.count": "1",
        "nvidia.com/mig-3g.40gb.memory": "40320",
        "nvidia.com/mig-3g.40gb.product": "NVIDIA-H100-80GB-HBM3-MIG-3g.40gb",
    }


def test_a_node_of_parts_alone_does_not_know_the_memory_of_the_whole() -> None:
    labels = gfd_labels([_part("MIG-1", "GPU-9", "1g.10gb", 9856)])
    assert labels["nvidia.com/gpu.count"] == "1"
    assert "nvidia.com/gpu.memory" not in labels


def test_what_is_not_known_and_other_vendors_have_no_label() -> None:
    bare = _like(
        "GPU-1",
        memory_bytes=None,
        family="",
        compute="",
        driver_version="535.54",
        runtime_version="",
    )
    assert gfd_labels([bare]) == {
        "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
        "nvidia.com/gpu.count": "1",
        "nvidia.com/gpu.replicas": "1",
        "nvidia.com/gpu.sharing-strategy": "none",
        "nvidia.com/mps.capable": "false",
        "nvidia.com/cuda.driver-version.full": "535.54",
        "nvidia.com/cuda.driver-version.major": "535",
        "nvidia.com/cuda.driver-version.minor": "54",
        "nvidia.com/cuda.driver.major": "535",
        "nvidia.com/cuda.driver.minor": "54",
    }
    assert gfd_labels([_like("GPU-1", vendor="amd")]) == {}
    assert gfd_labels([]) == {}
