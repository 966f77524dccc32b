"""What went wrong with each device, for the engines that hold it. Pure."""

from collections.abc import Mapping

from llmaz.agent.accelerators.device import LOST, Sighting
from llmaz.agent.accelerators.xid import XidClass, title, xid_class
from llmaz.agent.engines.blame import DeviceError


def device_errors(sighting: Sighting) -> Mapping[str, tuple[DeviceError, ...]]:
    """Return the errors of each device and part of one by its UUID, the latest last.

    What happens to a device happens to its parts. A device that is lost goes on being so.
    """
    found: dict[str, tuple[DeviceError, ...]] = {}
    for device in sighting.devices or ():
        accelerator = device.accelerator
        told = [
            DeviceError(kind=xid_class(xid.number), words=f"{xid.uuid}: {title(xid.number)}", at=at)
            for xid, at in sighting.told_at.items()
            if xid.uuid in (accelerator.uuid, accelerator.parent)
        ]
        if accelerator.message == LOST and sighting.seen_at is not None:
            words = f"{accelerator.uuid}: {LOST}"
            told.append(DeviceError(kind=XidClass.HARDWARE, words=words, at=sighting.seen_at))
        if told:
            found[accelerator.uuid] = tuple(sorted(told, key=lambda error: error.at))
    return found
