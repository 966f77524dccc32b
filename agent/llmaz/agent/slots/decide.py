"""What a slot means for the engine that is assigned to it. Pure."""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from llmaz.agent.slots.about import SlotAbout, accelerators_of, ledger_accelerators
from llmaz.api.accelerator import Accelerator
from llmaz.api.node import AssignedEngine, EngineReport

ENDING = "its pod is about to end"
SLOT_ENDED = "its slot has ended"  # the error of an exit that nobody saw: the container is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotSeen:
    """A slot whose shim lives. What it tells is known once an engine has been connected to it."""

    address: str = ""
    accelerators: tuple[str, ...] = ()
    doubt: str = ""  # where the kubelet and the container name different accelerators
    draining: bool = False


def missing_slot(engine: AssignedEngine, slots: Mapping[str, SlotSeen]) -> str | None:
    """Say what an engine waits for before there is a place for it; None where there is."""
    if engine.slot is None:
        return None
    slot = slots.get(engine.slot.uid)
    if slot is None:
        return f"waits for pod {engine.slot.name} to run"
    ending = f"waits for another pod than {engine.slot.name}, which is ending"
    return ending if slot.draining else None


def is_ending(engine: AssignedEngine, slots: Mapping[str, SlotSeen]) -> bool:
    """Tell whether the slot that an engine runs in is about to end."""
    return engine.slot is not None and engine.slot.uid in slots and slots[engine.slot.uid].draining


def within(
    report: EngineReport, engine: AssignedEngine | None, slots: Mapping[str, SlotSeen]
) -> EngineReport:
    """Return the report of an engine with what its slot tells: it is reached at the pod's own IP.

    Without the slot there is no such address, and the node's is none of the engine's.
    """
    if engine is None or engine.slot is None:
        return report
    slot = slots.get(engine.slot.uid)
    if slot is None or not slot.address:
        return dataclasses.replace(report, port=None)
    return dataclasses.replace(
        report,
        address=slot.address,
        accelerators=slot.accelerators,
        reason=report.reason or ("DevicesDiffer" if slot.doubt else ""),
        message=report.message or slot.doubt,
    )


def slot_seen(
    about: SlotAbout, accelerators: Mapping[str, Accelerator], given: Collection[str] | None = None
) -> SlotSeen:
    """Return what the decision is told of a slot.

    `given` are the devices that the kubelet's ledger names. It is believed before the container,
    whose variables come from its image and its runtime as well.
    """
    inside = accelerators_of(about, accelerators)
    ledger = ledger_accelerators(given or (), accelerators)
    doubt = ""
    if ledger and inside and ledger != inside:
        doubt = f"its pod was given {', '.join(ledger)}, and its container sees {', '.join(inside)}"
    return SlotSeen(
        address=about.address,
        accelerators=ledger or inside,
        doubt=doubt,
        draining=about.draining,
    )
