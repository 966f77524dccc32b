"""The errors (XIDs) that NVIDIA's driver tells of while somebody listens."""

from collections.abc import Sequence

import pynvml

from llmaz.agent.accelerators.device import Xid
from llmaz.agent.accelerators.nvml_facts import Handle, told

_MOST = 256  # a device in a storm of errors shall not keep a look from ending
_WHOLE = 0xFFFFFFFF  # for the number of an instance: the error is not of a MIG part


class XidEvents:
    """A set of events that the driver fills between the looks."""

    def __init__(self) -> None:
        self._set = told(pynvml.nvmlEventSetCreate)
        self._listening: set[str] = set()

    def since_last(self, handles: Sequence[Handle]) -> tuple[Xid, ...]:
        """Return what was told since the last call, and listen to devices that are new."""
        if self._set is None:
            return ()
        for device in {handle.device.uuid: handle.device for handle in handles}.values():
            self._listen(device)
        found = []
        for _ in range(_MOST):
            event = told(pynvml.nvmlEventSetWait_v2, self._set, 0)
            if event is None:  # no more of them
                break
            uuid = told(pynvml.nvmlDeviceGetUUID, event.device)
            if uuid is not None and event.eventType == pynvml.nvmlEventTypeXidCriticalError:
                found.append(Xid(uuid=_part(uuid, event, handles), number=int(event.eventData)))
        return tuple(found)

    def _listen(self, device: Handle) -> None:
        if device.uuid in self._listening:
            return
        self._listening.add(device.uuid)  # asked once: old devices have no events
        kind = pynvml.nvmlEventTypeXidCriticalError
        told(pynvml.nvmlDeviceRegisterEvents, device.pointer, kind, self._set)


def _part(uuid: str, event: pynvml.c_nvmlEventData_t, handles: Sequence[Handle]) -> str:
    """Return the UUID of the part that an event is of, or of the device where it is of no part."""
    if event.gpuInstanceId == _WHOLE:
        return uuid
    for handle in handles:
        instance = told(pynvml.nvmlDeviceGetGpuInstanceId, handle.pointer) if handle.whole else None
        if handle.device.uuid == uuid and instance == event.gpuInstanceId:
            return handle.uuid
    return uuid
