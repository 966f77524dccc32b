"""What a virtual NVIDIA device says of its host, in its configuration on the PCI bus. Pure.

A list of capabilities; the vendor's own one with the letters VF is of a virtual device, and holds
records: type, length, content. Type 0 is the host's driver.
"""

from collections.abc import Iterator

from llmaz.api.accelerator import VirtualGpu

_STATUS, _HAS_CAPABILITIES = 0x06, 0x10
_FIRST_CAPABILITY = 0x34
_OF_THE_VENDOR = 0x09
_SIGNATURE = b"VF"
_RECORDS = 5  # id, next, length, two letters
_HOST_DRIVER = 0
_LENGTH = 10  # of each of its texts


def virtual(configuration: bytes) -> VirtualGpu | None:
    """Return what a virtual device tells of its host; None where the device is none."""
    for capability in _capabilities(configuration):
        if capability[0] == _OF_THE_VENDOR and capability[3:_RECORDS] == _SIGNATURE:
            return _host(capability)
    return None


def _capabilities(configuration: bytes) -> Iterator[bytes]:
    """Yield those whose vendor says their length; others are as long as what is left."""
    if len(configuration) <= _FIRST_CAPABILITY or not configuration[_STATUS] & _HAS_CAPABILITIES:
        return
    seen: set[int] = set()
    at = configuration[_FIRST_CAPABILITY]
    while at and at not in seen and at + _RECORDS <= len(configuration):
        seen.add(at)
        length = configuration[at + 2] if configuration[at] == _OF_THE_VENDOR else None
        yield configuration[at : None if length is None else at + length]
        at = configuration[at + 1]


def _host(capability: bytes) -> VirtualGpu:
    at = _RECORDS
    while at + 2 <= len(capability):
        kind, length = capability[at], capability[at + 1]
        if kind == _HOST_DRIVER and at + 2 + 2 * _LENGTH <= len(capability):
            version, branch = at + 2, at + 2 + _LENGTH
            return VirtualGpu(
                host_driver_version=_text(capability[version:branch]),
                host_driver_branch=_text(capability[branch : branch + _LENGTH]),
            )
        if length < 2:  # no record is shorter than its own head
            break
        at += length
    return VirtualGpu()


def _text(content: bytes) -> str:
    return content.partition(b"\0")[0].decode("ascii", errors="replace").strip()
