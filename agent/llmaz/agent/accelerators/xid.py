"""What an XID, the number of an error of NVIDIA's driver, says of the device. Pure.

The numbers, and what is to be done at once, are those of NVIDIA's catalogue for Ampere and newer
(docs.nvidia.com/deploy/xid-errors): start the application again, reset the device, boot the node.
What it has looked into first is left to the driver, which since R565 tells itself whether the
device wants a reset (nvml_now.py): a context switch that timed out (109), which NVIDIA's device
plugin for Kubernetes takes for the application's fault, and the links of Blackwell (144 to 150,
155), which may have gone down on purpose.
"""

from enum import StrEnum


class XidClass(StrEnum):
    """Who has to do something about an XID."""

    APPLICATION = "application"  # the process that met it is at fault, or its victim
    HARDWARE = "hardware"  # the device has to be reset before anything should run on it
    OTHER = "other"


_APPLICATION = frozenset(
    {8, 11, 13, 25, 31, 32, *range(39, 42), 43, 45, 60, *range(68, 73), *range(75, 78), 80}
    | {*range(82, 87), 88, 89, 94, *range(96, 106), 109, *range(126, 136), 139}
)
_HARDWARE = {
    46: "it stopped processing",
    48: "an uncorrectable memory error",
    62: "its power controller halted",
    64: "a row of its memory could not be remapped",
    74: "a fault of NVLink",
    79: "the GPU has fallen off the bus",
    95: "an uncontained memory error",
    110: "a security fault",
    119: "its system processor does not answer",
    120: "a fault of its system processor",
    136: "a link could not be trained",
    140: "a memory error that it did not recover from",
    143: "it could not be initialised",
    151: "its keys could not be rotated",
    156: "a broken part of it waits to be retired",
    158: "it does not answer in time",
}
_REBOOT = frozenset({79, 151})  # no reset reaches a device that the bus no longer sees


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
