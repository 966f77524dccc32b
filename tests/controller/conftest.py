"""The controller as a process, on an API server with llmaz's kinds."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from llmaz.api.names import SYSTEM_NAMESPACE
from llmaz.kube import Kube
from support.cluster import install, make_namespace
from support.controllerprocess import Cluster, ControllerProcess
from support.plane import ControlPlane


@pytest.fixture(scope="module")
def controller(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControllerProcess]:
    """A controller that the tests of a module share; it would meddle with those of agents."""
    asyncio.run(_prepare(control_plane))
    log = tmp_path_factory.mktemp("controller") / "controller.log"
    process = ControllerProcess(control_plane.kubeconfig, log)
    process.start()
    yield process
    process.stop()


async def _prepare(control_plane: ControlPlane) -> None:
    async with await Kube.connect(control_plane.kubeconfig) as kube:
        await install(kube)
        await make_namespace(kube, SYSTEM_NAMESPACE)


@pytest.fixture
async def cluster(
    control_plane: ControlPlane, controller: ControllerProcess
) -> AsyncIterator[Cluster]:
    """A namespace of its own on the shared control plane, with the controller at work."""
    async with await Kube.connect(control_plane.kubeconfig) as kube:
        namespace = f"t{os.getpid()}-{uuid.uuid4().hex[:6]}"
        await make_namespace(kube, namespace)
        found = Cluster(kube, namespace)
        yield found
        await found.clean()
