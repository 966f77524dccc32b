"""What is taken of one node while replicas are placed, and what it is short of for one more."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from llmaz.api.node import Accelerator
from llmaz.controller.demand import Needs
from llmaz.controller.memory import gib
from llmaz.controller.nodes import NodeView
from llmaz.controller.shortage import Lack, Shortage


@dataclass(slots=True)
class Ledger:
    """What is taken of one node. The only mutable value in placing, and it never leaves it."""

    view: NodeView
    engines: int = 0
    cpu: Decimal = Decimal(0)
    memory: int = 0
    ports: set[int] = field(default_factory=set)
    sick: set[str] = field(default_factory=set)
    _devices: list[Accelerator] = field(default_factory=list)  # that are well, by index
    _by_uuid: dict[str, Accelerator] = field(default_factory=dict)
    _free: dict[str, list[str]] = field(default_factory=dict)
    _memory: dict[str, int] = field(default_factory=dict)  # of devices that tell it
    _owners: Counter[str] = field(default_factory=Counter)  # engines, by accelerator
    _taken: Counter[str] = field(default_factory=Counter)  # of the parts of each accelerator

    def __post_init__(self) -> None:
        devices = self.view.accelerators or ()
        for device in sorted(devices, key=lambda device: (device.index, device.uuid)):
            if device.memory_bytes is not None:
                self._memory[device.uuid] = device.memory_bytes
            if device.healthy:
                self._devices.append(device)
                self._by_uuid[device.uuid] = device
                self._free.setdefault(device.resource, []).append(device.uuid)
            else:
                self.sick.add(device.uuid)

    def take(self, needs: Needs, uuids: tuple[str, ...]) -> None:
        """Give part of the node to an engine."""
        self.engines += 1
        self.cpu += needs.cpu
        self.memory += needs.memory
        if uuids:
            self._owners.update(uuids)
            self._taken.update(self._parts(needs, uuids))
            full = {uuid for uuid in uuids if self._is_full(uuid)}
            self._free = {
                resource: [uuid for uuid in free if uuid not in full]
                for resource, free in self._free.items()
            }
        if needs.port is not None:
            self.ports.add(needs.port)

    def give_back(self, needs: Needs, uuids: tuple[str, ...]) -> None:
        """Take back what an engine was given."""
        self.engines -= 1
        self.cpu -= needs.cpu
        self.memory -= needs.memory
        if uuids:
            self._owners.subtract(uuids)
            self._taken.subtract(self._parts(needs, uuids))
            self._free = {}
            for device in self._devices:
                if not self._is_full(device.uuid):
                    self._free.setdefault(device.resource, []).append(device.uuid)
        if needs.port is not None:
            self.ports.discard(needs.port)

    def has_room_again(self, needs: Needs, uuids: tuple[str, ...]) -> bool:
        """Tell whether what was given back is still there to be given to the same engine."""
        cpu, memory = self.view.cpu, self.view.memory
        return (
            not self.is_taken(uuids)
            and needs.port not in self.ports
            and (cpu is None or not needs.cpu or cpu - self.cpu >= needs.cpu)
            and (memory is None or not needs.memory or memory - self.memory >= needs.memory)
        )

    def _parts(self, needs: Needs, uuids: Collection[str]) -> dict[str, int]:
        """Return how many of the parts of each accelerator an engine takes.

        One that has several, or takes more memory than its share, came before they were shared:
        nobody is put beside it.
        """
        shared = self.view.sharing.devices
        if not shared:
            return dict.fromkeys(uuids, 1)
        parts = {uuid: shared.get(uuid, 1) for uuid in uuids}
        is_several = len(uuids) > 1
        return {
            uuid: many if is_several or needs.device_percent * many > 100 else 1
            for uuid, many in parts.items()
        }

    def _is_full(self, uuid: str) -> bool:
        return self._taken[uuid] >= self.view.sharing.devices.get(uuid, 1)

    def is_taken(self, uuids: Collection[str]) -> bool:
        """Tell whether any of these accelerators has as many engines as may go on there."""
        limit = self.view.sharing.limit
        return any(self._owners.get(uuid, 0) >= limit(uuid) for uuid in uuids)

    def emptiest(self, uuids: Sequence[str]) -> Sequence[str]:
        """Return those of these accelerators that have the fewest engines."""
        if not self.view.sharing.devices or not uuids:
            return uuids
        least = min(self._taken[uuid] for uuid in uuids)
        return [uuid for uuid in uuids if self._taken[uuid] == least]

    def free(self, resource: str) -> Sequence[str]:
        """Return the healthy accelerators of a resource that take one more engine, by index."""
        return self._free.get(resource, ())

    def has_well(self, uuids: Collection[str]) -> bool:
        """Tell whether the node has these accelerators, and they are well."""
        return all(uuid in self._by_uuid for uuid in uuids)

    def device(self, uuid: str) -> Accelerator:
        """Return one of the accelerators that are well."""
        return self._by_uuid[uuid]

    def fitting(self, resource: str, needs: Needs) -> Sequence[str]:
        """Return those of the free accelerators that have the memory which is needed of each."""
        free = self.free(resource)
        if not needs.device_memory:
            return free
        return [uuid for uuid in free if not self._is_small(uuid, needs)]

    def _is_small(self, uuid: str, needs: Needs) -> bool:
        """Tell whether an accelerator, or what each has of one that is shared, is known to be."""
        size = self._memory.get(uuid)
        if size is None:
            return False
        share = size // self.view.sharing.devices.get(uuid, 1)
        return size < needs.device_memory or share < needs.device_taken

    def is_too_small(self, needs: Needs, uuids: Collection[str]) -> bool:
        """Tell whether one of these accelerators is known to lack the memory that is needed."""
        return any(self._is_small(uuid, needs) for uuid in uuids)

    def lacks_memory(self, needs: Needs) -> bool:
        """Tell whether accelerators are free that are too small."""
        return any(
            len(self.free(resource)) >= count > len(self.fitting(resource, needs))
            for resource, count in needs.devices.items()
        )

    def _unwell(self, resource: str) -> str:
        """Say what is wrong with the first device that could be meant and is not well."""
        devices = self.view.accelerators or ()
        sick = [device for device in devices if device.resource == resource and not device.healthy]
        return f" ({len(sick)} not well: {sick[0].message})" if sick else ""

    def _too_small(self, free: Sequence[str], needs: Needs) -> str:
        """Say what memory is needed of each, and how much the largest of the others has."""
        sizes = {uuid: size for uuid in free if (size := self._memory.get(uuid)) is not None}
        shared = self.view.sharing.devices
        if any(size >= needs.device_memory for size in sizes.values()) and shared:
            shares = {uuid: size // shared.get(uuid, 1) for uuid, size in sizes.items()}
            most = max((size for size in shares.values() if size < needs.device_taken), default=0)
            wants = f"{gib(needs.device_taken)} GiB memory for each engine"
            return f" with {wants}, the others have {gib(most)} for each that shares them"
        most = max((size for size in sizes.values() if size < needs.device_memory), default=0)
        return f" with {gib(needs.device_memory)} GiB memory, the others have at most {gib(most)}"

    def shortage(self, needs: Needs) -> Shortage | None:
        """Say what the node lacks for one more engine, or None when it fits."""
        if (taint := self.view.taint_against(needs.devices, needs.tolerations)) is not None:
            return Shortage.of(Lack.TAINT, f"is tainted {taint}")
        return self._of_accelerators(needs) or self._of_the_rest(needs)

    def _of_accelerators(self, needs: Needs) -> Shortage | None:
        for resource, count in needs.devices.items():
            if self.view.accelerators is None:
                return Shortage.of(Lack.UNREPORTED, "has not reported its accelerators")
            if (shortage := self._of_sharing(resource, count, needs)) is not None:
                return shortage
            if len(free := self.free(resource)) < count:
                words = f"has {len(free)} of {count} {resource}{self._unwell(resource)}"
                return Shortage.of(Lack.ACCELERATORS, words)
            if len(large := self.fitting(resource, needs)) < count:
                words = f"has {len(large)} of {count} {resource}{self._too_small(free, needs)}"
                return Shortage.of(Lack.ACCELERATOR_MEMORY, words)
        return None

    def _of_sharing(self, resource: str, count: int, needs: Needs) -> Shortage | None:
        """Say why an engine is none of those that may share accelerators."""
        many = self.view.sharing.resources.get(resource, 1)
        if many > 1 and count > 1:
            words = f"shares each {resource} among {many}, and gives an engine one, not {count}"
            return Shortage.of(Lack.ACCELERATORS, words)
        if needs.device_percent * many > 100:
            takes = f"the engine takes {needs.device_percent} % of its memory"
            words = f"shares each {resource} among {many}, and {takes}, not {100 // many}"
            return Shortage.of(Lack.ACCELERATOR_MEMORY, words)
        return None

    def _of_the_rest(self, needs: Needs) -> Shortage | None:
        if self.view.cpu is None or self.view.memory is None:
            return Shortage.of(Lack.UNREPORTED, "has not reported its cpu and memory")
        if needs.cpu and self.view.cpu - self.cpu < needs.cpu:
            words = f"has {_cores(self.view.cpu - self.cpu)} cpu free, short of {_cores(needs.cpu)}"
            return Shortage.of(Lack.CPU, words)
        if needs.memory and self.view.memory - self.memory < needs.memory:
            left = max(0, self.view.memory - self.memory)
            words = f"has {gib(left)} GiB memory free, short of {gib(needs.memory)}"
            return Shortage.of(Lack.MEMORY, words)
        if needs.port is not None and needs.port in self.ports:
            return Shortage.of(Lack.PORT, f"has an engine on port {needs.port}")
        return None


def _cores(amount: Decimal) -> str:
    return f"{max(amount, Decimal(0)):.3f}".rstrip("0").rstrip(".")
