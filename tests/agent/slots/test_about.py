"""Which accelerators a slot was given, from what its shim tells."""

import dataclasses

from llmaz.agent.slots.about import SlotAbout, accelerators_of, ledger_accelerators
from llmaz.agent.slots.decide import SlotSeen, slot_seen, within
from llmaz.api.accelerator import Accelerator
from llmaz.api.node import EnginePhase, EngineReport
from llmaz.api.slot import AssignedSlot
from support.engines import assigned


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


def test_a_kubelet_names_devices_by_uuid_place_or_index() -> None:
    devices = known("GPU-a", "GPU-b", "GPU-c")
    devices["GPU-c"] = dataclasses.replace(devices["GPU-c"], pci_address="0000:17:00.0")
    assert ledger_accelerators(["GPU-b", "unknown"], devices) == ("GPU-b",)
    assert ledger_accelerators(["GPU-b::3"], devices) == ("GPU-b",)  # shared in time
    assert ledger_accelerators(["0000:17:00.0"], devices) == ("GPU-c",)
    assert ledger_accelerators(["0"], devices) == ("GPU-a",)


def test_the_kubelet_is_believed_before_the_container_and_a_difference_is_told() -> None:
    about = SlotAbout(visible={"NVIDIA_VISIBLE_DEVICES": "GPU-a"})
    devices = known("GPU-a", "GPU-b")
    seen = slot_seen(about, devices, ["GPU-b"])
    assert seen.accelerators == ("GPU-b",)
    assert seen.doubt == "its pod was given GPU-b, and its container sees GPU-a"
    assert slot_seen(about, devices, ["GPU-a"]) == SlotSeen(accelerators=("GPU-a",))
    assert slot_seen(about, devices, None).accelerators == ("GPU-a",)  # nobody could be asked
    assert slot_seen(SlotAbout(), devices, ["GPU-b"]).accelerators == ("GPU-b",)


def test_a_report_tells_of_devices_that_differ_unless_there_is_worse_to_tell() -> None:
    engine = assigned("chat-0", slot=AssignedSlot(name="chat-0-a", uid="a"))
    slots = {"a": SlotSeen(address="10.0.0.1", accelerators=("GPU-b",), doubt="they differ")}
    report = EngineReport(id="default/chat-0", phase=EnginePhase.READY)
    said = within(report, engine, slots)
    assert (said.phase, said.reason, said.message) == (
        EnginePhase.READY,
        "DevicesDiffer",
        "they differ",
    )
    failed = dataclasses.replace(report, reason="OutOfHostMemory", message="no memory")
    assert within(failed, engine, slots).message == "no memory"
