"""A device plugin as a kubelet knows it (v1beta1), which gives out devices that do not exist.

It serves a socket beside the kubelet's, registers there, and tells a container which devices it got
as the NVIDIA one does: by a variable. A kubelet that starts anew removes every socket in that
directory and knows no plugin: one registers again then.

    python deviceplugin.py DIRECTORY RESOURCE ID...     runs one on a real node
"""

import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc

from llmaz.agent.slots.podresources import fields
from support.kubelet.podresources import part

VERSION = "v1beta1"
REGISTER = f"/{VERSION}.Registration/Register"
KUBELET = "kubelet.sock"
SECONDS_BETWEEN_LOOKS = 1.0


class DevicePlugin:
    """Devices of one resource, each with its health."""

    def __init__(self, directory: Path, resource: str, ids: Sequence[str]) -> None:
        self._directory = directory
        self._resource = resource
        self._health = dict.fromkeys(ids, "Healthy")
        self._changed = threading.Condition()
        self._stopped = False
        self.given: list[tuple[str, ...]] = []  # what containers got, in order

    @property
    def socket(self) -> Path:
        return self._directory / f"{self._resource.replace('/', '-')}.sock"

    def show(self, device: str, *, healthy: bool) -> None:
        """Tell the kubelet how a device is from now on."""
        with self._changed:
            self._health[device] = "Healthy" if healthy else "Unhealthy"
            self._changed.notify_all()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Answer at the socket, and be known to the kubelet."""
        server = grpc.server(ThreadPoolExecutor(4), handlers=(self._service(),))
        server.add_insecure_port(f"unix://{self.socket}")
        server.start()
        try:
            self._register()
            yield
        finally:
            with self._changed:
                self._stopped = True
                self._changed.notify_all()
            server.stop(None).wait()
            self.socket.unlink(missing_ok=True)

    def _register(self) -> None:
        request = part(1, VERSION) + part(2, self.socket.name)
        request += part(3, self._resource)
        with grpc.insecure_channel(f"unix://{self._directory / KUBELET}") as channel:
            register = channel.unary_unary(REGISTER)
            register(request, timeout=120.0, wait_for_ready=True)

    def _service(self) -> grpc.GenericRpcHandler:
        answers = {
            "GetDevicePluginOptions": grpc.unary_unary_rpc_method_handler(_nothing),
            "PreStartContainer": grpc.unary_unary_rpc_method_handler(_nothing),
            "ListAndWatch": grpc.unary_stream_rpc_method_handler(self._list_and_watch),
            "Allocate": grpc.unary_unary_rpc_method_handler(self._allocate),
        }
        return grpc.method_handlers_generic_handler(f"{VERSION}.DevicePlugin", answers)

    def _list_and_watch(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        told: dict[str, str] | None = None
        while context.is_active() and not self._stopped:
            with self._changed:
                if told == self._health:
                    self._changed.wait(SECONDS_BETWEEN_LOOKS)  # then see whether anyone listens
                    continue
                told = dict(self._health)
            yield b"".join(
                part(1, part(1, name) + part(2, health)) for name, health in told.items()
            )

    def _allocate(self, request: bytes, context: object) -> bytes:
        answers = []
        for _, container in fields(request):
            ids = tuple(name.decode() for _, name in fields(container))
            self.given.append(ids)
            variable = part(1, "NVIDIA_VISIBLE_DEVICES") + part(2, ",".join(ids))
            answers.append(part(1, part(1, variable)))
        return b"".join(answers)


def _nothing(request: bytes, context: object) -> bytes:
    return b""


def _identity(path: Path) -> tuple[int, int] | None:
    with suppress(FileNotFoundError):
        found = path.stat()
        return found.st_ino, found.st_ctime_ns
    return None


def main(directory: str, resource: str, *ids: str) -> None:
    """Serve a real kubelet, one that starts anew as well, until this process is ended."""
    kubelet = Path(directory) / KUBELET
    while True:
        plugin = DevicePlugin(Path(directory), resource, ids)
        asked = _identity(kubelet)
        with suppress(grpc.RpcError), plugin.serving():
            while asked is not None and asked == _identity(kubelet):
                threading.Event().wait(SECONDS_BETWEEN_LOOKS)
        threading.Event().wait(SECONDS_BETWEEN_LOOKS)


if __name__ == "__main__":
    main(*sys.argv[1:])
