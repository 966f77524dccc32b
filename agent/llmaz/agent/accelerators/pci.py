"""The devices on the PCI bus that a provider may know."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llmaz.agent.accelerators.sysfs import text

VGA, DISPLAY_3D, DISPLAY_OTHER, ACCELERATOR = "0x0300", "0x0302", "0x0380", "0x1200"


@dataclass(frozen=True, slots=True, kw_only=True)
class PciDevice:
    """One directory of /sys/bus/pci/devices (Documentation/PCI/sysfs-pci.rst of the kernel)."""

    directory: Path
    device: str  # the vendor's number for it, such as 0x74a1
    kind: str  # class and subclass
    driver: str  # empty where none holds it

    @property
    def address(self) -> str:
        return self.directory.name


def devices_of(vendor: str, root: Path) -> Iterator[PciDevice]:
    """Yield a vendor's devices in the order of the bus."""
    bus = root / "bus" / "pci" / "devices"
    for directory in sorted(bus.iterdir()) if bus.is_dir() else ():
        if text(directory / "vendor") == vendor:
            driver = directory / "driver"
            yield PciDevice(
                directory=directory,
                device=text(directory / "device"),
                kind=text(directory / "class")[:6],
                driver=driver.resolve().name if driver.exists() else "",
            )
