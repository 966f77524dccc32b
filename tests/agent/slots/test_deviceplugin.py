"""The device plugin of tests, as a kubelet asks one; a real kubelet has taken it as well."""

from contextlib import AbstractContextManager
from pathlib import Path

import grpc

from llmaz.agent.slots.podresources import fields
from support.kubelet.deviceplugin import KUBELET, REGISTER, VERSION, DevicePlugin
from support.kubelet.podresources import answering, part
from support.shims import PATIENCE_SECONDS

RESOURCE = "nvidia.com/gpu"
SERVICE, METHOD = REGISTER.removeprefix("/").split("/")


class Registry:
    """A kubelet's side: who registered, and what it tells of its devices."""

    def __init__(self) -> None:
        self.registered: list[list[str]] = []

    def register(self, request: bytes) -> bytes:
        self.registered.append([text.decode() for _, text in fields(request)])
        return b""

    def listening(self, directory: Path) -> AbstractContextManager[None]:
        return answering(directory / KUBELET, SERVICE, METHOD, self.register)


def devices(message: bytes) -> list[list[str]]:
    """The name and the health of each device that a plugin lists."""
    return [[text.decode() for _, text in fields(one)] for _, one in fields(message)]


def test_a_plugin_registers_lists_its_devices_and_says_which_a_container_got(
    tmp_path: Path,
) -> None:
    registry, plugin = Registry(), DevicePlugin(tmp_path, RESOURCE, ("GPU-a", "GPU-b"))
    with registry.listening(tmp_path), plugin.serving():
        assert registry.registered == [[VERSION, plugin.socket.name, RESOURCE]]
        with grpc.insecure_channel(f"unix://{plugin.socket}") as channel:
            listed = channel.unary_stream(f"/{VERSION}.DevicePlugin/ListAndWatch")(
                b"", timeout=PATIENCE_SECONDS
            )
            assert devices(next(listed)) == [["GPU-a", "Healthy"], ["GPU-b", "Healthy"]]
            plugin.show("GPU-b", healthy=False)
            assert devices(next(listed)) == [["GPU-a", "Healthy"], ["GPU-b", "Unhealthy"]]
            listed.cancel()
            answer = channel.unary_unary(f"/{VERSION}.DevicePlugin/Allocate")(
                part(1, part(1, "GPU-a")), timeout=PATIENCE_SECONDS
            )
    assert plugin.given == [("GPU-a",)]
    ((_, container),) = fields(answer)
    ((_, variable),) = fields(container)
    assert [text for _, text in fields(variable)] == [b"NVIDIA_VISIBLE_DEVICES", b"GPU-a"]


def test_a_plugin_that_ends_leaves_no_socket(tmp_path: Path) -> None:
    plugin = DevicePlugin(tmp_path, RESOURCE, ("GPU-a",))
    with Registry().listening(tmp_path), plugin.serving():
        assert plugin.socket.exists()
    assert not plugin.socket.exists()
