"""Two nodes and one model, every program real: the second node takes it from the first."""

from pathlib import Path

import pytest

from llmaz.api.kinds import OPEN_MODEL
from llmaz.api.manifest import Manifest
from llmaz.api.names import SYSTEM_NAMESPACE
from llmaz.api.node import ModelPhase, NodeStatus
from llmaz.kube import Kube
from support.cluster import install, make_namespace
from support.controllerprocess import ControllerProcess
from support.controlplane import running_control_plane
from support.downloads import Downloads
from support.hub import Repository, serving
from support.nodes import node
from support.sharing import token_file
from support.weights import gguf

pytestmark = pytest.mark.timeout(800)

PATIENCE_SECONDS = 300.0  # for every program to start, on a machine under load
SIZE = 16 * 2**20
MODEL = gguf(tensors=1, padding=SIZE)
PREFETCHED: Manifest = {
    "metadata": {"name": "tiny"},
    "spec": {
        "familyName": "tiny",
        "source": {"modelHub": {"modelID": "acme/tiny"}},
        "prefetch": {"pin": True},
    },
}


async def test_two_nodes_that_prefetch_a_model_bring_it_from_the_hub_once(tmp_path: Path) -> None:
    downloads = Downloads()
    hub = {"acme/tiny": Repository({"model.gguf": MODEL}, downloads=downloads)}
    token = str(token_file(tmp_path))
    with running_control_plane(tmp_path / "plane") as plane:
        controller = ControllerProcess(plane.kubeconfig, tmp_path / "controller.log")
        async with await Kube.connect(plane.kubeconfig) as kube, serving(hub) as served:
            await install(kube)
            await make_namespace(kube, SYSTEM_NAMESPACE)
            controller.start()
            try:
                await kube.apply(OPEN_MODEL, PREFETCHED, manager="tests")
                environ = {"HF_ENDPOINT": served.url}
                for name in ("node-1", "node-2"):
                    (tmp_path / name).mkdir()
                async with (
                    node(plane.kubeconfig, tmp_path / "node-1", "node-1", environ) as one,
                    node(plane.kubeconfig, tmp_path / "node-2", "node-2", environ) as two,
                ):
                    for number, each in enumerate((one, two), start=1):
                        address = f"127.0.0.{number}"
                        options = ("--address", address, "--sharing-listen", f"{address}:0")
                        await each.start("--register-node", "--peer-token-file", token, *options)
                        # A node that holds it may not serve it yet: others would go to the hub.
                        status = await each.until(
                            _serves_it, f"{each.name} does not serve it", patience=PATIENCE_SECONDS
                        )
                        assert _bytes(status) == len(MODEL)
            finally:
                controller.kill()
    assert len(MODEL) <= downloads.sent <= 1.5 * len(MODEL)


def _serves_it(status: NodeStatus) -> bool:
    return status.sharing_url != "" and any(
        model.phase == ModelPhase.READY for model in status.models or ()
    )


def _bytes(status: NodeStatus) -> int | None:
    return next(model.bytes_total for model in status.models or ())
