"""The end of all engines of a node at once: by its agent, and after it."""

import os
import signal
from pathlib import Path

import aiohttp
import psutil
import pytest

from llmaz.agent.engines import stop_all
from llmaz.agent.engines.ending import Ended
from llmaz.api.node import EnginePhase
from support.engines import Node, assigned, engine_log, engines
from support.shims import is_running, wait_until


async def test_stopping_all_leaves_no_process_and_keeps_the_logs(state_dir: Path) -> None:
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned("fake-0"), assigned("fake-1", "--ignore-term"))
        await node.until_phase(EnginePhase.READY, "default/fake-0", "default/fake-1")
        pids = [report.pid for report in node.reports.values()]
    ended = await stop_all(state_dir, 2.0, os.environ)
    assert ended == Ended(stopped=("default/fake-0", "default/fake-1"))
    assert [pid for pid in pids if pid is not None and is_running(pid)] == []
    wait_until(lambda: not list(state_dir.rglob("shim.sock")), "the shims are gone")
    assert "fake engine serves" in engine_log(state_dir)


async def test_a_stop_that_a_dead_agent_began_is_shortened_when_all_are_stopped(
    state_dir: Path,
) -> None:
    wanted = assigned("fake-0", "--token-seconds", "1", termination_grace_period_seconds=3600)
    async with aiohttp.ClientSession() as client:
        async with engines(state_dir) as under:
            node = Node(under)
            node.assigned = (wanted,)
            report = await node.until_phase(EnginePhase.READY)
            body = {"model": "fake", "prompt": "Hi", "max_tokens": 3600, "stream": True}
            url = f"http://127.0.0.1:{report.port}/v1/completions"
            response = await client.post(url, json=body)
            node.assigned = ()
            await node.until_phase(EnginePhase.STOPPING)
        ended = await stop_all(state_dir, 1.0, os.environ)
        response.close()
    assert ended == Ended(stopped=("default/fake-0",))
    assert report.pid is not None
    assert not is_running(report.pid)


@pytest.mark.slow  # half a minute of waiting for the one that does not answer
async def test_an_engine_whose_shim_is_frozen_is_left_when_all_are_stopped(
    state_dir: Path,
) -> None:
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned("fake-0"), assigned("fake-1"))
        await node.until_phase(EnginePhase.READY, "default/fake-0", "default/fake-1")
        pid = node.reports["default/fake-1"].pid
        assert pid is not None
        shim = psutil.Process(pid).ppid()
        os.kill(shim, signal.SIGSTOP)
        ended = await under.stop_all("the machine is left", within=1.0)
        assert ended == Ended(stopped=("default/fake-0",), left=("default/fake-1",))
        assert is_running(pid)
        os.kill(shim, signal.SIGCONT)
    ended = await stop_all(state_dir, 2.0, os.environ)
    assert ended.left == ()
    assert not is_running(pid)
