"""What an engine in a slot compiles is there for the next pod like it, on this node and others."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmaz.agent.engines.record import EngineRecord
from llmaz.agent.slots.about import SlotAbout
from llmaz.api.accelerator import Accelerator
from llmaz.api.node import AssignedEngine, EnginePhase
from llmaz.api.slot import SLOTS
from support.compiling import PLACES
from support.engines import Node
from support.jitengines import JitNode
from support.slotengines import Slots, in_slot, slots_below

DEVICES = {
    name: Accelerator(uuid=name, index=index, vendor="nvidia", product=name, resource="gpu")
    for index, name in enumerate(("H100", "L4"))
}


@pytest.fixture
def slots(tmp_path: Path) -> Iterator[Slots]:
    with slots_below(tmp_path) as made:
        yield made


class SlotNode(JitNode):
    """A node whose engines compile in slots."""

    def engine(self, uid: str) -> AssignedEngine:
        return self.compiling(in_slot(uid))

    async def place(self, engine: AssignedEngine, about: SlotAbout) -> str:
        """Return where an engine is told to keep what it compiles."""
        assert engine.slot is not None
        (self.slots_dir / engine.slot.uid).mkdir(parents=True, exist_ok=True)
        record = EngineRecord(assignment=engine, fingerprint="f")
        return (await self.jit.variables(record, about))["TRITON_CACHE_DIR"]


async def test_the_next_pod_finds_what_an_engine_in_another_compiled(
    tmp_path: Path, slots: Slots
) -> None:
    machine = SlotNode(tmp_path)
    async with machine.engines() as under:
        node = Node(under)
        for uid in ("a", "b"):
            container = slots.make(uid)
            container.run()
            node.assigned = (machine.engine(uid),)
            await node.until_phase(EnginePhase.READY)
            await machine.look(under)
            container.kill()
            await node.until_phase(EnginePhase.WAITING)
            await machine.look(under)
    compiled, found = machine.said()[: len(PLACES)], machine.said()[len(PLACES) :]
    assert compiled == [f"compiled {name}" for name in PLACES]
    assert found == [f"found {name} {name}" for name in PLACES]
    assert not (tmp_path / "jit" / "live").exists()


async def test_what_it_is_told_is_where_its_container_sees_its_own_directory(
    tmp_path: Path,
) -> None:
    machine = SlotNode(tmp_path)
    place = await machine.place(machine.engine("a"), SlotAbout())
    assert place.startswith("/run/llmaz/slot/jit-")
    assert (tmp_path / SLOTS / "a" / Path(place).parent.name).is_dir()
    again = await machine.place(machine.engine("b"), SlotAbout())
    assert again == place  # as compilers write paths into what they make


async def test_another_kind_of_device_is_another_key_and_an_untold_one_any(tmp_path: Path) -> None:
    machine = SlotNode(tmp_path)
    machine.devices = dict(DEVICES)
    abouts = [SlotAbout(visible={"NVIDIA_VISIBLE_DEVICES": name}) for name in DEVICES]
    places = {await machine.place(machine.engine("a"), one) for one in (*abouts, SlotAbout())}
    assert len(places) == 3


async def test_namespaces_do_not_share_and_a_slot_shares_with_no_process(tmp_path: Path) -> None:
    machine = SlotNode(tmp_path)
    mine = machine.engine("a")
    theirs = dataclasses.replace(mine, id="other/fake-0")
    keys = {await machine.place(one, SlotAbout()) for one in (mine, theirs)}
    record = EngineRecord(assignment=dataclasses.replace(mine, slot=None), fingerprint="f")
    process = (await machine.jit.variables(record))["TRITON_CACHE_DIR"]
    keys.add(f"jit-{Path(process).parent.name}")
    assert len(keys) == 3


async def test_an_engine_whose_slot_has_no_directory_starts_all_the_same(tmp_path: Path) -> None:
    machine = SlotNode(tmp_path)
    record = EngineRecord(assignment=machine.engine("gone"), fingerprint="f")
    assert await machine.jit.variables(record, SlotAbout()) == {}
    assert await machine.jit.variables(record, None) == {}
