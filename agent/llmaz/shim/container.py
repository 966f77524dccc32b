"""The container of a slot, as the shim that is its first process finds it."""

import os

# How the pod tells the shim where its files are, its IP, and the seconds that an engine has to end.
DIRECTORY = "LLMAZ_SLOT_DIRECTORY"
ADDRESS = "LLMAZ_SLOT_ADDRESS"
GRACE = "LLMAZ_SLOT_GRACE"
_DEVICES = ("nvidia", "dri/render", "kfd", "davinci", "accel", "neuron", "hl", "vfio/")
_GIVEN = "/var/run/nvidia-container-devices"  # where device plugins name devices by mounts


class Container:
    """What the container gives to engines, and what the agent is told of it."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.grace = float(environ.get(GRACE, "30"))
        self.address = environ.get(ADDRESS, "")
        self.directory = environ.get(DIRECTORY, "")
        own = (DIRECTORY, ADDRESS, GRACE)
        self.environ = {name: value for name, value in environ.items() if name not in own}
        self.ready = False
        self.draining = False

    def about(self) -> dict[str, object]:
        """Return what a status says of it."""
        visible = {
            name: value for name, value in self.environ.items() if name.endswith("_VISIBLE_DEVICES")
        }
        return {
            "address": self.address,
            "directory": self.directory,
            "path": self.environ.get("PATH", ""),
            "visible": visible,
            "given": _listed(_GIVEN),
            "devices": devices(),
            "ready": self.ready,
            "draining": self.draining,
        }


def devices(root: str = "/dev") -> list[str]:
    """Return the device files of accelerators, by their names below /dev."""
    names = _listed(root)
    for folder in ("dri", "accel", "vfio"):
        names += [f"{folder}/{name}" for name in _listed(os.path.join(root, folder))]
    return sorted(name for name in names if name.startswith(_DEVICES))


def _listed(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []
