"""What is taken of one node while replicas are placed, and what it is short of for one more."""

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
    uuids: set[str] = field(default_factory=set)
    sick: set[str] = field(default_factory=set)
    _devices: list[Accelerator] = field(default_factory=list)  # that are well, by index
    _by_uuid: dict[str, Accelerator] = field(default_factory=dict)
    _free: dict[str, list[str]] = field(default_factory=dict)
    _memory: dict[str, int] = field(default_factory=dict)  # of devices that tell it

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
        self.uuids.update(uuids)
        if uuids:
            self._free = {
                resource: [uuid for uuid in free if uuid not in uuids]
                for resource, free in self._free.items()
            }
        if needs.port is not None:
            self.ports.add(needs.port)

    def give_back(self, needs: Needs, uuids: tuple[str, ...]) -> None:
        """Take back what an engine was given."""
        self.engines -= 1
        self.cpu -= needs.cpu
        self.memory -= needs.memory
        self.uuids.difference_update(uuids)
        if uuids:
            self._free = {}
            for device in self._devices:
                if device.uuid not in self.uuids:
                    self._free.setdefault(device.resource, []).append(device.uuid)
        if needs.port is not None:
            self.ports.discard(needs.port)

    def has_room_again(self, needs: Needs, uuids: tuple[str, ...]) -> bool:
        """Tell whether what was given back is still there to be given to the same engine."""
        cpu, memory = self.view.cpu, self.view.memory
        return (
            self.uuids.isdisjoint(uuids)
            and needs.port not in self.ports
            and (cpu is None or not needs.cpu or cpu - self.cpu >= needs.cpu)
            and (memory is None or not needs.memory or memory - self.memory >= needs.memory)
        )

    def free(self, resource: str) -> Sequence[str]:
        """Return the healthy accelerators of a resource that nobody owns, by index."""
        return self._free.get(resource, ())

    def has_well(self, uuids: Collection[str]) -> bool:
        """Tell whether the node has these accelerators, and they are well."""
        return all(uuid in self._by_uuid for uuid in uuids)

    def device(self, uuid: str) -> Accelerator:
        """Return one of the accelerators that are well."""
        return self._by_uuid[uuid]

    def fitting(self, resource: str, needs: Needs) -> Sequence[str]:
        """Return those of the free accelerators that have the memory which is needed of each."""
        free, least = self.free(resource), needs.device_memory
        if not least:
            return free
        return [uuid for uuid in free if self._memory.get(uuid, least) >= least]

    def is_too_small(self, needs: Needs, uuids: Collection[str]) -> bool:
        """Tell whether one of these accelerators is known to lack the memory that is needed."""
        return any(
            self._memory.get(uuid, needs.device_memory) < needs.device_memory for uuid in uuids
        )

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
        sizes = [size for uuid in free if (size := self._memory.get(uuid)) is not None]
        most = max((size for size in sizes if size < needs.device_memory), default=0)
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
            if len(free := self.free(resource)) < count:
                words = f"has {len(free)} of {count} {resource}{self._unwell(resource)}"
                return Shortage.of(Lack.ACCELERATORS, words)
            if len(large := self.fitting(resource, needs)) < count:
                words = f"has {len(large)} of {count} {resource}{self._too_small(free, needs)}"
                return Shortage.of(Lack.ACCELERATOR_MEMORY, words)
        return None

    def _of_the_rest(self, needs: Needs) -> Shortage | None:
        if self.view.cpu is None or self.view.memory is None:
            return Shortage.of(Lack.UNREPORTED, "has not reported its cpu and memory")
        if needs.cpu and self.view.cpu - self.cpu < needs.cpu:
            words = f"has {_cores(self.view.cpu - self.cpu)} of {_cores(needs.cpu)} cpu"
            return Shortage.of(Lack.CPU, words)
        if needs.memory and self.view.memory - self.memory < needs.memory:
            left = max(0, self.view.memory - self.memory)
            words = f"has {gib(left)} of {gib(needs.memory)} GiB memory"
            return Shortage.of(Lack.MEMORY, words)
        if needs.port is not None and needs.port in self.ports:
            return Shortage.of(Lack.PORT, f"has an engine on port {needs.port}")
        return None


def _cores(amount: Decimal) -> str:
    return f"{max(amount, Decimal(0)):.3f}".rstrip("0").rstrip(".")
