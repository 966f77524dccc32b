"""The answer of a kubelet's PodResources service (v1, List), read from protobuf's wire. Pure.

    ListPodResourcesResponse  1: PodResources
    PodResources              1: name, 2: namespace, 3: ContainerResources
    ContainerResources        1: name, 2: ContainerDevices
    ContainerDevices          1: resource_name, 2: device_ids

What else there is, now or later, is passed over.
"""

from collections.abc import Iterator

_VARINT, _EIGHT_BYTES, _TEXT, _FOUR_BYTES = 0, 1, 2, 5


class WireError(ValueError):
    """These bytes are no message."""


def devices_of(answer: bytes, namespace: str, pod: str) -> dict[str, list[str]] | None:
    """Return the ids of a pod's devices by resource; None where the kubelet has no such pod."""
    for number, content in fields(answer):
        if number != 1:
            continue
        parts = list(fields(content))
        if (_text(parts, 1), _text(parts, 2)) == (pod, namespace):
            return _by_resource([part for number, part in parts if number == 3])
    return None


def _by_resource(containers: list[bytes]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for container in containers:
        for number, content in fields(container):
            if number == 2:
                parts = list(fields(content))
                ids = [part.decode() for number, part in parts if number == 2]
                found.setdefault(_text(parts, 1), []).extend(ids)
    return found


def fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the bytes of each text and message in a message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind, end = key & 7, at
        if kind == _TEXT:
            size, at = _varint(message, at)
            end = at + size
        elif kind == _VARINT:
            _, end = _varint(message, at)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            end = at + (8 if kind == _EIGHT_BYTES else 4)
        else:
            raise WireError(f"byte {at}: kind {kind} is unknown")
        if end > len(message):
            raise WireError(f"byte {at}: {end - len(message)} bytes are missing")
        if kind == _TEXT:
            yield key >> 3, message[at:end]
        at = end


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(message[at : at + 10]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    raise WireError(f"byte {at}: a number does not end")


def _text(parts: list[tuple[int, bytes]], number: int) -> str:
    return next((part.decode() for at, part in parts if at == number), "")
