"""Reads the kernel's small files. One that is missing, or that a driver won't fill, is unknown."""

from pathlib import Path

ROOT = Path("/sys")


def pci_directory(root: Path, address: str) -> Path:
    return root / "bus" / "pci" / "devices" / address


def text(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""


def content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def number(file: Path) -> int | None:
    """Return a number that can't be negative."""
    words = text(file)
    return int(words) if words.isdecimal() else None


def numa_node(device: Path) -> int | None:
    """Return the NUMA node of a PCI device. The kernel says -1 where it knows none."""
    return number(device / "numa_node")


def temperature(device: Path) -> float | None:
    """Return the device's own sensor, the first in Documentation/hwmon/sysfs-interface's order."""
    sensors = sorted((device / "hwmon").glob("hwmon*/temp*_input"), key=_sensor)
    readings = (number(sensor) for sensor in sensors)
    return next((reading / 1000 for reading in readings if reading is not None), None)


def power(device: Path) -> float | None:
    """Return the watts that the device draws; hwmon counts in millionths."""
    for name in ("power1_average", "power1_input"):
        for sensor in (device / "hwmon").glob(f"hwmon*/{name}"):
            if (reading := number(sensor)) is not None:
                return reading / 1_000_000
    return None


def _sensor(file: Path) -> tuple[int, str]:
    digits = file.name.removeprefix("temp").removesuffix("_input")
    return (int(digits) if digits.isdecimal() else 0, file.name)
