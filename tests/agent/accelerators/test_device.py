"""How a look at the accelerators changes what is known."""

from datetime import UTC, datetime, timedelta

from llmaz.agent.accelerators.device import (
    LOST,
    Device,
    Devices,
    LookFailed,
    NoDriver,
    Sighting,
    Xid,
    joined,
    merged,
)
from llmaz.api.accelerator import Accelerator

T0 = datetime(2026, 1, 1, tzinfo=UTC)
T1 = T0 + timedelta(seconds=3)
HUNG = LookFailed(reason="NoAnswer", message="the driver did not answer within 10 s")


def _device(uuid: str, *, healthy: bool = True, parent: str = "", message: str = "") -> Device:
    accelerator = Accelerator(
        uuid=uuid,
        index=0,
        vendor="nvidia",
        product="NVIDIA A10" if healthy else "",
        resource="nvidia.com/gpu",
        memory_bytes=24 if healthy else None,
        healthy=healthy,
        message=message,
        parent=parent,
    )
    return Device(accelerator=accelerator)


def _seen(*devices: Device) -> Sighting:
    return merged(Sighting(), Devices(devices=devices, driver="580"), T0)


def test_before_the_first_look_nothing_is_known() -> None:
    assert Sighting().accelerators is None


def test_a_node_without_a_driver_is_known_to_have_no_accelerator() -> None:
    assert merged(Sighting(), NoDriver(message="no library"), T0).accelerators == ()


def test_a_first_look_that_fails_leaves_the_devices_unknown() -> None:
    known = merged(Sighting(), HUNG, T0)
    assert (known.accelerators, known.failure) == (None, HUNG)


def test_a_driver_that_hangs_leaves_the_last_good_look_marked_as_such() -> None:
    known = merged(_seen(_device("GPU-1")), HUNG, T1)
    assert known.seen_at == T0
    assert known.accelerators is not None
    assert known.accelerators[0].message == f"not seen anew: {HUNG.message}"
    assert known.accelerators[0].healthy


def test_a_driver_that_answers_again_clears_the_mark() -> None:
    hung = merged(_seen(_device("GPU-1")), HUNG, T0)
    assert merged(hung, Devices(devices=(_device("GPU-1"),), driver="580"), T1) == Sighting(
        devices=(_device("GPU-1"),), driver="580", seen_at=T1
    )


def test_a_driver_that_is_gone_does_not_take_its_devices_along() -> None:
    known = merged(_seen(_device("GPU-1")), NoDriver(message="not loaded"), T1)
    assert known.failure == LookFailed(reason="DriverGone", message="not loaded")
    assert known.devices == (_device("GPU-1"),)


def test_a_device_that_is_no_longer_listed_is_unhealthy_and_stays() -> None:
    known = merged(
        _seen(_device("GPU-1"), _device("GPU-2")), Devices(devices=(_device("GPU-1"),)), T1
    )
    assert known.accelerators is not None
    assert [(a.uuid, a.healthy, a.message) for a in known.accelerators] == [
        ("GPU-1", True, ""),
        ("GPU-2", False, LOST),
    ]


def test_a_lost_device_keeps_the_name_and_memory_that_it_no_longer_tells() -> None:
    lost = _device("GPU-1", healthy=False, message="fallen off the bus")
    known = merged(_seen(_device("GPU-1")), Devices(devices=(lost,)), T1)
    assert known.accelerators is not None
    (accelerator,) = known.accelerators
    assert (accelerator.product, accelerator.memory_bytes) == ("NVIDIA A10", 24)
    assert (accelerator.healthy, accelerator.message) == (False, "fallen off the bus")


def test_a_part_of_a_device_goes_when_the_device_is_cut_up_anew() -> None:
    known = merged(
        _seen(_device("MIG-1", parent="GPU-1")), Devices(devices=(_device("GPU-1"),)), T1
    )
    assert known.devices == (_device("GPU-1"),)


def test_a_device_that_is_cut_up_is_not_lost() -> None:
    parts = (_device("MIG-1", parent="GPU-1"),)
    assert merged(_seen(_device("GPU-1")), Devices(devices=parts), T1).devices == parts


def test_a_part_is_lost_with_the_device_that_it_is_a_part_of() -> None:
    known = merged(
        _seen(_device("MIG-1", parent="GPU-1"), _device("GPU-2")),
        Devices(devices=(_device("GPU-2"),)),
        T1,
    )
    assert known.accelerators is not None
    assert [(a.uuid, a.healthy) for a in known.accelerators] == [("GPU-2", True), ("MIG-1", False)]


def _after(*xids: Xid, device: Device) -> Sighting:
    return merged(_seen(device), Devices(devices=(device,), xids=xids), T1)


def test_a_hardware_error_takes_a_device_out_of_use_until_the_agent_starts_anew() -> None:
    fallen = _after(Xid(uuid="GPU-1", number=79), device=_device("GPU-1"))
    later = merged(fallen, Devices(devices=(_device("GPU-1"),)), T1)
    for known in (fallen, later):
        assert known.accelerators is not None
        assert not known.accelerators[0].healthy
        assert known.accelerators[0].message.startswith("XID 79: the GPU has fallen off the bus")


def test_a_hardware_error_of_a_device_is_one_of_its_parts() -> None:
    part = _device("MIG-1", parent="GPU-1")
    for uuid, healthy in (("GPU-1", False), ("MIG-1", False), ("MIG-2", True), ("", True)):
        known = _after(Xid(uuid=uuid, number=48), device=part)
        assert known.accelerators is not None
        assert known.accelerators[0].healthy is healthy


def test_an_error_of_an_application_is_counted_and_nothing_more() -> None:
    xid = Xid(uuid="GPU-1", number=31)
    known = _after(xid, xid, device=_device("GPU-1"))
    assert known.accelerators is not None
    assert known.accelerators[0].healthy
    assert known.xids == {xid: 2}


def test_errors_stay_counted_when_a_look_fails() -> None:
    xid = Xid(uuid="GPU-1", number=31)
    known = _after(xid, device=_device("GPU-1"))
    assert merged(known, HUNG, T1).xids == {xid: 1}
    assert merged(known, NoDriver(message="gone"), T1).xids == {xid: 1}


def test_the_answers_of_all_providers_are_one() -> None:
    one, other = (Devices(devices=(_device(uuid),), driver="580") for uuid in ("GPU-1", "GPU-2"))
    none = NoDriver(message="none")
    assert joined((one, none, other)) == Devices(
        devices=(_device("GPU-1"), _device("GPU-2")), driver="580, 580"
    )
    assert joined((none, NoDriver(message="here"))) == NoDriver(message="none; here")
    assert joined((one, HUNG, other)) == HUNG
