"""A replica on two nodes, every program real: a leader, its worker, and the end of one of them."""

import os
import signal
from pathlib import Path

import pytest

from llmaz.api.node import EngineReport
from support.twonodes import LEADER, WORKER, group_members, member, pair, running_pair

pytestmark = pytest.mark.timeout(500)


def environ(report: EngineReport) -> dict[str, str]:
    entries = Path(f"/proc/{report.pid}/environ").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


async def test_when_a_worker_dies_the_whole_group_starts_anew_in_place(tmp_path: Path) -> None:
    async with running_pair(tmp_path, pair(member())) as (_, nodes):
        before = await group_members(nodes)
        assert_that_they_know_each_other(before)
        victim = before[WORKER].pid
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
        after = await group_members(nodes, later_than=before[WORKER].epoch)
        assert {report.pid for report in after.values()}.isdisjoint(
            {report.pid for report in before.values()}
        )


def assert_that_they_know_each_other(reports: dict[str, EngineReport]) -> None:
    leader, worker = reports[LEADER], reports[WORKER]
    assert leader.address != worker.address
    for rank, told in enumerate(map(environ, (leader, worker))):
        assert told["LWS_LEADER_ADDRESS"] == leader.address
        assert told["LWS_GROUP_SIZE"] == "2"
        assert told["LWS_WORKER_INDEX"] == str(rank)
