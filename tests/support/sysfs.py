"""Builds a tree of the kernel's files for devices on the PCI bus."""

from collections.abc import Mapping
from pathlib import Path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n")


def pci_device(root: Path, address: str, driver: str, files: Mapping[str, str]) -> Path:
    """Put a device there. `files` are paths in its directory; without a driver, none holds it."""
    directory = root / "bus" / "pci" / "devices" / address
    for name, text in files.items():
        write(directory / name, text)
    if driver:
        holder = root / "bus" / "pci" / "drivers" / driver
        holder.mkdir(parents=True, exist_ok=True)
        (directory / "driver").symlink_to(holder)
    return directory


def kfd_node(
    root: Path, name: str, properties: Mapping[str, int], *links: Mapping[str, int]
) -> None:
    """Put a node there as amdkfd shows it, with its links to others."""
    directory = root / "class" / "kfd" / "kfd" / "topology" / "nodes" / name
    write(directory / "gpu_id", str(properties.get("gpu_id", 0)))
    write(directory / "properties", _lines(properties))
    for number, link in enumerate(links):
        write(directory / "io_links" / str(number) / "properties", _lines(link))


def _lines(properties: Mapping[str, int]) -> str:
    return "\n".join(f"{key} {value}" for key, value in properties.items())
