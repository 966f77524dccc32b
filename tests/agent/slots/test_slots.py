"""Engines in slots: real shims as the first processes of containers, and a fake engine in them."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmaz.agent.engines.launch import shim_lives
from llmaz.agent.engines.state import StopEngine
from llmaz.agent.slots.execute import execute
from llmaz.api.node import AssignedEngine, EnginePhase
from llmaz.api.pod import Exec, Lifecycle, LifecycleHandler
from llmaz.api.slot import SLOTS, AssignedSlot
from llmaz.shim import protocol
from llmaz.shim.container import ADDRESS
from support.engines import Node, assigned, engines
from support.kubelet.slots import SlotContainer
from support.loopback import own_address


class Slots:
    """Containers of slots by the uids of their pods; each has an address of its own."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._made: list[SlotContainer] = []

    def make(self, uid: str) -> SlotContainer:
        slot = self._home / SLOTS / uid
        slot.parent.mkdir(exist_ok=True)
        path = {"PATH": os.environ["PATH"]}
        made = SlotContainer(slot, self._home / f"shim-{uid}", address=own_address(), env=path)
        self._made.append(made)
        return made

    def end(self) -> None:
        for container in self._made:
            container.kill()


@pytest.fixture
def slots(tmp_path: Path) -> Iterator[Slots]:
    made = Slots(tmp_path)
    yield made
    made.end()


def in_slot(uid: str, *switches: str, **fields: object) -> AssignedEngine:
    """A fake engine that listens on one port at the address of its slot."""
    args = ("--host", "$(LLMAZ_HOST)", *switches)
    slot = AssignedSlot(name=f"fake-0-{uid}", uid=uid)
    return assigned("fake-0", *args, slot=slot, port=None, **fields)


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
    slots.make("a").run()
    async with engines(tmp_path / "agent") as under:
        node = Node(under)
        node.assigned = (in_slot("a"),)
        before = await node.until_phase(EnginePhase.READY)
    async with engines(tmp_path / "agent") as under:
        node = Node(under)
        node.assigned = (in_slot("a"),)
        after = await node.until_phase(EnginePhase.READY)
        assert (after.pid, after.address) == (before.pid, before.address)


async def test_flags_change_in_the_same_slot(tmp_path: Path, slots: Slots) -> None:
    container = slots.make("a")
    shim = container.run().pid
    async with engines(tmp_path / "agent") as under:
        node = Node(under)
        node.assigned = (in_slot("a"),)
        before = await node.until_phase(EnginePhase.READY)
        node.assigned = (in_slot("a", "--start-seconds", "0.01"),)
        await node.until(
            lambda: (
                node.reports["default/fake-0"].phase is EnginePhase.READY
                and node.reports["default/fake-0"].pid != before.pid
            ),
            "the engine has other flags",
        )
        assert container.process is not None
        assert container.process.pid == shim
        assert container.process.poll() is None


async def test_a_slot_that_is_drained_has_its_engine_stopped_by_the_agent(
    tmp_path: Path, slots: Slots
) -> None:
    container = slots.make("a")
    process = container.run()
    async with engines(tmp_path / "agent") as under:
        node = Node(under)
        node.assigned = (in_slot("a"),)
        await node.until_phase(EnginePhase.READY)
        hook = _begin(container)
        await node.until(lambda: hook.poll() is not None, "the hook has returned")
        assert hook.returncode == 0
        stops = [action.reason for action in node.actions if isinstance(action, StopEngine)]
        assert stops == ["its pod is about to end"]
        waiting = await node.until_phase(EnginePhase.WAITING)
        assert waiting.message == "waits for another pod than fake-0-a, which is ending"
        process.terminate()
        assert process.wait(120) == 0


async def test_an_engine_goes_on_in_another_slot_when_its_own_is_killed(
    tmp_path: Path, slots: Slots
) -> None:
    container = slots.make("a")
    container.run()
    async with engines(tmp_path / "agent") as under:
        node = Node(under)
        node.assigned = (in_slot("a"),)
        await node.until_phase(EnginePhase.READY)
        container.kill()
        await node.until(
            lambda: node.reports["default/fake-0"].phase is not EnginePhase.READY,
            "the end of the slot is noticed",
        )
        assert node.reports["default/fake-0"].port is None
        node.assigned = (in_slot("b"),)
        other = slots.make("b")
        other.run()
        ready = await node.until_phase(EnginePhase.READY)
        assert ready.address == other.env[ADDRESS]


async def test_a_container_that_was_started_again_gets_its_engine_again(
    tmp_path: Path, slots: Slots
) -> None:
    container = slots.make("a")
    container.run()
    async with engines(tmp_path / "agent") as under:
        node = Node(under)
        node.assigned = (in_slot("a"),)
        before = await node.until_phase(EnginePhase.READY)
        container.kill()
        container.run()
        await node.until(
            lambda: (
                node.reports["default/fake-0"].phase is EnginePhase.READY
                and node.reports["default/fake-0"].pid != before.pid
            ),
            "the engine runs again",
        )
        assert node.reports["default/fake-0"].restarts == 1
        (again,) = (e.restarted for e in await under.observe())
        # The end is told by what stands for the dead shim, or by its successor that was quicker.
        assert again in ({"SlotEnded": 1}, {"ShimKilled": 1})


async def test_the_slot_of_an_engine_that_is_assigned_no_more_stays(
    tmp_path: Path, slots: Slots
) -> None:
    container = slots.make("a")
    container.run()
    async with engines(tmp_path / "agent") as under:
        node = Node(under)
        node.assigned = (in_slot("a"),)
        await node.until_phase(EnginePhase.READY)
        node.assigned = ()
        await node.until_gone()
        assert container.ask("probe", "live") == 0
        assert container.ask("probe", "ready") == 1


async def test_an_engine_goes_from_a_slot_to_the_agent_and_back(
    tmp_path: Path, slots: Slots
) -> None:
    container = slots.make("a")
    container.run()
    other = slots.make("b")
    own = tmp_path / "agent" / "engines"
    async with engines(tmp_path / "agent") as under:
        node = Node(under)
        node.assigned = (in_slot("a"),)
        await node.until_phase(EnginePhase.READY)
        node.assigned = (assigned("fake-0"),)
        await node.until(lambda: _is_own(node), "the engine is a process of the agent's")
        assert container.ask("probe", "ready") == 1
        (shim,) = (path.parent for path in own.rglob(protocol.LOCK))
        assert shim_lives(shim)
        other.run()
        node.assigned = (in_slot("b"),)
        await node.until(lambda: other.ask("probe", "ready") == 0, "the engine is in a slot again")
        await node.until(lambda: not shim_lives(shim), "no shim is left without an engine")


async def test_an_engine_whose_slot_has_ended_becomes_a_process_of_the_agent(
    tmp_path: Path, slots: Slots
) -> None:
    container = slots.make("a")
    container.run()
    async with engines(tmp_path / "agent") as under:
        node = Node(under)
        node.assigned = (in_slot("a"),)
        await node.until_phase(EnginePhase.READY)
        container.kill()
        node.assigned = (assigned("fake-0"),)
        await node.until(lambda: _is_own(node), "the engine is a process of the agent's")


def _is_own(node: Node) -> bool:
    report = node.reports["default/fake-0"]
    return report.phase is EnginePhase.READY and not report.address


async def test_the_end_of_an_agent_s_pod_leaves_engines_in_slots_alone(
    tmp_path: Path, slots: Slots
) -> None:
    slots.make("a").run()
    async with engines(tmp_path / "agent") as under:
        node = Node(under)
        node.assigned = (in_slot("a"),)
        before = await node.until_phase(EnginePhase.READY)
        await under.stop_all("the agent's pod ends", within=5.0)
        await node.step()
        assert node.reports["default/fake-0"].pid == before.pid


async def test_a_command_of_a_hook_runs_in_the_slot_and_not_beside_the_agent(
    tmp_path: Path, slots: Slots
) -> None:
    container = slots.make("a")
    container.env["WHERE"] = "inside"
    container.run()
    said = tmp_path / "said"
    script = f'echo "$WHERE" > {said}'
    hook = LifecycleHandler(exec=Exec(command=("/bin/sh", "-c", script)))
    async with engines(tmp_path / "agent") as under:
        node = Node(under)
        node.assigned = (in_slot("a", lifecycle=Lifecycle(pre_stop=hook)),)
        await node.until_phase(EnginePhase.READY)
        node.assigned = ()
        await node.until_gone()
    assert said.read_text() == "inside\n"


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
