"""Processes as /proc shows them, and signals that reach only the process that is meant.

A pid alone is nobody: it may have been given anew. A process is (pid, start time in clock ticks
since boot), and a signal goes through a pidfd that was opened before the start time was compared
once more.
"""

import ctypes
import os
import signal

Process = tuple[int, int]

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_libc = ctypes.CDLL(None, use_errno=True)


def boot_id() -> str:
    """Return the kernel's name for this boot: pids and start times of another boot mean nothing."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def start_time(pid: int) -> int | None:
    """Return when a process started; None when there is no such process, or only its zombie."""
    stat = _stat(pid)
    return None if stat is None or stat[0] in "ZX" else stat[2]


def alive(process: Process) -> bool:
    """Tell whether this very process still runs."""
    return start_time(process[0]) == process[1]


def send(process: Process, number: int) -> bool:
    """Signal this very process; return False when it has ended."""
    try:
        handle = os.pidfd_open(process[0])
    except ProcessLookupError:
        return False
    try:
        if start_time(process[0]) != process[1]:
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def descendants(root: int) -> list[Process]:
    """Return every living process below `root`, parents first."""
    found: list[Process] = []
    queue = [root]
    for pid in queue:
        for child in _children(pid):
            stat = _stat(child)
            if stat is None:
                continue
            queue.append(child)
            if stat[0] not in "ZX":
                found.append((child, stat[2]))
    return found


def marked(mark: bytes) -> list[Process]:
    """Return every living process that has `mark` in the environment it was started with."""
    found = []
    for pid in _all_pids():
        started = start_time(pid)
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                ours = mark in file.read().split(b"\0")
        except OSError:  # it has ended, or belongs to another user and so is not ours
            continue
        if ours and started is not None and pid != os.getpid():
            found.append((pid, started))
    return found


def work(root: int) -> tuple[int, int]:
    """Return the processor ticks used and the bytes read by all that lives below `root`."""
    ticks = read = 0
    for pid, _ in descendants(root):
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
            with open(f"/proc/{pid}/io", "rb") as file:
                read += int(file.read().split(b"\n", 1)[0].split()[1])
        except OSError:  # it has ended meanwhile, or its I/O is not shown to this user
            continue
    return ticks, read


def become_subreaper() -> None:
    """Have every orphaned descendant become a child of this process, instead of init's."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> bool:
    """Be killed when the parent dies; return False when it is dead already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent


def renounce_privileges() -> None:
    """Never gain privileges again by executing a file (set-uid, capabilities)."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")


def _stat(pid: int) -> tuple[str, int, int] | None:
    """Return state, parent, start time. The name may hold spaces and brackets: read behind it."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0].decode(), int(fields[1]), int(fields[19])


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                children += map(int, file.read().split())
    except (FileNotFoundError, ProcessLookupError):
        if pid == os.getpid() or os.path.exists(f"/proc/{pid}"):
            # A kernel without CONFIG_PROC_CHILDREN, or a thread that ended meanwhile.
            return _children_by_scan(pid)
    return children


def _children_by_scan(parent: int) -> list[int]:
    stats = ((pid, _stat(pid)) for pid in _all_pids())
    return [pid for pid, stat in stats if stat is not None and stat[1] == parent]


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]
