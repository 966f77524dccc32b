"""NVIDIA's devices -> the labels that NVIDIA's GPU Feature Discovery would give their Node. Pure.

Names and formats are GFD's, so that selectors written for it match where it does not run. GFD
describes one product a node; of several this describes the commonest. What GFD is told in its
configuration is here as llmaz uses devices: one engine to a device, or as many as a person said of
the node, parts by their own names.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from llmaz.api.accelerator import Accelerator
from llmaz.controller.products import label_value

PREFIX = "nvidia.com/"
_MODES = {"0x030000": "graphics", "0x030200": "compute"}  # by class on the bus
TIMESTAMP = "nvidia.com/gfd.timestamp"  # GFD itself writes it


def gfd_labels(
    accelerators: Sequence[Accelerator], machine: str = "", replicas: int = 1
) -> dict[str, str]:
    """Return the labels, without those whose values are not known.

    `replicas` is how many engines share each device, or part of one.
    """
    devices = [device for device in accelerators if device.vendor == "nvidia" and device.product]
    if not devices:
        return {}
    cards = {device.parent or device.uuid: device for device in devices}
    products = Counter(_card_product(device) for device in cards.values())
    product = min(products, key=lambda name: (-products[name], name))
    described = [device for device in cards.values() if _card_product(device) == product]
    labels = {
        "gpu.product": _sanitised(product) + _suffix(replicas),
        "gpu.count": str(products[product]),
        "gpu.machine": machine,
        "gpu.mode": _mode(devices),
        "gpu.clique": _clique(devices),
        **_virtual(devices),
        **_sharing(described, replicas),
        **_mig_capability(devices),
        **_memory(described),
        **_architecture(described[0]),
        **_driver(described[0].driver_version),
        **_runtime(described[0].runtime_version),
        **_parts([device for device in devices if device.parent], replicas),
    }
    return {PREFIX + key: value for key, value in labels.items() if value}


def _card_product(device: Accelerator) -> str:
    """Return the product of a whole device: a part has its profile in the name."""
    return device.product.partition(" MIG ")[0]


def _memory(cards: Sequence[Accelerator]) -> Mapping[str, str]:
    """Return the memory of a device that is not cut up. A part does not know the whole's."""
    sizes = (card.memory_bytes for card in cards if not card.parent and card.memory_bytes)
    size = next(sizes, None)
    return {} if size is None else {"gpu.memory": str(size // 2**20)}


def _mode(devices: Sequence[Accelerator]) -> str:
    """Return what the bus takes all devices for; unknown, which is a mode, where they differ."""
    classes = {device.pci_class for device in devices}
    if "" in classes:
        return ""
    return _MODES.get(classes.pop(), "unknown") if len(classes) == 1 else "unknown"


def _virtual(devices: Sequence[Accelerator]) -> Mapping[str, str]:
    hosts = [device.virtual for device in devices if device.virtual is not None]
    if not hosts:
        return {}
    return {
        "vgpu.present": "true",
        "vgpu.host-driver-version": label_value(hosts[0].host_driver_version),
        "vgpu.host-driver-branch": label_value(hosts[0].host_driver_branch),
    }


def _sharing(cards: Sequence[Accelerator], replicas: int) -> Mapping[str, str]:
    """Say how many each device is, and of none where all of them are cut up."""
    return {
        "gpu.replicas": "0" if all(card.parent for card in cards) else str(replicas),
        "gpu.sharing-strategy": _strategy(replicas),
        "mps.capable": "false",
    }


def _strategy(replicas: int) -> str:
    """Return how engines share a device: in turns, since nobody told of a server for MPS."""
    return "time-slicing" if replicas > 1 else "none"


def _suffix(replicas: int) -> str:
    return "-SHARED" if replicas > 1 else ""


def _mig_capability(devices: Sequence[Accelerator]) -> Mapping[str, str]:
    told = [device.mig_capable for device in devices]
    if None in told and True not in told:
        return {}
    return {"mig.capable": "true" if True in told else "false"}


def _clique(devices: Sequence[Accelerator]) -> str:
    """Return what all devices of a fabric have in common."""
    cliques = {device.clique for device in devices if device.clique}
    return cliques.pop() if len(cliques) == 1 else ""


def _architecture(device: Accelerator) -> Mapping[str, str]:
    major, _, minor = device.compute.partition(".")
    return {
        "gpu.family": device.family,
        "gpu.compute.major": major,
        "gpu.compute.minor": minor,
    }


def _driver(version: str) -> Mapping[str, str]:
    """Return the driver's version, under the names that GFD has now and those it had before."""
    major, minor, revision = (*version.split(".", 2), "", "", "")[:3]
    return {
        "cuda.driver-version.full": version,
        "cuda.driver-version.major": major,
        "cuda.driver-version.minor": minor,
        "cuda.driver-version.revision": revision,
        "cuda.driver.major": major,
        "cuda.driver.minor": minor,
        "cuda.driver.rev": revision,
    }


def _runtime(version: str) -> Mapping[str, str]:
    major, _, minor = version.partition(".")
    return {
        "cuda.runtime-version.full": version,
        "cuda.runtime-version.major": major,
        "cuda.runtime-version.minor": minor,
        "cuda.runtime.major": major,
        "cuda.runtime.minor": minor,
    }


def _parts(parts: Sequence[Accelerator], replicas: int) -> Mapping[str, str]:
    """Return what GFD says of MIG devices when each profile is a resource of its own."""
    if not parts:
        return {}
    labels = {"mig.capable": "true", "mig.strategy": "mixed"}
    for profile, count in sorted(Counter(part.profile for part in parts).items()):
        part = next(part for part in parts if part.profile == profile)
        labels[f"mig-{profile}.count"] = str(count)
        labels[f"mig-{profile}.product"] = _sanitised(part.product) + _suffix(replicas)
        labels[f"mig-{profile}.replicas"] = str(replicas)
        labels[f"mig-{profile}.sharing-strategy"] = _strategy(replicas)
        labels |= {f"mig-{profile}.{key}": value for key, value in _shape(part).items()}
        if part.memory_bytes is not None:
            labels[f"mig-{profile}.memory"] = str(part.memory_bytes // 2**20)
    return labels


def _shape(part: Accelerator) -> Mapping[str, str]:
    shape = part.shape
    if shape is None:
        return {}
    return {
        "multiprocessors": str(shape.multiprocessors),
        "slices.gi": str(shape.gpu_slices),
        "slices.ci": str(shape.compute_slices),
        "engines.copy": str(shape.copy_engines),
        "engines.decoder": str(shape.decoders),
        "engines.encoder": str(shape.encoders),
        "engines.jpeg": str(shape.jpeg_engines),
        "engines.ofa": str(shape.ofa_engines),
    }


def _sanitised(product: str) -> str:
    """Return the name as GFD writes it: other characters go, blanks become dashes."""
    return "-".join(re.sub(r"[^A-Za-z0-9_. -]", "", product).split())
