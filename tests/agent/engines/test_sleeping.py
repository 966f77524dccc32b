"""Engines that sleep, as real processes: how they fall asleep, wake, and outlive their agent."""

import asyncio
import dataclasses
import json
from pathlib import Path

import aiohttp
import pytest

from llmaz.agent.engines.liveness import Patience
from llmaz.api.fingerprint import fingerprint
from llmaz.api.node import AssignedEngine, EnginePhase
from llmaz.api.sleep import SleepCalls
from support.engines import QUICK, Node, assigned, engines
from support.shims import is_running

ID = "default/fake-0"
CALLS = {
    "vllm": SleepCalls(sleep="/sleep?level=1", wake="/wake_up", is_asleep="/is_sleeping"),
    "sglang": SleepCalls(sleep="/release_memory_occupation", wake="/resume_memory_occupation"),
}
WATCHFUL = Patience(
    drain_seconds=0.05, watch_seconds=0.05, idle_seconds=0.2, hang_seconds=0.4, token_seconds=0.2
)


def sleeper(*switches: str, dialect: str = "vllm") -> AssignedEngine:
    return assigned("fake-0", "--sleeps", dialect, *switches, sleep=CALLS[dialect])


def asleep(engine: AssignedEngine) -> AssignedEngine:
    return dataclasses.replace(engine, asleep=True)


async def ask(port: int | None, seconds: float = 120) -> int:
    url = f"http://127.0.0.1:{port}/v1/completions"
    body = {"model": "fake", "max_tokens": 4}
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with (
        aiohttp.ClientSession(timeout=timeout) as client,
        client.post(url, json=body) as answer,
    ):
        await answer.read()
        return answer.status


def test_whether_an_engine_sleeps_is_no_reason_to_start_it_anew() -> None:
    plain = dataclasses.replace(sleeper(), sleep=None)
    assert fingerprint(plain) == fingerprint(sleeper()) == fingerprint(asleep(sleeper()))


@pytest.mark.parametrize("dialect", CALLS)
async def test_an_engine_sleeps_and_wakes_in_place(state_dir: Path, dialect: str) -> None:
    engine = sleeper(dialect=dialect)
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (engine,)
        before = await node.until_phase(EnginePhase.READY)
        node.assigned = (asleep(engine),)
        sleeping = await node.until_phase(EnginePhase.ASLEEP)
        node.assigned = (engine,)
        after = await node.until_phase(EnginePhase.READY)
        assert await ask(after.port) == 200
        assert before.pid == sleeping.pid == after.pid


async def test_an_engine_that_sleeps_is_asked_nothing_and_never_taken_for_hung(
    state_dir: Path,
) -> None:
    engine = sleeper()
    async with engines(state_dir, patience=WATCHFUL) as under:
        node = Node(under)
        node.assigned = (engine,)
        await node.until_phase(EnginePhase.READY)
        node.assigned = (asleep(engine),)
        report = await node.until_phase(EnginePhase.ASLEEP)
        looks = iter(range(20))
        await node.until(lambda: next(looks, None) is None, "it was looked at for a while")
        assert report.pid is not None
        assert is_running(report.pid)  # a token that it is asked for would have ended it
        assert node.reports[ID].phase is EnginePhase.ASLEEP


async def test_what_runs_is_finished_before_an_engine_sleeps(state_dir: Path) -> None:
    engine = sleeper("--token-seconds", "1")
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (engine,)
        report = await node.until_phase(EnginePhase.READY)
        answer = asyncio.create_task(ask(report.port))
        await asyncio.wait_for(_busy(report.port), 120)
        node.assigned = (asleep(engine),)
        await node.until_phase(EnginePhase.ASLEEP)
        assert await answer == 200


async def _busy(port: int | None) -> None:
    async with aiohttp.ClientSession() as client:
        while True:
            async with client.get(f"http://127.0.0.1:{port}/metrics") as page:
                if "requests_processing 1" in await page.text():
                    return


async def test_one_that_is_called_back_while_it_falls_asleep_is_ready_at_once(
    state_dir: Path,
) -> None:
    engine = sleeper()
    patience = dataclasses.replace(QUICK, drain_seconds=600.0)
    async with engines(state_dir, patience=patience) as under:
        node = Node(under)
        node.assigned = (engine,)
        before = await node.until_phase(EnginePhase.READY)
        node.assigned = (asleep(engine),)
        drowsy = await node.until_phase(EnginePhase.UNREADY)
        assert drowsy.message == "falls asleep"
        node.assigned = (engine,)
        assert (await node.until_phase(EnginePhase.READY)).pid == before.pid


@pytest.mark.parametrize("dialect", CALLS)
async def test_an_agent_that_comes_back_finds_it_asleep_and_can_wake_it(
    state_dir: Path, dialect: str
) -> None:
    engine = sleeper(dialect=dialect)
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (engine,)
        await node.until_phase(EnginePhase.READY)
        node.assigned = (asleep(engine),)
        before = await node.until_phase(EnginePhase.ASLEEP)
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = None
        await node.step()
        assert node.reports[ID].phase is EnginePhase.ASLEEP
        node.assigned = (asleep(engine),)
        await node.step()
        assert node.actions == []
        node.assigned = (engine,)
        assert (await node.until_phase(EnginePhase.READY)).pid == before.pid


async def test_an_agent_that_died_before_it_told_the_engine_to_sleep_tells_it_again(
    state_dir: Path,
) -> None:
    engine = sleeper()
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (engine,)
        before = await node.until_phase(EnginePhase.READY)
    record = state_dir / "engines/default_fake-0/engine.json"
    kept = json.loads(record.read_text())
    told = {"sleep": "/sleep?level=1", "wake": "/wake_up", "isAsleep": "/is_sleeping"}
    record.write_text(json.dumps({**kept, "asleep": told}))
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (engine,)
        after = await node.until_phase(EnginePhase.READY)
        assert after.pid == before.pid
        assert await ask(after.port) == 200


async def test_one_that_does_not_wake_starts_anew(state_dir: Path) -> None:
    engine = sleeper("--no-wake")
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (engine,)
        before = await node.until_phase(EnginePhase.READY)
        node.assigned = (asleep(engine),)
        await node.until_phase(EnginePhase.ASLEEP)
        node.assigned = (engine,)
        after = await node.until_phase(EnginePhase.READY)
        assert after.pid != before.pid
        restarted = (await under.observe())[0].restarted
        assert restarted == {"WakeFailed": 1}


async def test_one_that_refuses_to_sleep_says_so_and_can_be_stopped(state_dir: Path) -> None:
    engine = dataclasses.replace(sleeper(), sleep=SleepCalls(sleep="/nap", wake="/wake_up"))
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (engine,)
        await node.until_phase(EnginePhase.READY)
        node.assigned = (asleep(engine),)
        await node.until(
            lambda: "can't fall asleep: /nap says 404" in node.reports[ID].message, "it says so"
        )
        node.assigned = ()
        await node.until_gone()
