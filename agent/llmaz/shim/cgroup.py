"""A cgroup (v2) of the engine's own, where this user may make one.

It gives limits, the count of memory kills, and one kill for all. Where there is none the shim does
without: it is the parent of every orphan either way.
"""

import os

from llmaz.shim.crash import Effects

_FILES = {"memory": "memory.max", "pids": "pids.max", "cpu": "cpu.max"}
_CPU_PERIOD_US = 100_000


def place(name: str) -> str | None:
    """Return where the cgroup `name` would be: below this process's own; None without version 2."""
    parent = _own()
    return None if parent is None else os.path.join(parent, name)


def create(path: str, limits: dict[str, int], effects: Effects) -> bool:
    """Make a cgroup; False when that is not allowed.

    `limits` has `memory` in bytes, `pids`, and `cpu` in thousandths of a processor. A limit whose
    controller is not delegated here is not enforced.
    """
    try:
        effects.announce("make the cgroup")
        if not os.path.isdir(path):
            os.mkdir(path)
        for key, amount in limits.items():
            text = f"{amount * _CPU_PERIOD_US // 1000} {_CPU_PERIOD_US}" if key == "cpu" else amount
            file = os.path.join(path, _FILES[key])
            if os.path.exists(file):
                _write(file, str(text))
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
    own = _own()
    if own is not None and os.path.exists(os.path.join(own, "memory.events")):
        return _counter(os.path.join(own, "memory.events"), "oom_kill")
    former = _membership().get("memory")  # version 1
    if former is None:
        return 0
    return _counter(f"/sys/fs/cgroup/memory{former}/memory.oom_control", "oom_kill")


def _own() -> str | None:
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
