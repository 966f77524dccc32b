"""Which accelerators a slot was given, from what its shim tells."""

import dataclasses

from llmaz.agent.slots.about import SlotAbout, accelerators_of
from llmaz.api.accelerator import Accelerator


def known(*uuids: str, vendor: str = "nvidia") -> dict[str, Accelerator]:
    return {
        uuid: Accelerator(
            uuid=uuid, index=index, vendor=vendor, product="any", resource=f"{vendor}.com/gpu"
        )
        for index, uuid in enumerate(uuids)
    }


def test_devices_are_known_by_the_uuids_that_the_device_plugin_gave() -> None:
    about = SlotAbout(visible={"NVIDIA_VISIBLE_DEVICES": "GPU-b,GPU-a"})
    assert accelerators_of(about, known("GPU-a", "GPU-b", "GPU-c")) == ("GPU-a", "GPU-b")


def test_devices_are_known_by_mounts_that_are_named_after_them() -> None:
    about = SlotAbout(visible={"NVIDIA_VISIBLE_DEVICES": "void"}, given=("GPU-c",))
    assert accelerators_of(about, known("GPU-a", "GPU-b", "GPU-c")) == ("GPU-c",)


def test_devices_are_known_by_their_files_where_nothing_names_them() -> None:
    about = SlotAbout(
        visible={"NVIDIA_VISIBLE_DEVICES": "void"}, devices=("nvidia1", "nvidiactl", "nvidia-uvm")
    )
    assert accelerators_of(about, known("GPU-a", "GPU-b")) == ("GPU-b",)


def test_indexes_are_taken_for_indexes() -> None:
    about = SlotAbout(visible={"ASCEND_VISIBLE_DEVICES": "0,2"})
    npus = known("npu-a", "npu-b", "npu-c", vendor="huawei")
    assert accelerators_of(about, npus) == ("npu-a", "npu-c")


def test_all_means_nothing_in_particular() -> None:
    about = SlotAbout(visible={"NVIDIA_VISIBLE_DEVICES": "all"})
    assert accelerators_of(about, known("GPU-a")) == ()


def test_a_shim_that_is_none_of_a_slot_tells_nothing() -> None:
    assert SlotAbout.read(None) is None
    told = {"address": "10.0.0.1", "visible": {}, "given": [], "devices": ["nvidia0"]}
    assert SlotAbout.read(told) == dataclasses.replace(
        SlotAbout(), address="10.0.0.1", devices=("nvidia0",)
    )
