"""The device child on a stand-in for NVIDIA's library."""

from collections.abc import AsyncIterator

import pytest

from llmaz.agent.accelerators.probe import ChildProbe
from support.nvml import StandIn, build, probe_of


@pytest.fixture(scope="session")
def nvml(tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
async def probe(nvml: StandIn) -> AsyncIterator[ChildProbe]:
    nvml.inventory.unlink(missing_ok=True)
    probe = probe_of(nvml.environ)
    yield probe
    await probe.aclose()
