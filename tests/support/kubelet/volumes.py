"""Volumes of a pod as directories of this machine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from support.kubelet.objects import Object


@dataclass(frozen=True)
class Mount:
    """Where a container sees a directory."""

    path: str
    source: Path
    read_only: bool = False


def prepared(
    spec: Object, directory: Path, on_host: Callable[[str], Path] = Path
) -> dict[str, Path]:
    """Make the volumes of a pod; return where each of them is."""
    found = {}
    for volume in spec.get("volumes", ()):
        if "hostPath" in volume:
            path = on_host(volume["hostPath"]["path"])
        else:
            path = directory / "volumes" / volume["name"]
        path.mkdir(parents=True, exist_ok=True)
        if "hostPath" not in volume:
            path.chmod(0o777)  # anybody's in the pod
        found[volume["name"]] = path
    return found


def mounts_of(
    container: Object, volumes: Mapping[str, Path], env: Mapping[str, str]
) -> tuple[Mount, ...]:
    """Return a container's mounts; one of a part of a volume has to find it there."""
    found = []
    for mount in container.get("volumeMounts", ()):
        source = volumes[mount["name"]]
        part = mount.get("subPathExpr", "")
        for name, value in env.items():
            part = part.replace(f"$({name})", value)
        if part:
            source = source / part
            assert source.is_dir(), f"{source}: a kubelet would make it for root alone"
        found.append(Mount(mount["mountPath"], source, mount.get("readOnly", False)))
    return tuple(found)
