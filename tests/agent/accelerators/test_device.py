"""How a look at the accelerators changes what is known."""

from datetime import UTC, datetime, timedelta

from llmaz.agent.accelerators.device import (
    LOST,
    Device,
    Devices,
    LookFailed,
    NoDriver,
    Sighting,
    merged,
)
from llmaz.api.node import Accelerator

T0 = datetime(2026, 1, 1, tzinfo=UTC)
T1 = T0 + timedelta(seconds=3)
HUNG = LookFailed(reason="NoAnswer", message="the driver did not answer within 10 s")


def _device(uuid: str, *, healthy: bool = True, part_of: str = "", message: str = "") -> Device:
    accelerator = Accelerator(
        uuid=uuid,
        index=0,
        vendor="nvidia",
        product="NVIDIA A10" if healthy else "",
        resource="nvidia.com/gpu",
        memory_bytes=24 if healthy else None,
        healthy=healthy,
        message=message,
    )
    return Device(accelerator=accelerator, part_of=part_of)


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
        _seen(_device("MIG-1", part_of="GPU-1")), Devices(devices=(_device("GPU-1"),)), T1
    )
    assert known.devices == (_device("GPU-1"),)


def test_a_device_that_is_cut_up_is_not_lost() -> None:
    parts = (_device("MIG-1", part_of="GPU-1"),)
    assert merged(_seen(_device("GPU-1")), Devices(devices=parts), T1).devices == parts
