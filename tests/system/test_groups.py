"""A replica on two nodes, every program real: a leader, its worker, and the end of one of them."""

import os
import signal
from pathlib import Path

import pytest

from llmaz.api.kinds import OPEN_MODEL, SERVICE
from llmaz.api.names import SYSTEM_NAMESPACE
from llmaz.api.node import EngineReport
from llmaz.kube import Kube
from support.cluster import install, make_namespace
from support.controllerprocess import ControllerProcess
from support.controlplane import running_control_plane
from support.twonodes import LEADER, WORKER, group_members, member, pair, tiny, two_nodes
from support.weights import gguf

pytestmark = pytest.mark.timeout(500)


def environ(report: EngineReport) -> dict[str, str]:
    entries = Path(f"/proc/{report.pid}/environ").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


async def test_when_a_worker_dies_the_whole_group_starts_anew_in_place(tmp_path: Path) -> None:
    weights = tmp_path / "tiny.gguf"
    weights.write_bytes(gguf())
    with running_control_plane(tmp_path / "plane") as plane:
        controller = ControllerProcess(plane.kubeconfig, tmp_path / "controller.log")
        async with await Kube.connect(plane.kubeconfig) as kube:
            await install(kube)
            await make_namespace(kube, SYSTEM_NAMESPACE)
            await make_namespace(kube, "default")
            controller.start()
            try:
                async with two_nodes(plane.kubeconfig, tmp_path) as nodes:
                    await kube.apply(OPEN_MODEL, tiny(weights), manager="tests")
                    await kube.apply(SERVICE, pair(member()), manager="tests")
                    before = await group_members(nodes, epoch=1)
                    assert_that_they_know_each_other(before)
                    victim = before[WORKER].pid
                    assert victim is not None
                    os.kill(victim, signal.SIGKILL)
                    after = await group_members(nodes, epoch=2)
                    assert {after[one].pid for one in (LEADER, WORKER)}.isdisjoint(
                        {before[one].pid for one in (LEADER, WORKER)}
                    )
            finally:
                controller.stop()


def assert_that_they_know_each_other(reports: dict[str, EngineReport]) -> None:
    leader, worker = reports[LEADER], reports[WORKER]
    assert leader.address != worker.address
    for rank, told in enumerate(map(environ, (leader, worker))):
        assert told["LWS_LEADER_ADDRESS"] == leader.address
        assert told["LWS_GROUP_SIZE"] == "2"
        assert told["LWS_WORKER_INDEX"] == str(rank)
