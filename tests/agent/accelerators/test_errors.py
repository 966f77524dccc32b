"""What went wrong with each device, for the engines that hold it."""

from datetime import UTC, datetime

from llmaz.agent.accelerators.device import Device, Devices, Sighting, Xid, merged
from llmaz.agent.accelerators.errors import device_errors
from llmaz.agent.accelerators.xid import XidClass
from llmaz.agent.engines.blame import DeviceError
from llmaz.api.accelerator import Accelerator

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def device(uuid: str, parent: str = "") -> Device:
    gpu = Accelerator(
        uuid=uuid, index=0, vendor="nvidia", resource="nvidia.com/gpu", product="", parent=parent
    )
    return Device(accelerator=gpu)


def after(*xids: Xid, devices: tuple[Device, ...]) -> Sighting:
    return merged(Sighting(), Devices(devices=devices, xids=xids), NOW)


def test_an_error_is_told_of_its_device_with_its_class() -> None:
    seen = after(Xid(uuid="GPU-a", number=31), devices=(device("GPU-a"), device("GPU-b")))
    words = "GPU-a: XID 31 (application)"
    told = DeviceError(kind=XidClass.APPLICATION, words=words, at=NOW)
    assert device_errors(seen) == {"GPU-a": (told,)}


def test_an_error_of_a_device_is_one_of_its_parts() -> None:
    seen = after(Xid(uuid="GPU-a", number=79), devices=(device("MIG-1", parent="GPU-a"),))
    (told,) = device_errors(seen)["MIG-1"]
    assert told.kind is XidClass.HARDWARE
    assert told.words == "GPU-a: XID 79 (hardware): the GPU has fallen off the bus"


def test_a_lost_device_is_an_error_of_the_hardware() -> None:
    lost = merged(after(devices=(device("GPU-a"),)), Devices(devices=()), NOW)
    (told,) = device_errors(lost)["GPU-a"]
    assert (told.kind, told.at) == (XidClass.HARDWARE, NOW)


def test_devices_without_errors_are_not_told_of() -> None:
    assert device_errors(after(devices=(device("GPU-a"),))) == {}
    assert device_errors(Sighting()) == {}
