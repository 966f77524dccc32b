"""Virtual devices, told by the bytes of their configuration on the bus."""

from llmaz.agent.accelerators.vgpu import virtual
from llmaz.api.accelerator import VirtualGpu

OTHER = 0x40
OURS = 0x60


def record(kind: int, content: bytes) -> bytes:
    return bytes((kind, len(content) + 2)) + content


HOST = record(0, b"595.71.03\0" + b"r596_25\0\0\0")
LICENSE = record(1, b"anything")


def configuration(
    *records: bytes, letters: bytes = b"VF", status: int = 0x10, next_after: int = 0
) -> bytes:
    """Return the 256 bytes of a device with power management first, then the vendor's own."""
    device = bytearray(256)
    device[0x06], device[0x34] = status, OTHER
    device[OTHER : OTHER + 2] = bytes((0x01, OURS))
    content = b"".join(records)
    head = bytes((0x09, next_after, 5 + len(content)))
    device[OURS : OURS + 5 + len(content)] = head + letters + content
    return bytes(device)


def test_a_virtual_device_tells_of_the_hosts_driver() -> None:
    host = VirtualGpu(host_driver_version="595.71.03", host_driver_branch="r596_25")
    assert virtual(configuration(LICENSE, HOST)) == host
    assert virtual(configuration(HOST)) == host


def test_a_virtual_device_that_tells_no_driver_is_one_all_the_same() -> None:
    assert virtual(configuration(LICENSE)) == VirtualGpu()
    assert virtual(configuration()) == VirtualGpu()


def test_a_whole_device_is_none() -> None:
    assert virtual(configuration(HOST, letters=b"XX")) is None
    assert virtual(configuration(HOST, status=0)) is None


def test_what_may_not_be_read_or_is_broken_ends_nothing() -> None:
    whole = configuration(HOST)
    assert virtual(b"") is None
    assert virtual(whole[:64]) is None  # as much as others than root may read
    assert virtual(configuration(record(1, b"")[:1] + b"\0", HOST)) == VirtualGpu()
    assert virtual(configuration(HOST, letters=b"XX", next_after=OTHER)) is None  # a circle
