"""The empty cgroups of engines whose shims tests have killed: no next shim removes them here."""

import time
from pathlib import Path

from llmaz.shim import cgroup

OLD_SECONDS = 900.0  # a group is empty for a moment before its engine is in it


def remove_old() -> None:
    """Remove the groups of engines that earlier runs have left; the kernel keeps any with life."""
    place = cgroup.place("llmaz-")
    if place is None:
        return
    for path in Path(place).parent.glob("llmaz-*"):
        try:
            is_old = time.time() - path.stat().st_ctime > OLD_SECONDS
        except OSError:  # it went meanwhile
            continue
        if is_old:
            cgroup.remove(str(path))
