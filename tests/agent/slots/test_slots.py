"""Engines in slots: real shims as the first processes of containers, and a fake engine in them."""

import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmaz.agent.engines.launch import shim_lives
from llmaz.agent.engines.state import StartEngine, StopEngine
from llmaz.agent.slots.execute import execute
from llmaz.api.node import EnginePhase
from llmaz.api.pod import Exec, Lifecycle, LifecycleHandler
from llmaz.api.sleep import SleepCalls
from llmaz.shim import protocol
from llmaz.shim.container import ADDRESS
from support.engines import Node, assigned, engines
from support.kubelet.slots import SlotContainer
from support.slotengines import Slots, in_slot, ready_in_slot, slots_below


@pytest.fixture
def slots(tmp_path: Path) -> Iterator[Slots]:
    with slots_below(tmp_path) as made:
        yield made


async def test_an_engine_waits_for_its_slot_and_starts_in_it(tmp_path: Path, slots: Slots) -> None:
    async with engines(tmp_path / "agent") as under:
        node = Node(under)
        node.assigned = (in_slot("a"),)
        waiting = await node.until_phase(EnginePhase.WAITING)
        assert waiting.message == "waits for pod fake-0-a to run"
        container = slots.make("a")
        container.run()
        ready = await node.until_phase(EnginePhase.READY)
        assert (ready.address, ready.port) == (container.env[ADDRESS], 8080)
        await node.until(lambda: container.ask("probe", "ready") == 0, "its pod is ready as well")
        assert Path(ready.log).parent == container.slot


async def test_an_engine_in_a_slot_lives_on_without_the_agent(tmp_path: Path, slots: Slots) -> None:
    async with ready_in_slot(tmp_path, slots) as former:
        before = former.before
    async with engines(tmp_path / "agent") as under:
        node = Node(under)
        node.assigned = (in_slot("a"),)
        after = await node.until_phase(EnginePhase.READY)
        assert (after.pid, after.address) == (before.pid, before.address)


@pytest.mark.parametrize(
    "change",
    [("--start-seconds", "0.01"), ("--lora-modules", "sql=/weights/sql")],
    ids=["flags", "adapters"],
)
async def test_what_an_engine_is_told_changes_in_the_same_slot(
    tmp_path: Path, slots: Slots, change: tuple[str, str]
) -> None:
    async with ready_in_slot(tmp_path, slots) as it:
        shim = it.container.process
        it.node.assigned = (in_slot("a", *change),)
        await it.until_another_runs()
        assert shim is not None
        assert it.container.process is shim
        assert shim.poll() is None


async def test_a_slot_that_is_drained_has_its_engine_stopped_by_the_agent(
    tmp_path: Path, slots: Slots
) -> None:
    async with ready_in_slot(tmp_path, slots) as it:
        hook = _begin(it.container)
        await it.node.until(lambda: hook.poll() is not None, "the hook has returned")
        assert hook.returncode == 0
        stops = [action.reason for action in it.node.actions if isinstance(action, StopEngine)]
        assert stops == ["its pod is about to end"]
        waiting = await it.node.until_phase(EnginePhase.WAITING)
        assert waiting.message == "waits for another pod than fake-0-a, which is ending"
        process = it.container.process
        assert process is not None
        process.terminate()
        assert process.wait(120) == 0


async def test_an_engine_goes_on_in_another_slot_when_its_own_is_killed(
    tmp_path: Path, slots: Slots
) -> None:
    async with ready_in_slot(tmp_path, slots) as it:
        it.container.kill()
        await it.node.until(
            lambda: it.now.phase is not EnginePhase.READY, "the end of the slot is noticed"
        )
        assert it.now.port is None
        it.node.assigned = (in_slot("b"),)
        other = slots.make("b")
        other.run()
        ready = await it.node.until_phase(EnginePhase.READY)
        assert ready.address == other.env[ADDRESS]


async def test_a_stop_that_was_begun_in_one_slot_does_not_end_the_engine_in_the_next(
    tmp_path: Path, slots: Slots
) -> None:
    other = slots.make("b")
    other.run()
    async with ready_in_slot(tmp_path, slots) as it:
        it.node.assigned = (in_slot("b"),)
        it.container.kill()
        await it.until_another_runs()
        moved = it.now.pid
        for _ in range(10):
            await it.node.step()
        assert (it.now.pid, it.now.address) == (moved, other.env[ADDRESS])
        starts = [action for action in it.node.actions if isinstance(action, StartEngine)]
        assert len(starts) == 2


async def test_a_container_that_was_started_again_gets_its_engine_again(
    tmp_path: Path, slots: Slots
) -> None:
    async with ready_in_slot(tmp_path, slots) as it:
        it.container.kill()
        it.container.run()
        await it.until_another_runs()
        assert it.now.restarts == 1
        (again,) = (e.restarted for e in await it.under.observe())
        # The end is told by what stands for the dead shim, or by its successor that was quicker.
        assert again in ({"SlotEnded": 1}, {"ShimKilled": 1})


async def test_the_slot_of_an_engine_that_is_assigned_no_more_stays(
    tmp_path: Path, slots: Slots
) -> None:
    async with ready_in_slot(tmp_path, slots) as it:
        it.node.assigned = ()
        await it.node.until_gone()
        assert it.container.ask("probe", "live") == 0
        assert it.container.ask("probe", "ready") == 1


async def test_an_engine_goes_from_a_slot_to_the_agent_and_back(
    tmp_path: Path, slots: Slots
) -> None:
    other = slots.make("b")
    own = tmp_path / "agent" / "engines"
    async with ready_in_slot(tmp_path, slots) as it:
        it.node.assigned = (assigned("fake-0"),)
        await it.node.until(lambda: _is_own(it.node), "the engine is a process of the agent's")
        assert it.container.ask("probe", "ready") == 1
        (shim,) = (path.parent for path in own.rglob(protocol.LOCK))
        assert shim_lives(shim)
        other.run()
        it.node.assigned = (in_slot("b"),)
        await it.node.until(
            lambda: other.ask("probe", "ready") == 0, "the engine is in a slot again"
        )
        await it.node.until(lambda: not shim_lives(shim), "no shim is left without an engine")


async def test_an_engine_whose_slot_has_ended_becomes_a_process_of_the_agent(
    tmp_path: Path, slots: Slots
) -> None:
    async with ready_in_slot(tmp_path, slots) as it:
        it.container.kill()
        it.node.assigned = (assigned("fake-0"),)
        await it.node.until(lambda: _is_own(it.node), "the engine is a process of the agent's")


def _is_own(node: Node) -> bool:
    report = node.reports["default/fake-0"]
    return report.phase is EnginePhase.READY and not report.address


async def test_the_end_of_an_agent_s_pod_leaves_engines_in_slots_alone(
    tmp_path: Path, slots: Slots
) -> None:
    async with ready_in_slot(tmp_path, slots) as it:
        await it.under.stop_all("the agent's pod ends", within=5.0)
        await it.node.step()
        assert it.now.pid == it.before.pid


async def test_an_engine_sleeps_and_wakes_in_its_slot_and_the_pod_is_not_ready_meanwhile(
    tmp_path: Path, slots: Slots
) -> None:
    """The devices stay the pod's: an engine that sleeps has to be able to come back."""
    calls = SleepCalls(sleep="/sleep?level=1", wake="/wake_up", is_asleep="/is_sleeping")
    awake = in_slot("a", "--sleeps", "vllm", sleep=calls)
    async with ready_in_slot(tmp_path, slots, awake) as it:
        it.node.assigned = (dataclasses.replace(awake, asleep=True),)
        asleep = await it.node.until_phase(EnginePhase.ASLEEP)
        assert (asleep.pid, asleep.accelerators) == (it.before.pid, it.before.accelerators)
        await it.node.until(
            lambda: it.container.ask("probe", "ready") == 1, "the pod takes no requests"
        )
        assert it.container.ask("probe", "live") == 0
        it.node.assigned = (awake,)
        assert (await it.node.until_phase(EnginePhase.READY)).pid == it.before.pid
        await it.node.until(
            lambda: it.container.ask("probe", "ready") == 0, "the pod takes requests"
        )


async def test_a_command_of_a_hook_runs_in_the_slot_and_not_beside_the_agent(
    tmp_path: Path, slots: Slots
) -> None:
    said = tmp_path / "said"
    script = f'echo "$LLMAZ_PORT $HOSTNAME_OF_SLOT" > {said}'
    hook = LifecycleHandler(exec=Exec(command=("/bin/sh", "-c", script)))
    slots.env["HOSTNAME_OF_SLOT"] = "inside"
    engine = in_slot("a", lifecycle=Lifecycle(pre_stop=hook))
    async with ready_in_slot(tmp_path, slots, engine) as it:
        it.node.assigned = ()
        await it.node.until_gone()
    assert said.read_text() == "8080 inside\n"


async def test_a_command_that_fails_or_does_not_exist_is_told(slots: Slots) -> None:
    container = slots.make("a")
    container.run()
    failed = await execute(container.slot, Exec(command=("/bin/sh", "-c", "exit 3")), {})
    assert (failed.ok, failed.detail) == (False, "/bin/sh exited with code 3")
    missing = await execute(container.slot, Exec(command=("/no/such/program",)), {})
    assert (missing.ok, missing.detail) == (False, "/no/such/program exited with code 127")


def _begin(container: SlotContainer) -> "subprocess.Popen[bytes]":
    """Begin the hook that comes before the end of a pod."""
    return subprocess.Popen(container.command("drain"), env=container.env)
