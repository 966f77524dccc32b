"""Has the kernel enforce the limits of engines, where the agent's cgroup is its own to divide.

The kernel (version 2) lets a cgroup hand limits on to those below it only while it holds no process
itself; but for the machine's topmost. So the agent must be in a leaf beside the engines' own. In
a container it is alone and steps into one itself. Elsewhere others may be in the same cgroup, a
login's shell for one: there whoever starts the agent says that it may, by starting it in a leaf of
that name (`DelegateSubgroup=llmaz.agent` of systemd).
"""

import logging
from pathlib import Path

from llmaz.shim import cgroup

logger = logging.getLogger(__name__)

CONTROLLERS = ("cpu", "memory", "pids")
_ROUNDS = 10  # of moving processes: some may be forking


def delegate(own: str | None) -> tuple[str, ...]:
    """Have the controllers at hand limit the cgroups of engines; return those that will.

    `own` is the directory of this process's cgroup. Doing it twice is safe.
    """
    if own is None:
        return ()
    try:
        parent = _dividable(Path(own))
        enforced = () if parent is None else _hand_on(parent)
    except OSError as error:
        logger.info("limits of engines are not enforced: %s", error)
        return ()
    logger.info("limits of engines that are enforced: %s", ", ".join(enforced) or "none")
    return enforced


def _dividable(own: Path) -> Path | None:
    """Return the cgroup below which engines get theirs, without a process in it if need be."""
    if own.name == cgroup.LEAF:
        return own.parent
    if (own.parent / "cgroup.procs").exists():
        return None  # nobody said that it is ours
    if (own / "cgroup.type").exists():  # a container's: only the machine's topmost has no type
        _step_aside(own)
    return own


def _step_aside(own: Path) -> None:
    leaf = own / cgroup.LEAF
    leaf.mkdir(exist_ok=True)
    for _ in range(_ROUNDS):
        processes = (own / "cgroup.procs").read_text().split()
        if not processes:
            return
        for process in processes:
            try:
                (leaf / "cgroup.procs").write_text(process)
            except ProcessLookupError:  # it ended
                continue


def _hand_on(parent: Path) -> tuple[str, ...]:
    at_hand = (parent / "cgroup.controllers").read_text().split()
    handing = parent / "cgroup.subtree_control"
    for controller in CONTROLLERS:
        if controller in at_hand and controller not in handing.read_text().split():
            handing.write_text(f"+{controller}")
    return tuple(name for name in CONTROLLERS if name in handing.read_text().split())
