"""What the shim of a slot tells of its container, and which accelerators that means. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from llmaz.api.accelerator import Accelerator
from llmaz.api.slot import DIRECTORY

# Device plugins give devices by their UUIDs or by their indexes, in a variable that the container's
# runtime reads as well.
_NONE = frozenset({"", "void", "none", "NoDevFiles"})
_NUMBERED = {"nvidia": r"nvidia(\d+)", "huawei": r"davinci(\d+)", "google": r"accel/?(\d+)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotAbout:
    """A slot's container."""

    address: str = ""  # the pod's IP
    path: str = ""  # PATH of the image
    visible: Mapping[str, str] = field(default_factory=dict)  # *_VISIBLE_DEVICES
    given: tuple[str, ...] = ()  # devices that were named by mounts
    devices: tuple[str, ...] = ()  # device files, below /dev
    draining: bool = False
    directory: str = DIRECTORY  # where the container sees the slot's own directory

    @classmethod
    def read(cls, told: object) -> "SlotAbout | None":
        """Read the wire's form; None where the shim is not that of a slot."""
        if not isinstance(told, dict):
            return None
        return cls(
            address=str(told.get("address", "")),
            path=str(told.get("path", "")),
            visible=cast("dict[str, str]", told.get("visible") or {}),
            given=tuple(told.get("given") or ()),
            devices=tuple(told.get("devices") or ()),
            draining=bool(told.get("draining")),
            directory=str(told.get("directory") or DIRECTORY),
        )


def accelerators_of(about: SlotAbout, known: Mapping[str, Accelerator]) -> tuple[str, ...]:
    """Return the UUIDs of a slot's accelerators, as far as it tells which they are.

    The names that its device plugin gave come first, then the files of devices: an index among all
    devices of the node is what either may mean.
    """
    named = {*about.given, *(name for text in about.visible.values() for name in text.split(","))}
    named -= _NONE
    if found := {uuid for uuid in named if uuid in known}:
        return tuple(sorted(found))
    return tuple(sorted(_by_number(about, named, known)))


def ledger_accelerators(ids: Iterable[str], known: Mapping[str, Accelerator]) -> tuple[str, ...]:
    """Return the UUIDs of devices that a kubelet's ledger names as their plugin does.

    That is by UUID, with `::` and a number where several pods share a device, or by the place on
    the bus, or by index.
    """
    names = {id_.partition("::")[0] for id_ in ids}
    return tuple(
        sorted(
            device.uuid
            for device in known.values()
            if names & {device.uuid, device.pci_address, str(device.index)}
        )
    )


def _by_number(
    about: SlotAbout, named: set[str], known: Mapping[str, Accelerator]
) -> Iterator[str]:
    for device in known.values():
        pattern = _NUMBERED.get(device.vendor)
        files = {int(m[1]) for f in about.devices if pattern and (m := re.fullmatch(pattern, f))}
        numbers = files or {int(name) for name in named if name.isdecimal()}
        if device.index in numbers:
            yield device.uuid
