"""A cgroup (v2) of the engine's own, where this user may make one.

It gives limits, the count of memory kills, and one kill for all. Where there is none the shim does
without: it is the parent of every orphan either way.
"""

import os

from llmaz.shim.crash import Effects

LEAF = "llmaz.agent"  # where the agent and its shims are, beside the engines' own
_FILES = {"memory": "memory.max", "pids": "pids.max", "cpu": "cpu.max"}
_CPU_PERIOD_US = 100_000


def place(name: str) -> str | None:
    """Return where the cgroup `name` would be; None without version 2.

    That is below this process's own, or beside it: one that hands limits on holds no process.
    """
    parent = own()
    if parent is None:
        return None
    if os.path.basename(parent) == LEAF:
        parent = os.path.dirname(parent)
    return os.path.join(parent, name)


def create(path: str, limits: dict[str, int], effects: Effects) -> bool:
    """Make a cgroup; False when that is not allowed.

    `limits` has `memory` in bytes, `pids`, and `cpu` in thousandths of a processor. A limit of
    another name, or whose controller is not delegated here, is not enforced. Where memory ends, all
    of the engine does: one that lost a worker answers health checks and serves nobody.
    """
    try:
        effects.announce("make the cgroup")
        if not os.path.isdir(path):
            os.mkdir(path)
        for key, name in _FILES.items():
            file = os.path.join(path, name)
            if key in limits and os.path.exists(file):
                share = f"{limits[key] * _CPU_PERIOD_US // 1000} {_CPU_PERIOD_US}"
                _write(file, share if key == "cpu" else str(limits[key]))
        if "memory" in limits and os.path.exists(group := os.path.join(path, "memory.oom.group")):
            _write(group, "1")
    except OSError:
        return False
    return True


def enter(path: str) -> bool:
    """Move this process into a cgroup."""
    try:
        _write(os.path.join(path, "cgroup.procs"), "0")
    except OSError:
        return False
    return True


def kill(path: str) -> None:
    """Kill everything in a cgroup at once, however much it forks."""
    try:
        _write(os.path.join(path, "cgroup.kill"), "1")
    except OSError:  # gone, or a kernel before 5.14: the caller walks the processes in any case
        return


def populated(path: str) -> bool:
    """Tell whether a process is left in a cgroup."""
    return _counter(os.path.join(path, "cgroup.events"), "populated") > 0


def remove(path: str) -> None:
    """Remove an empty cgroup."""
    try:
        os.rmdir(path)
    except OSError:  # gone, or not empty yet: a later call comes
        return


def memory_kills(path: str | None) -> int:
    """Return how often the kernel killed for want of memory: in `path`, or around this process."""
    if path is not None and os.path.exists(os.path.join(path, "memory.events")):
        return _counter(os.path.join(path, "memory.events"), "oom_kill")
    around = own()
    if around is not None and os.path.exists(os.path.join(around, "memory.events")):
        return _counter(os.path.join(around, "memory.events"), "oom_kill")
    former = _membership().get("memory")  # version 1
    if former is None:
        return 0
    return _counter(f"/sys/fs/cgroup/memory{former}/memory.oom_control", "oom_kill")


def own() -> str | None:
    """Return the directory of this process's cgroup; None without version 2."""
    path = _membership().get("")
    if path is None:
        return None
    with open("/proc/self/mountinfo") as file:
        for line in file:
            mount, _, kind = line.partition(" - ")
            if kind.startswith("cgroup2 "):
                return os.path.join(mount.split()[4], path.lstrip("/"))
    return None


def _membership() -> dict[str, str]:
    """Return controller -> path of this process's cgroups; version 2 is the empty string."""
    found: dict[str, str] = {}
    with open("/proc/self/cgroup") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            found |= dict.fromkeys(controllers.split(","), path)
    return found


def _counter(path: str, key: str) -> int:
    try:
        with open(path) as file:
            fields = dict(line.split(None, 1) for line in file if " " in line)
    except OSError:
        return 0
    return int(fields.get(key, "0"))


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
