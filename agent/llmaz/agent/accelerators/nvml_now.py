"""What NVML tells of a device at this moment: its health, its gauges, its processes."""

import pynvml

from llmaz.agent.accelerators.device import Gauges, Process, Throttle
from llmaz.agent.accelerators.nvml_facts import Handle, told

LOST = "the GPU has fallen off the bus"
_RESET = "the driver asks for a reset of the device"
# What the driver wants done before the device is used again. Of the others, that a device must
# leave its peers alone says nothing against using it by itself.
_REBOOT = "the driver asks for a reboot of the node"
_RECOVERY = {
    pynvml.NVML_GPU_RECOVERY_ACTION_GPU_RESET: _RESET,
    pynvml.NVML_GPU_RECOVERY_ACTION_NODE_REBOOT: _REBOOT,
    pynvml.NVML_GPU_RECOVERY_ACTION_DRAIN_AND_RESET: _RESET,
    6: _RESET,  # of the bus; older nvidia-ml-py has no names for these two
    7: _REBOOT,
}
_SLOWED_BY = {
    pynvml.nvmlClocksEventReasonSwPowerCap: Throttle.POWER_CAP,
    pynvml.nvmlClocksEventReasonHwSlowdown: Throttle.HARDWARE,
    pynvml.nvmlClocksEventReasonSwThermalSlowdown: Throttle.THERMAL,
    pynvml.nvmlClocksEventReasonHwThermalSlowdown: Throttle.HARDWARE_THERMAL,
    pynvml.nvmlClocksEventReasonHwPowerBrakeSlowdown: Throttle.POWER_BRAKE,
}


def complaint(device: Handle, *, parts: bool = False) -> str:
    """Return why no engine may use a device, or nothing.

    A question that a device does not know is no fault of it.
    """
    try:
        pynvml.nvmlDeviceGetTemperature(device.pointer, pynvml.NVML_TEMPERATURE_GPU)
    except pynvml.NVMLError_GpuIsLost:
        return LOST
    except pynvml.NVMLError:
        pass
    mode = told(pynvml.nvmlDeviceGetMigMode, device.pointer)
    if mode is not None and mode[0] == pynvml.NVML_DEVICE_MIG_ENABLE and not parts:
        return "it is to be cut up (MIG), and no part was made of it yet"
    remapped = told(pynvml.nvmlDeviceGetRemappedRows, device.pointer)
    if remapped is not None and remapped[3]:
        return "a row of its memory could not be remapped"
    if remapped is not None and remapped[2]:
        return "a row of its memory waits to be remapped, which takes a reset of the device"
    return _RECOVERY.get(_recovery_action(device), "")


def _recovery_action(device: Handle) -> int:
    asked = [pynvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION]
    answers = told(pynvml.nvmlDeviceGetFieldValues, device.pointer, asked)
    if answers is None or answers[0].nvmlReturn != pynvml.NVML_SUCCESS:
        return int(pynvml.NVML_GPU_RECOVERY_ACTION_NONE)
    return int(answers[0].value.uiVal)


def gauges(handle: Handle) -> Gauges:
    """Return what can be told of a device, or of a part: most gauges are of the whole alone."""
    pointer = handle.pointer
    memory = told(pynvml.nvmlDeviceGetMemoryInfo, pointer)
    used = None if memory is None else memory.used
    if handle.whole is not None:
        return Gauges(memory_used_bytes=used)
    rates = told(pynvml.nvmlDeviceGetUtilizationRates, pointer)
    celsius = told(pynvml.nvmlDeviceGetTemperature, pointer, pynvml.NVML_TEMPERATURE_GPU)
    milliwatts = told(pynvml.nvmlDeviceGetPowerUsage, pointer)
    return Gauges(
        memory_used_bytes=used,
        utilization=None if rates is None else rates.gpu / 100,
        temperature_celsius=None if celsius is None else float(celsius),
        power_watts=None if milliwatts is None else milliwatts / 1000,
        corrected_errors=_ecc(handle, pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED),
        uncorrected_errors=_ecc(handle, pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED),
        throttled_by=_throttled_by(handle),
    )


def processes(handle: Handle) -> tuple[Process, ...] | None:
    # Not by its name without the version: that raises what is no NVMLError where a driver is old.
    found = told(pynvml.nvmlDeviceGetComputeRunningProcesses_v3, handle.pointer)
    if found is None:
        return None
    return tuple(Process(pid=one.pid, memory_bytes=one.usedGpuMemory) for one in found)


def _ecc(handle: Handle, kind: int) -> int | None:
    return told(pynvml.nvmlDeviceGetTotalEccErrors, handle.pointer, kind, pynvml.NVML_VOLATILE_ECC)


def _throttled_by(handle: Handle) -> tuple[Throttle, ...] | None:
    # The older of the two names of the question: all drivers know it.
    bits = told(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle.pointer)
    if bits is None:
        return None
    return tuple(reason for bit, reason in _SLOWED_BY.items() if bits & bit)
