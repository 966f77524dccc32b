"""What an XID, the number of an error of NVIDIA's driver, says of the device. Pure.

The numbers are those of NVIDIA's catalogue (docs.nvidia.com/deploy/xid-errors), and so is what it
wants done: the application started again, the device reset, or the node booted. The application's
own faults are the ones that NVIDIA's device plugin for Kubernetes ignores too, and a contained
memory error: it ends the process that met it, and where a row is to be remapped the driver says so
of the device itself.
"""

from enum import StrEnum


class XidClass(StrEnum):
    """Who has to do something about an XID."""

    APPLICATION = "application"  # the process that met it is at fault, or its victim
    HARDWARE = "hardware"  # the device has to be reset before anything should run on it
    OTHER = "other"


_APPLICATION = frozenset({13, 31, 43, 45, 68, 94, 109})
_HARDWARE = {
    48: "an uncorrectable memory error",
    63: "a row of its memory waits to be remapped",
    64: "a row of its memory could not be remapped",
    74: "a fault of NVLink",
    79: "the GPU has fallen off the bus",
    92: "too many corrected memory errors",
    95: "an uncontained memory error",
    119: "its system processor does not answer",
    120: "a fault of its system processor",
    140: "a memory error that it did not recover from",
}
_REBOOT = frozenset({79})  # no reset reaches a device that the bus no longer sees


def xid_class(xid: int) -> XidClass:
    if xid in _APPLICATION:
        return XidClass.APPLICATION
    return XidClass.HARDWARE if xid in _HARDWARE else XidClass.OTHER


def title(xid: int) -> str:
    """Return an XID with its class and what it means."""
    meaning = f": {_HARDWARE[xid]}" if xid in _HARDWARE else ""
    return f"XID {xid} ({xid_class(xid)}){meaning}"


def words(xid: int) -> str:
    """Return what a hardware XID means and what ends it, as a device's message.

    No device can be reset while a program holds it open, as the agent's probe does: whoever resets
    one stops the agent for it, and its next start begins with what the driver says then.
    """
    if xid in _REBOOT:
        return f"XID {xid}: {_HARDWARE[xid]}; the node needs a reboot"
    return f"XID {xid}: {_HARDWARE[xid]}; the device needs a reset and a new start of the agent"
