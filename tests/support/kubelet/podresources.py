"""The kubelet's PodResources service, by gRPC as its own clients have it, of hand-made messages."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import grpc

# The devices of pods: by namespace and name, then by resource.
Ledger: TypeAlias = Mapping[tuple[str, str], Mapping[str, Sequence[str]]]


def listing(pods: Ledger) -> bytes:
    """Return what List answers."""
    return b"".join(
        part(1, part(1, name) + part(2, namespace) + part(3, _container(devices)))
        for (namespace, name), devices in pods.items()
    )


def _container(devices: Mapping[str, Sequence[str]]) -> bytes:
    numbers = b"\x18\x03"  # 3: cpu_ids, a number
    found = b"".join(
        part(2, part(1, resource) + b"".join(part(2, one) for one in ids) + part(3, b""))
        for resource, ids in devices.items()
    )
    return part(1, "model-runner") + numbers + found


def part(number: int, content: str | bytes) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    return bytes([number << 3 | 2]) + _size(len(data)) + data


def _size(value: int) -> bytes:
    if value < 0x80:
        return bytes([value])
    return bytes([value & 0x7F | 0x80]) + _size(value >> 7)


@contextmanager
def pod_resources(socket: Path, look: Callable[[], Ledger]) -> Iterator[None]:
    """Serve at a socket what `look` says whenever somebody asks."""
    with answering(socket, "v1.PodResourcesLister", "List", lambda _: listing(look())):
        yield


@contextmanager
def answering(
    socket: Path, service: str, method: str, answer: Callable[[bytes], bytes]
) -> Iterator[None]:
    """Serve one call of a gRPC service at a Unix socket inside the `with` block."""
    handler = grpc.unary_unary_rpc_method_handler(lambda request, _: answer(request))
    handlers = grpc.method_handlers_generic_handler(service, {method: handler})
    server = grpc.server(ThreadPoolExecutor(2), handlers=(handlers,))
    server.add_insecure_port(f"unix://{socket}")
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()
