"""Engines as real processes under real shims: start, adopt, watch, stop."""

import asyncio
import dataclasses
import json
import os
import re
import signal
from pathlib import Path

import aiohttp
import pytest

from llmaz.agent.engines.liveness import Patience
from llmaz.agent.engines.state import StartEngine
from llmaz.api.incident import Incident
from llmaz.api.node import EnginePhase
from llmaz.api.pod import EnvVar, EnvVarSource, Exec, KeySelector, Lifecycle, LifecycleHandler
from support.engines import QUICK, Node, assigned, engine_log, engines
from support.shims import is_running, kill_shim

ID = "default/fake-0"


async def test_an_engine_becomes_ready_and_is_gone_when_it_is_assigned_no_more(
    state_dir: Path,
) -> None:
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned(),)
        report = await node.until_phase(EnginePhase.READY)
        assert report.pid is not None
        assert report.port is not None
        assert report.log == str(state_dir / "engines/default_fake-0/engine.log")
        node.assigned = ()
        await node.until_gone()
        assert not is_running(report.pid)
        assert list((state_dir / "engines").iterdir()) == []


async def test_an_agent_that_comes_back_restarts_nothing(state_dir: Path) -> None:
    wanted = tuple(assigned(f"fake-{number}") for number in range(3))
    ids = [engine.id for engine in wanted]
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = wanted
        await node.until_phase(EnginePhase.READY, *ids)
        before = {id_: node.reports[id_].pid for id_ in ids}
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = wanted
        await node.step()
        first_look = {id_: report.phase for id_, report in node.reports.items()}
        await node.until_phase(EnginePhase.READY, *ids)
        assert {id_: node.reports[id_].pid for id_ in ids} == before
        assert node.actions == []
        assert set(first_look.values()) == {EnginePhase.READY}


async def test_no_known_assignment_stops_nothing(state_dir: Path) -> None:
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned(),)
        await node.until_phase(EnginePhase.READY)
        node.assigned = None
        await node.step()
        assert len(node.actions) == 1
        assert node.reports[ID].phase is EnginePhase.READY


async def test_a_death_is_seen_at_once_and_the_engine_comes_back(state_dir: Path) -> None:
    unwatched = dataclasses.replace(QUICK, watch_seconds=3600.0)  # it has to be told
    async with engines(state_dir, patience=unwatched) as under:
        node = Node(under)
        node.assigned = (assigned(),)
        report = await node.until_phase(EnginePhase.READY)
        assert report.pid is not None
        os.kill(report.pid, signal.SIGKILL)
        backoff = await node.until_phase(EnginePhase.BACKOFF)
        assert backoff.reason == "KilledBySignal"
        again = await node.until_phase(EnginePhase.READY)
        assert again.restarts > report.restarts
        assert again.port == report.port


async def test_an_engine_whose_shim_is_killed_is_ended_and_started_anew(state_dir: Path) -> None:
    async with engines(state_dir) as under:
        node = Node(under)
        pids_file = state_dir / "pids"
        switches = ("--setsid", "1", "--double-fork", "1", "--pids-file", str(pids_file))
        node.assigned = (assigned("fake-0", *switches),)
        await node.until_phase(EnginePhase.READY)
        pids = json.loads(pids_file.read_text())
        kill_shim(state_dir / "engines" / "default_fake-0")
        await node.until_phase(EnginePhase.BACKOFF)
        assert [pid for pid in pids if is_running(pid)] == []
        await node.until_phase(EnginePhase.READY)
        [told] = under.incidents()
        assert (told.id, told.reason) == ("default/fake-0", Incident.ORPHAN_REAPED)


async def test_a_changed_assignment_replaces_the_engine(state_dir: Path) -> None:
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned(),)
        before = await node.until_phase(EnginePhase.READY)
        node.assigned = (assigned("fake-0", "--token-seconds", "0.001"),)
        await node.until_phase(EnginePhase.STOPPING)
        after = await node.until_phase(EnginePhase.READY)
        assert after.fingerprint != before.fingerprint
        assert (after.pid == before.pid, after.restarts) == (False, 0)


async def test_a_missing_program_is_named(state_dir: Path) -> None:
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned(command=("no-such-engine",)),)
        report = await node.until_phase(EnginePhase.BACKOFF)
        assert report.reason == "ExecutableNotFound"
        assert report.message.startswith("no-such-engine: no such program on this node")


async def test_bad_arguments_are_not_tried_again(state_dir: Path) -> None:
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned("fake-0", "--no-such-switch"),)
        report = await node.until_phase(EnginePhase.FAILED)
        assert report.reason == "BadArguments"
        assert "--no-such-switch" in report.message
        await node.step()
        assert [type(action) for action in node.actions] == [StartEngine]


async def test_a_wrong_model_never_becomes_ready(state_dir: Path) -> None:
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned("fake-0", "--list-model", "other"),)
        await node.until(lambda: "lists" in node.reports[ID].message, "the wrong model is told")
        told = "the engine does not list the model yet (/v1/models lists other, not fake)"
        assert node.reports[ID].message == told
        assert node.reports[ID].phase is EnginePhase.STARTING


async def test_an_engine_that_lists_the_path_of_its_weights_becomes_ready(state_dir: Path) -> None:
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned("fake-0", "--list-model", "/models/fake"),)
        await node.until_phase(EnginePhase.READY)


async def test_an_idle_engine_is_not_restarted_for_nothing_after_its_adoption(
    state_dir: Path,
) -> None:
    patience = Patience(watch_seconds=0.02, idle_seconds=0.1)
    switches = ("--list-model", "/models/fake", "--strict")
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned("fake-0", *switches),)
        before = await node.until_phase(EnginePhase.READY)
    async with engines(state_dir, patience=patience) as under, aiohttp.ClientSession() as client:
        node = Node(under)
        node.assigned = (assigned("fake-0", *switches),)

        async def tokens() -> str:
            url = f"http://127.0.0.1:{before.port}/metrics"
            async with client.get(url) as response:
                return (await response.text()).split()[-1]

        first = await tokens()
        while await tokens() == first:  # the agent asks for one token when nothing else does
            await node.step()
        await node.step()
        assert (node.reports[ID].pid, node.actions) == (before.pid, [])


NO_TOKEN = re.compile(r"Hung: it hangs: no token within \d+ s")  # 1, or more on a busy machine
IMPATIENT = Patience(
    drain_seconds=0.05,
    watch_seconds=0.05,
    idle_seconds=1.0,
    token_seconds=1.0,
    hang_seconds=2.0,
    toil_seconds=1.0,
)


@pytest.mark.parametrize(
    "switches",
    [(), ("--no-metrics",), ("--hang-spins",), ("--no-metrics", "--hang-spins")],
    ids=["metrics", "no metrics", "in a loop", "no metrics, in a loop"],
)
async def test_a_hang_with_a_healthy_health_is_found_and_ended(
    state_dir: Path, switches: tuple[str, ...]
) -> None:
    async with engines(state_dir, patience=IMPATIENT) as under:
        node = Node(under)
        node.assigned = (assigned("fake-0", *switches),)
        report = await node.until_phase(EnginePhase.READY)
        assert report.pid is not None
        os.kill(report.pid, signal.SIGUSR1)
        backoff = await node.until_phase(EnginePhase.BACKOFF)
        assert NO_TOKEN.fullmatch(f"{backoff.reason}: {backoff.message}")


async def test_an_engine_that_is_frozen_is_unready_first_and_then_ended(state_dir: Path) -> None:
    patience = dataclasses.replace(IMPATIENT, health_seconds=0.3, hang_seconds=6)
    async with engines(state_dir, patience=patience) as under:
        node = Node(under)
        node.assigned = (assigned(accelerators=("GPU-0",)),)
        report = await node.until_phase(EnginePhase.READY)
        assert report.pid is not None
        os.kill(report.pid, signal.SIGSTOP)
        stopping = await node.until_phase(EnginePhase.STOPPING)
        assert NO_TOKEN.fullmatch(f"{stopping.reason}: {stopping.message}")
        assert EnginePhase.UNREADY in {phase for _, _, phase in node.history}
        assert (await node.until_phase(EnginePhase.BACKOFF)).reason == "Hung"
        assert not is_running(report.pid)


async def test_an_engine_that_is_unwell_for_a_while_is_unready_and_not_restarted(
    state_dir: Path,
) -> None:
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned(),)
        report = await node.until_phase(EnginePhase.READY)
        assert report.pid is not None
        os.kill(report.pid, signal.SIGUSR2)
        assert (await node.until_phase(EnginePhase.UNREADY)).message == "/health says 503"
        os.kill(report.pid, signal.SIGUSR2)
        assert (await node.until_phase(EnginePhase.READY)).pid == report.pid
        assert len(node.actions) == 1


async def test_a_request_in_flight_is_finished_before_the_engine_is_stopped(
    state_dir: Path,
) -> None:
    async with engines(state_dir) as under, aiohttp.ClientSession() as client:
        node = Node(under)
        node.assigned = (assigned("fake-0", "--token-seconds", "0.02"),)
        report = await node.until_phase(EnginePhase.READY)
        body = {"model": "fake", "prompt": "Hi", "max_tokens": 50, "stream": True}
        url = f"http://127.0.0.1:{report.port}/v1/completions"
        async with client.post(url, json=body) as response:
            node.assigned = ()
            leaving = asyncio.create_task(node.until_gone())
            text = await response.text()
        await leaving
        assert text.count("data:") == 51
        assert text.endswith("data: [DONE]\n\n")


async def test_a_request_that_outlasts_the_drain_is_told_of(state_dir: Path) -> None:
    patience = dataclasses.replace(QUICK, health_seconds=60.0)  # a slow answer is no end of a drain
    async with engines(state_dir, patience=patience) as under, aiohttp.ClientSession() as client:
        node = Node(under)
        wanted = assigned("fake-0", "--token-seconds", "0.02")
        node.assigned = (dataclasses.replace(wanted, termination_grace_period_seconds=4),)
        report = await node.until_phase(EnginePhase.READY)
        body = {"model": "fake", "prompt": "Hi", "max_tokens": 100_000, "stream": True}
        url = f"http://127.0.0.1:{report.port}/v1/completions"
        async with client.post(url, json=body) as response:
            await response.content.readline()
            node.assigned = ()
            await node.until_gone()
        [told] = under.incidents()
        assert (told.id, told.reason) == ("default/fake-0", Incident.DRAIN_TIMED_OUT)
        assert told.message.startswith("1 requests were not finished")


async def test_a_secret_that_is_missing_is_named(state_dir: Path) -> None:
    source = EnvVarSource(secret_key_ref=KeySelector(name="hub", key="token"))
    optional = EnvVarSource(secret_key_ref=KeySelector(name="hub", key="token", optional=True))
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned(env=(EnvVar(name="T", value_from=source),)),)
        report = await node.until_phase(EnginePhase.BACKOFF)
        assert report.reason == "SecretNotFound"
        node.assigned = (assigned(env=(EnvVar(name="T", value_from=optional),)),)
        await node.until_phase(EnginePhase.READY)


async def test_a_start_without_progress_is_given_up(state_dir: Path) -> None:
    patience = Patience(drain_seconds=0.05, startup_stall_seconds=0.5)
    async with engines(state_dir, patience=patience) as under:
        node = Node(under)
        node.assigned = (assigned("fake-0", "--start-seconds", "3600"),)
        backoff = await node.until_phase(EnginePhase.BACKOFF)
        assert backoff.reason == "StartTimedOut"


async def test_a_secret_reaches_the_engine_alone(state_dir: Path) -> None:
    source = EnvVarSource(secret_key_ref=KeySelector(name="hub", key="token"))
    wanted = assigned(
        "fake-0", "--print-environment", env=(EnvVar(name="HUB_TOKEN", value_from=source),)
    )
    values = {"default/hub": {"token": "s3cret"}}
    async with engines(state_dir, values=values) as under:
        node = Node(under)
        node.assigned = (wanted,)
        report = await node.until_phase(EnginePhase.READY)
        assert "HUB_TOKEN=s3cret" in engine_log(state_dir)
        files = [path for path in state_dir.rglob("*") if path.is_file()]
        kept = b"".join(p.read_bytes() for p in files if not p.name.startswith("engine.log"))
        assert b"s3cret" not in kept
        assert b"s3cret" not in Path(f"/proc/{report.pid}/cmdline").read_bytes()


async def test_a_pre_stop_hook_is_run(state_dir: Path) -> None:
    hook = LifecycleHandler(exec=Exec(command=("touch", str(state_dir / "hooked"))))
    wanted = assigned("fake-0", lifecycle=Lifecycle(pre_stop=hook))
    async with engines(state_dir, patience=QUICK) as under:
        node = Node(under)
        node.assigned = (wanted,)
        await node.until_phase(EnginePhase.READY)
        node.assigned = ()
        await node.until_gone()
        assert (state_dir / "hooked").exists()


async def test_an_engine_whose_record_is_spoiled_runs_on(state_dir: Path) -> None:
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned(),)
        before = await node.until_phase(EnginePhase.READY)
    (state_dir / "engines" / "default_fake-0" / "engine.json").write_bytes(bytes(512))
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned(),)
        after = await node.until_phase(EnginePhase.READY)
        assert (after.pid, after.port, node.actions) == (before.pid, before.port, [])


async def test_an_engine_of_which_no_record_is_whole_is_started_anew(state_dir: Path) -> None:
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned(),)
        before = await node.until_phase(EnginePhase.READY)
    for name in ("engine.json", "engine.json.former"):
        (state_dir / "engines" / "default_fake-0" / name).write_bytes(b"")
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned(),)
        after = await node.until_phase(EnginePhase.READY)
        assert before.pid is not None
        assert not is_running(before.pid)
        assert after.pid != before.pid


async def test_what_has_no_record_is_ended_at_the_next_start(state_dir: Path) -> None:
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned(),)
        report = await node.until_phase(EnginePhase.READY)
    assert report.pid is not None
    (state_dir / "engines" / "default_fake-0" / "engine.json").unlink()
    async with engines(state_dir) as under:
        assert await under.observe() == ()
        [told] = under.incidents()
        assert (told.id, told.reason) == ("default/fake-0", Incident.ORPHAN_REAPED)
    assert not is_running(report.pid)
