"""The variables by which an engine's libraries see its own accelerators and no others. Pure.

Each vendor has variables of its own. NVIDIA's and AMD's take UUIDs, which stay right when a device
drops out; the others count devices as their drivers do.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from llmaz.api.accelerator import Accelerator

_NVIDIA = "nvidia"  # of a device that is not known: it was assigned, so that somebody reported it
_ROCM_UUID = "GPU-"
_NEURON_CORES = {"inferentia": 4, "trainium": 2, "inferentia2": 2, "trainium2": 4}
# The shapes in which the chips of a TPU host are handed out; any other number has none.
_TPU_BOUNDS = {1: "1,1,1", 2: "1,2,1", 4: "2,2,1", 8: "2,4,1"}
_TPU_PORT = 8476  # where the first process of a host meets its peers


def visible_devices(uuids: Sequence[str], known: Mapping[str, Accelerator]) -> dict[str, str]:
    """Show the engine its own accelerators, and none where it has none.

    Of libraries that are told nothing each takes all it finds. An empty list means "none" to
    NVIDIA's and AMD's; the others have no word for it.
    """
    env = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ""}
    if any(device.vendor == "amd" for device in known.values()):
        env["ROCR_VISIBLE_DEVICES"] = ""
    by_vendor: dict[str, list[str]] = {}
    for uuid in uuids:
        by_vendor.setdefault(known[uuid].vendor if uuid in known else _NVIDIA, []).append(uuid)
    if _NVIDIA in by_vendor:
        env["CUDA_VISIBLE_DEVICES"] = ",".join(by_vendor[_NVIDIA])
    for vendor, variables in _VARIABLES.items():
        if vendor in by_vendor:
            own = [known[uuid] for uuid in by_vendor[vendor]]
            all_of_them = [device for device in known.values() if device.vendor == vendor]
            env |= variables(own, len(all_of_them))
    return env


def _amd(own: Sequence[Accelerator], _: int) -> dict[str, str]:
    """Devices without a number of their own, as some consumer cards are, have an index alone."""
    shown = (d.uuid if d.uuid.startswith(_ROCM_UUID) else str(d.index) for d in own)
    return {"ROCR_VISIBLE_DEVICES": ",".join(shown)}


def _intel(own: Sequence[Accelerator], _: int) -> dict[str, str]:
    return {"ZE_AFFINITY_MASK": _indices(own), "ZE_ENABLE_PCI_ID_DEVICE_ORDER": "1"}


def _huawei(own: Sequence[Accelerator], _: int) -> dict[str, str]:
    """Ascend's runtime reads no further than the first number that is not in order."""
    return {"ASCEND_RT_VISIBLE_DEVICES": _indices(sorted(own, key=lambda device: device.index))}


def _habana(own: Sequence[Accelerator], _: int) -> dict[str, str]:
    # The first is read by the library, the second by what starts containers from within.
    return {"HABANA_VISIBLE_MODULES": _indices(own), "HABANA_VISIBLE_DEVICES": _indices(own)}


def _google(own: Sequence[Accelerator], present: int) -> dict[str, str]:
    """Chips that share a host need a shape and a port of their own; all of them need nothing."""
    chips = sorted(own, key=lambda device: device.index)
    env = {"TPU_VISIBLE_CHIPS": _indices(chips), "TPU_VISIBLE_DEVICES": _indices(chips)}
    if len(own) == present or len(own) not in _TPU_BOUNDS:
        return env
    port = str(_TPU_PORT + chips[0].index)
    return env | {
        "TPU_PROCESS_BOUNDS": "1,1,1",
        "TPU_CHIPS_PER_PROCESS_BOUNDS": _TPU_BOUNDS[len(own)],
        "TPU_MESH_CONTROLLER_ADDRESS": f"localhost:{port}",
        "TPU_MESH_CONTROLLER_PORT": port,
    }


def _amazon(own: Sequence[Accelerator], _: int) -> dict[str, str]:
    """Neuron counts cores, as many to a device as its generation has: left out where unknown."""
    if any(device.family not in _NEURON_CORES for device in own):
        return {}
    cores = (
        str(device.index * _NEURON_CORES[device.family] + core)
        for device in sorted(own, key=lambda device: device.index)
        for core in range(_NEURON_CORES[device.family])
    )
    return {"NEURON_RT_VISIBLE_CORES": ",".join(cores)}


def _indices(devices: Sequence[Accelerator]) -> str:
    return ",".join(str(device.index) for device in devices)


_VARIABLES: Mapping[str, Callable[[Sequence[Accelerator], int], dict[str, str]]] = MappingProxyType(
    {
        "amd": _amd,
        "intel": _intel,
        "huawei": _huawei,
        "habana": _habana,
        "google": _google,
        "amazon": _amazon,
    }
)
